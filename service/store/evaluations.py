"""Stores evaluations of single ideas and of whole boards, and finds the ideas to evaluate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, func, select

from service.errors import NotFound
from service.messages import Text
from service.schemas.evaluation import CriterionShape, EvaluationPublic, RubricChoice
from service.schemas.identity import now
from service.store.cursors import Key, Order, Page, PageOf
from service.store.database import Database
from service.store.listing import IdeaQuery
from service.store.own_runs import OwnRuns
from service.store.scores import counts_for, shown_rubric
from service.store.tables import Evaluation, Idea

_NEWEST = Order(
    "evaluations",
    Key(col(Evaluation.created_at), datetime, descending=True),
    Key(col(Evaluation.id), str, descending=True),
)
Words = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class ScoredEvaluation:
    """What a table shows of an evaluation; `words` has the criteria's names and descriptions."""

    words: Words
    scores: dict[str, float]
    spread: dict[str, float | None]
    uncalibrated: list[str]
    is_stale: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Candidate:
    """An idea that may be evaluated, and its newest evaluation by the rubric that was asked for."""

    id: str
    title: str
    evaluation: ScoredEvaluation | None

    def is_evaluated(self, criteria: Sequence[CriterionShape]) -> bool:
        """Whether its current text was evaluated by these criteria in their current wording.

        Weights do not matter, because scores do not depend on them.
        """
        evaluation = self.evaluation
        return (
            evaluation is not None
            and not evaluation.is_stale
            and evaluation.words == words_of(criteria)
        )


def words_of(criteria: Sequence[CriterionShape]) -> Words:
    return frozenset((one.name, one.description) for one in criteria)


class EvaluationStore:
    def __init__(self, database: Database, own: OwnRuns) -> None:
        self._database = database
        self._own = own

    def of_idea(self, idea_id: str, *, limit: int | None = None) -> list[EvaluationPublic]:
        """Returns the idea's evaluations, newest first."""
        return self.page(idea_id, PageOf(limit)).items

    def page(self, idea_id: str, wanted: PageOf) -> Page[EvaluationPublic]:
        """Returns the idea's evaluations, newest first."""
        with self._database.read() as session:
            page = _NEWEST.page(session, _selected(Evaluation.idea_id == idea_id), wanted)
            return Page([_public(*row) for row in page.items], page.cursor)

    def add(
        self, run_id: str, idea_id: str, version: int, result: dict[str, Any]
    ) -> EvaluationPublic:
        """Stores the result that a run over a board has for one idea.

        Raises:
            NotFound: the idea, or the run, was deleted for good meanwhile.
            LeaseLost: another server has ended the run.
        """
        with self._database.write() as session:
            self._own.check(session, run_id)
            row_id = write_evaluation(session, run_id, idea_id, version, result)
            return _publics(session, Evaluation.id == row_id)[0]

    def candidates(self, query: IdeaQuery, rubric: RubricChoice, *, limit: int) -> list[Candidate]:
        """Returns the ideas that the query finds, newest first, at most `limit`."""
        columns = (col(Idea.id), col(Idea.title), col(Idea.version))
        with self._database.read() as session:
            statement = query.selected(*columns).order_by(col(Idea.number).desc()).limit(limit)
            rows = session.exec(statement).all()
            versions = {idea_id: version for idea_id, _, version in rows}
            newest = _newest(session, versions, rubric)
            return [Candidate(idea_id, title, newest.get(idea_id)) for idea_id, title, _ in rows]


def write_evaluation(
    session: Session, run_id: str, idea_id: str, version: int, result: dict[str, Any]
) -> str:
    """Stores an evaluation and returns its id.

    Raises:
        NotFound: the idea was deleted for good.
    """
    idea = session.exec(select(Idea).where(Idea.id == idea_id)).first()
    if idea is None:
        raise NotFound(Text("The idea %(idea_id)s does not exist or was deleted.", idea_id=idea_id))
    fields = {name: value for name, value in result.items() if name != "scoring"}
    row = Evaluation(
        run_id=run_id,
        idea_id=idea_id,
        idea_version=version,
        created_at=_later_than_all(session, idea_id),
        **fields,
        **result["scoring"],
    )
    session.add(row)
    session.flush()
    if counts_for(shown_rubric(session, idea.board_id), row):
        idea.score, idea.scored_version = row.overall, version
        session.add(idea)
    return row.id


def _later_than_all(session: Session, idea_id: str) -> datetime:
    """Now, or just after the idea's newest evaluation if the clock was set back since."""
    moments = select(func.max(col(Evaluation.created_at))).where(Evaluation.idea_id == idea_id)
    newest: datetime | None = session.exec(moments).one()
    return now() if newest is None else max(now(), newest + timedelta(microseconds=1))


def of_run(session: Session, run_id: str) -> list[EvaluationPublic]:
    """Returns the evaluations of a run in the order in which they were made."""
    return _publics(session, Evaluation.run_id == run_id)


def _newest(
    session: Session, versions: Mapping[str, int], rubric: RubricChoice
) -> dict[str, ScoredEvaluation]:
    same_rubric = (
        col(Evaluation.rubric_id).is_(None)
        if rubric.id is None
        else col(Evaluation.rubric_id) == rubric.id
    )
    rows = session.exec(
        select(Evaluation)
        .where(col(Evaluation.idea_id).in_(versions), same_rubric)
        .order_by(col(Evaluation.created_at), col(Evaluation.id))
    )
    names = {one.name for one in rubric.criteria}
    return {
        row.idea_id: ScoredEvaluation(
            words=frozenset((one["name"], one["description"]) for one in row.criteria),
            scores=row.scores,
            spread=row.spread,
            uncalibrated=row.uncalibrated,
            is_stale=row.idea_version != versions[row.idea_id],
            created_at=row.created_at,
        )
        for row in rows
        # An evaluation with criteria of its own has no rubric id either.
        if rubric.id is not None or names == row.scores.keys()
    }


def _publics(session: Session, *conditions: Any) -> list[EvaluationPublic]:
    """Returns evaluations, oldest first."""
    oldest_first = _selected(*conditions).order_by(col(Evaluation.created_at), col(Evaluation.id))
    return [_public(*row) for row in session.exec(oldest_first)]


def _selected(*conditions: Any) -> Any:
    """Selects evaluations, each with the present version of its idea."""
    return (
        select(Evaluation, Idea.version)
        .join(Idea, col(Idea.id) == Evaluation.idea_id)
        .where(*conditions)
    )


def _public(row: Evaluation, version: int) -> EvaluationPublic:
    return EvaluationPublic(**row.model_dump(), is_stale=row.idea_version != version)
