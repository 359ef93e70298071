"""Deletes ideas, runs and boards for good, within a caller's transaction.

What belongs to an idea goes with it. What others made of it stays and points to nothing instead:
ideas that branched from it remember only its id, so that their lineage can show the gap.
"""

from collections.abc import Collection, Sequence

from sqlalchemy import null, true
from sqlmodel import Session, col, delete, func, or_, select, update

from service.store.search import forget
from service.store.tables import (
    Board,
    Comparison,
    Evaluation,
    Idea,
    IdeaTag,
    IdeaVersion,
    Rubric,
    Run,
    Suggestion,
)


def purge_ideas(session: Session, ideas: Sequence[tuple[str, int]]) -> None:
    """`ideas` are ids and numbers."""
    ids, numbers = [one[0] for one in ideas], [one[1] for one in ideas]
    _forget_texts(session, ids)
    own_runs = select(Run.id).where(col(Run.idea_id).in_(ids))
    compared = or_(col(Comparison.first_id).in_(ids), col(Comparison.second_id).in_(ids))
    session.exec(delete(Comparison).where(compared))
    session.exec(delete(Evaluation).where(col(Evaluation.idea_id).in_(ids)))
    for link in (col(Suggestion.idea_id), col(Suggestion.similar_to)):
        session.exec(update(Suggestion).where(link.in_(ids)).values({link: None}))
    session.exec(delete(IdeaVersion).where(col(IdeaVersion.idea_id).in_(ids)))
    purge_runs(session, session.exec(own_runs).all())
    session.exec(
        update(Idea)
        .where(col(Idea.parent_id).in_(ids))
        .values(lost_parent_id=Idea.parent_id, parent_id=None)
    )
    session.exec(delete(IdeaTag).where(col(IdeaTag.idea_number).in_(numbers)))
    session.exec(delete(Idea).where(col(Idea.number).in_(numbers)))
    forget(session, numbers)


def find_lost_parents(session: Session) -> None:
    """Ideas hang on their parents again that came in once more after they were deleted for good."""
    is_back = col(Idea.lost_parent_id).in_(select(col(Idea.id)))
    session.exec(
        update(Idea)
        .where(col(Idea.lost_parent_id).is_not(None), is_back)
        .values(parent_id=Idea.lost_parent_id, lost_parent_id=None)
    )


def purge_runs(session: Session, run_ids: Collection[str], *, with_board: bool = False) -> None:
    """A run from which something came that is still there stays, without its idea and the texts
    that the model was given; with its board, also without that.
    """
    kept = _sources(session, run_ids)
    values = {"idea_id": None, "prompts": null()} | ({"board_id": None} if with_board else {})
    session.exec(update(Run).where(col(Run.id).in_(kept)).values(**values))
    gone = set(run_ids) - kept
    session.exec(delete(Suggestion).where(col(Suggestion.run_id).in_(gone)))
    redrawn = col(Suggestion.redrawn_in).in_(gone)
    session.exec(update(Suggestion).where(redrawn).values(redrawn_in=None))
    session.exec(delete(Run).where(col(Run.id).in_(gone)))


def purge_board(session: Session, board_id: str) -> None:
    """When its ideas and runs are gone."""
    rubrics = select(Rubric.id).where(Rubric.board_id == board_id)
    by_them = col(Evaluation.rubric_id).in_(rubrics)
    session.exec(update(Evaluation).where(by_them).values(rubric_id=None))
    session.exec(delete(Comparison).where(col(Comparison.board_id) == board_id))
    session.exec(delete(Rubric).where(col(Rubric.board_id) == board_id))
    session.exec(delete(Board).where(col(Board.id) == board_id))


def _sources(session: Session, run_ids: Collection[str]) -> set[str]:
    """The runs from which a version, an evaluation, a comparison or an idea came."""
    kept: set[str] = set()
    for came, conditions in (
        (col(IdeaVersion.run_id), ()),
        (col(Evaluation.run_id), ()),
        (col(Comparison.run_id), ()),
        (col(Suggestion.run_id), (col(Suggestion.idea_id).is_not(None),)),
    ):
        rows = session.exec(select(came).where(came.in_(run_ids), *conditions).distinct())
        kept.update(run_id for run_id in rows if run_id is not None)
    return kept


def _forget_texts(session: Session, idea_ids: Sequence[str]) -> None:
    """Runs over several ideas keep what came of them, but not the texts of these ideas."""
    compared = or_(col(Comparison.first_id).in_(idea_ids), col(Comparison.second_id).in_(idea_ids))
    sources = func.json_each(Run.request, "$.idea_ids").table_valued("value")
    asked_for = select(Run.id).join(sources, true()).where(sources.c.value.in_(idea_ids))
    for ids in (select(Comparison.run_id).where(compared), asked_for):
        session.exec(update(Run).where(col(Run.id).in_(ids)).values(prompts=null()))
    over_boards = select(Run).where(Run.kind == "evaluate-all", col(Run.id).in_(asked_for))
    for run in session.exec(over_boards):
        if run.result and "failed" in run.result:
            failed = [one for one in run.result["failed"] if one["idea_id"] not in idea_ids]
            run.result = run.result | {"failed": failed}
            session.add(run)
