"""Evaluations of ideas: those of single runs, of runs over a board, and what is to be evaluated."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, col, select, update

from service.database import Database
from service.evaluation_shapes import CriterionShape, EvaluationPublic, RubricChoice
from service.models import Evaluation, Idea
from service.store.listing import IdeaQuery


@dataclass(frozen=True, slots=True)
class Candidate:
    """An idea that may be evaluated, and its newest evaluation by the rubric that was asked for."""

    id: str
    title: str
    evaluation: EvaluationPublic | None

    def is_judged(self, criteria: Sequence[CriterionShape]) -> bool:
        """Whether its text as it is was judged by these criteria as they are worded."""
        judged = self.evaluation
        return judged is not None and not judged.is_stale and same_words(judged.criteria, criteria)


def same_words(one: Sequence[CriterionShape], other: Sequence[CriterionShape]) -> bool:
    """Weights do not count: another weight needs no other score."""
    return {(each.name, each.description) for each in one} == {
        (each.name, each.description) for each in other
    }


class EvaluationStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def of_idea(self, idea_id: str) -> list[EvaluationPublic]:
        """Newest first."""
        with self._database.read() as session:
            return _publics(session, Evaluation.idea_id == idea_id)[::-1]

    def add(
        self, run_id: str, idea_id: str, version: int, result: dict[str, Any]
    ) -> EvaluationPublic:
        """What a run over a board says of one of its ideas."""
        with self._database.write() as session:
            row_id = write_evaluation(session, run_id, idea_id, version, result)
            return _publics(session, Evaluation.id == row_id)[0]

    def candidates(self, query: IdeaQuery, rubric: RubricChoice, *, limit: int) -> list[Candidate]:
        """The ideas that the query finds, at most `limit`, newest first."""
        with self._database.read() as session:
            ideas = query.selected(Idea).order_by(col(Idea.number).desc()).limit(limit)
            rows = session.exec(ideas).all()
            newest = _newest(session, [row.id for row in rows], rubric)
            return [Candidate(row.id, row.title, newest.get(row.id)) for row in rows]


def write_evaluation(
    session: Session, run_id: str, idea_id: str, version: int, result: dict[str, Any]
) -> str:
    """Returns its id."""
    fields = {name: value for name, value in result.items() if name != "scoring"}
    row = Evaluation(
        run_id=run_id, idea_id=idea_id, idea_version=version, **fields, **result["scoring"]
    )
    session.add(row)
    session.flush()
    session.exec(
        update(Idea)
        .where(col(Idea.id) == idea_id)
        .values(score=result["overall"], scored_version=version)
    )
    return row.id


def of_run(session: Session, run_id: str) -> list[EvaluationPublic]:
    """In the order in which they were made."""
    return _publics(session, Evaluation.run_id == run_id)


def _newest(
    session: Session, idea_ids: Sequence[str], rubric: RubricChoice
) -> dict[str, EvaluationPublic]:
    same_rubric = (
        col(Evaluation.rubric_id).is_(None)
        if rubric.id is None
        else col(Evaluation.rubric_id) == rubric.id
    )
    found = _publics(session, col(Evaluation.idea_id).in_(idea_ids), same_rubric)
    names = {one.name for one in rubric.criteria}
    # Criteria that were given by hand have no rubric either.
    return {
        one.idea_id: one for one in found if rubric.id is not None or names == one.scores.keys()
    }


def _publics(session: Session, *conditions: Any) -> list[EvaluationPublic]:
    """Oldest first."""
    rows = session.exec(
        select(Evaluation, Idea.version)
        .join(Idea, col(Idea.id) == Evaluation.idea_id)
        .where(*conditions)
        .order_by(col(Evaluation.created_at), col(Evaluation.id))
    )
    return [
        EvaluationPublic(**row.model_dump(), is_stale=row.idea_version != version)
        for row, version in rows
    ]
