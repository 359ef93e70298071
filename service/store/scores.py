"""The score that an idea shows on its card and is sorted by: that of one rubric, the board's shown one.

Each board shows one of its own rubrics or, where it chose none, the default one. What other rubrics
say is in the evaluations and the table.
"""

from collections.abc import Collection

from sqlmodel import Session, col, select

from service.schemas.evaluation import DEFAULT_NAMES, weighted_mean
from service.store.tables import Evaluation, Idea, Rubric


def shown_rubric(session: Session, board_id: str) -> Rubric | None:
    """None is the default rubric."""
    return session.exec(
        select(Rubric).where(
            Rubric.board_id == board_id,
            col(Rubric.is_shown).is_(True),
            col(Rubric.deleted_at).is_(None),
        )
    ).first()


def counts_for(rubric: Rubric | None, evaluation: Evaluation) -> bool:
    """Whether the evaluation is by that rubric; one by criteria given by hand is by none."""
    if rubric is not None:
        return evaluation.rubric_id == rubric.id
    return evaluation.rubric_id is None and evaluation.scores.keys() == set(DEFAULT_NAMES)


def rescore(session: Session, board_id: str, idea_ids: Collection[str] | None = None) -> None:
    """Give ideas of the board that have evaluations the newest score by the shown rubric."""
    rubric = shown_rubric(session, board_id)
    statement = select(Idea, Evaluation).join(Evaluation, col(Evaluation.idea_id) == Idea.id)
    statement = statement.where(Idea.board_id == board_id)
    if idea_ids is not None:
        statement = statement.where(col(Idea.id).in_(idea_ids))
    oldest_first = statement.order_by(col(Evaluation.created_at), col(Evaluation.id))
    ideas: dict[str, Idea] = {}
    newest: dict[str, Evaluation] = {}
    for idea, evaluation in session.exec(oldest_first):
        ideas[idea.id] = idea
        if counts_for(rubric, evaluation):
            newest[idea.id] = evaluation
    for idea_id, idea in ideas.items():
        counted = newest.get(idea_id)
        idea.score = None if counted is None else _overall(rubric, counted)
        idea.scored_version = None if counted is None else counted.idea_version
        session.add(idea)


def _overall(rubric: Rubric | None, evaluation: Evaluation) -> float:
    """By the rubric's weights as they are now, if its criteria are still the same."""
    weights = {one["name"]: one["weight"] for one in rubric.criteria} if rubric else {}
    if weights.keys() != evaluation.scores.keys():
        return evaluation.overall
    return weighted_mean(evaluation.scores, weights)
