"""The rubrics that ideas are evaluated by, the ideas to evaluate, and the table of scores."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Literal

from service.errors import Conflict, InvalidInput, NotFound
from service.messages import Text
from service.prompts.tasks import DEFAULT_CRITERIA, Criterion
from service.schemas.evaluation import (
    EVALUATIONS_CEILING,
    CriterionShape,
    EvaluateAllTask,
    RubricChoice,
    TablePublic,
    TableRow,
    weighted_mean,
)
from service.store import Store
from service.store.evaluations import Candidate, words_of
from service.store.listing import IdeaQuery

Order = Literal["ascending", "descending"]
DEFAULT_NAME = Text("Default")


def default_rubric() -> RubricChoice:
    criteria = [
        CriterionShape(name=one.name, description=one.description) for one in DEFAULT_CRITERIA
    ]
    return RubricChoice(id=None, name=DEFAULT_NAME, criteria=criteria)


def chosen_rubric(store: Store, board_id: str, rubric_id: str | None) -> RubricChoice:
    """Raises: NotFound unless it is one of the board's; None chooses the default one."""
    if rubric_id is None:
        return default_rubric()
    rubric = store.rubrics.get(rubric_id, board_id=board_id)
    return RubricChoice(id=rubric.id, name=rubric.name, criteria=rubric.criteria)


def criterion_of(shape: CriterionShape | str) -> Criterion:
    """The criterion for a shape or a name. The descriptions of known names are filled in."""
    name, description, weight = (
        (shape, "", 1.0)
        if isinstance(shape, str)
        else (shape.name, shape.description, float(shape.weight))
    )
    usual = {one.name: one.description for one in DEFAULT_CRITERIA}
    return Criterion(name, description or usual.get(name.casefold(), ""), weight)


def board_candidates(store: Store, asked: EvaluateAllTask, rubric: RubricChoice) -> list[Candidate]:
    """The ideas to evaluate, newest first.

    Raises:
        NotFound: a named idea is not on the board.
        Conflict: there is no idea to evaluate.
        InvalidInput: there are more ideas than a run takes.
    """
    query = IdeaQuery(
        board=asked.board_id,
        ids=asked.idea_ids,
        q=asked.q,
        tags=asked.tags,
        status=asked.status,
        archived=None if asked.archived or asked.status or asked.idea_ids else False,
        star=asked.star,
    )
    found = store.evaluations.candidates(query, rubric, limit=EVALUATIONS_CEILING + 1)
    if asked.idea_ids is not None:
        _check_found(asked.idea_ids, found)
    if len(found) > EVALUATIONS_CEILING:
        raise InvalidInput(
            Text(
                "One run takes at most %(most)s ideas, and there are more. Narrow them down "
                "by a tag, a status or words.",
                most=EVALUATIONS_CEILING,
            ),
            pointer="/idea_ids",
        )
    if asked.only_outdated:
        criteria = as_asked(rubric.criteria)
        found = [one for one in found if not one.is_evaluated(criteria)]
    if not found:
        raise Conflict(
            Text("There is nothing to evaluate: every idea was judged as it reads now.")
            if asked.only_outdated
            else Text("There is no idea to evaluate. Add some, or show more of them.")
        )
    return found


def _check_found(wanted: Sequence[str], found: Sequence[Candidate]) -> None:
    missing = set(wanted) - {one.id for one in found}
    if missing:
        raise NotFound(Text("There is no idea %(idea_id)s on this board.", idea_id=min(missing)))


def as_asked(criteria: Sequence[CriterionShape]) -> list[CriterionShape]:
    """The criteria with the descriptions of known names filled in."""
    return [CriterionShape(**asdict(criterion_of(one))) for one in criteria]


def score_table(store: Store, board_id: str, rubric_id: str | None) -> TablePublic:
    """All ideas that are not archived: best first, then the ideas without scores, newest first.

    Raises: NotFound.
    """
    store.boards.get(board_id)
    rubric = chosen_rubric(store, board_id, rubric_id)
    criteria = as_asked(rubric.criteria)
    query = IdeaQuery(board=board_id, archived=False)
    found = store.evaluations.candidates(query, rubric, limit=EVALUATIONS_CEILING)
    rows = [_row(one, criteria) for one in found]
    better = Counter(row.overall for row in rows if row.overall is not None)
    for row in rows:
        if row.overall is not None:
            row.rank = 1 + sum(count for value, count in better.items() if value > row.overall)
    table = TablePublic(
        board_id=board_id,
        rubric_id=rubric.id,
        rubric=rubric.name,
        criteria=criteria,
        ideas=rows,
    )
    return sorted_table(table, "overall", "descending")


def sorted_table(table: TablePublic, by: str, order: Order) -> TablePublic:
    """`by` is `overall`, `title`, or the number of a criterion. Ideas without a score come last."""
    names = {str(number): one.name for number, one in enumerate(table.criteria, start=1)}

    def value(row: TableRow) -> float | str | None:
        if by == "title":
            return row.title.casefold()
        return row.scores[names[by]] if by in names else row.overall

    known = [row for row in table.ideas if value(row) is not None]
    unknown = [row for row in table.ideas if value(row) is None]
    known.sort(key=lambda row: value(row) or 0, reverse=order == "descending")
    return table.model_copy(update={"ideas": [*known, *unknown]})


def _row(one: Candidate, criteria: Sequence[CriterionShape]) -> TableRow:
    evaluation = one.evaluation
    scores = {
        each.name: evaluation.scores.get(each.name) if evaluation else None for each in criteria
    }
    known = {name: score for name, score in scores.items() if score is not None}
    return TableRow(
        rank=None,
        idea_id=one.id,
        title=one.title,
        scores=scores,
        spread={name: evaluation.spread.get(name) if evaluation else None for name in scores},
        overall=weighted_mean(known, {each.name: each.weight for each in criteria})
        if len(known) == len(criteria)
        else None,
        uncalibrated=[name for name in known if evaluation and name in evaluation.uncalibrated],
        is_stale=evaluation is not None
        and (evaluation.is_stale or evaluation.words != words_of(criteria)),
        evaluated_at=evaluation.created_at if evaluation else None,
    )
