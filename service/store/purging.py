"""Deletes ideas, runs and boards for good, within the caller's transaction.

Rows that belong to an idea are deleted with it. Other rows that refer to it are kept, and the
reference becomes null. Ideas that branched from it keep its id, so that their lineage shows the gap.
"""

from collections.abc import Collection, Sequence

from sqlalchemy import null
from sqlmodel import Session, col, delete, or_, select, update

from service.schemas.run_kinds import KINDS_OF_SEVERAL_IDEAS
from service.store.attachments import purge_files_of
from service.store.deliveries import forget_deliveries
from service.store.dialects.expressions import has_item
from service.store.keyed_answers import forget_answers
from service.store.run_events import forget_events
from service.store.search import remove_rows
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
from service.store.team_tables import (
    Activity,
    Comment,
    IdeaLike,
    Membership,
    SharedLink,
    WritingRound,
)
from service.store.webhooks import remove_webhooks_of


def purge_ideas(session: Session, ideas: Sequence[tuple[str, int]]) -> None:
    """Deletes ideas for good; `ideas` has pairs of id and number."""
    ids, numbers = [one[0] for one in ideas], [one[1] for one in ideas]
    _forget_texts(session, ids)
    forget_answers(session, ids)
    forget_deliveries(session, ids)
    forget_events(session)
    own_runs = select(Run.id).where(col(Run.idea_id).in_(ids))
    compared = or_(col(Comparison.first_id).in_(ids), col(Comparison.second_id).in_(ids))
    session.exec(delete(Comparison).where(compared))
    session.exec(delete(Evaluation).where(col(Evaluation.idea_id).in_(ids)))
    for link in (
        col(Suggestion.idea_id),
        col(Suggestion.similar_to),
        col(Suggestion.copied_from),
    ):
        session.exec(update(Suggestion).where(link.in_(ids)).values({link: None}))
    session.exec(delete(IdeaLike).where(col(IdeaLike.idea_id).in_(ids)))
    session.exec(delete(Comment).where(col(Comment.idea_id).in_(ids)))
    purge_files_of(session, ids)
    session.exec(delete(IdeaVersion).where(col(IdeaVersion.idea_id).in_(ids)))
    purge_runs(session, session.exec(own_runs).all())
    session.exec(
        update(Idea)
        .where(col(Idea.parent_id).in_(ids))
        .values(lost_parent_id=Idea.parent_id, parent_id=None)
    )
    session.exec(delete(IdeaTag).where(col(IdeaTag.idea_number).in_(numbers)))
    session.exec(delete(Idea).where(col(Idea.number).in_(numbers)))
    remove_rows(session, numbers)


def purge_runs(session: Session, run_ids: Collection[str], *, with_board: bool = False) -> None:
    """Deletes runs for good, except those whose results still exist.

    A kept run loses its idea and the texts that the model read; `with_board` removes its board too.
    """
    kept = _runs_with_results(session, run_ids)
    forget_deliveries(session, list(run_ids))
    values = {"idea_id": None, "prompts": null()} | ({"board_id": None} if with_board else {})
    session.exec(update(Run).where(col(Run.id).in_(kept)).values(**values))
    gone = set(run_ids) - kept
    session.exec(delete(Suggestion).where(col(Suggestion.run_id).in_(gone)))
    redrawn = col(Suggestion.redrawn_in).in_(gone)
    session.exec(update(Suggestion).where(redrawn).values(redrawn_in=None))
    session.exec(delete(Run).where(col(Run.id).in_(gone)))


def purge_board(session: Session, board_id: str) -> None:
    """Deletes a board for good. Its ideas and runs must be deleted already."""
    forget_answers(session, [board_id])
    forget_events(session)
    rubrics = select(Rubric.id).where(Rubric.board_id == board_id)
    rounds = select(WritingRound.id).where(WritingRound.board_id == board_id)
    # Ideas that were moved to another board.
    of_rounds = col(Idea.round_id).in_(rounds)
    by_them = col(Evaluation.rubric_id).in_(rubrics)
    session.exec(update(Evaluation).where(by_them).values(rubric_id=None))
    session.exec(delete(Comparison).where(col(Comparison.board_id) == board_id))
    session.exec(delete(Rubric).where(col(Rubric.board_id) == board_id))
    session.exec(delete(Activity).where(col(Activity.board_id) == board_id))
    session.exec(update(Idea).where(of_rounds).values(round_id=None))
    session.exec(delete(WritingRound).where(col(WritingRound.board_id) == board_id))
    session.exec(delete(Membership).where(col(Membership.board_id) == board_id))
    session.exec(delete(SharedLink).where(col(SharedLink.board_id) == board_id))
    remove_webhooks_of(session, board_id)
    session.exec(delete(Board).where(col(Board.id) == board_id))


def _runs_with_results(session: Session, run_ids: Collection[str]) -> set[str]:
    """Returns the runs that a version, an evaluation, a comparison or an idea comes from."""
    kept: set[str] = set()
    for run_id_column, conditions in (
        (col(IdeaVersion.run_id), ()),
        (col(Evaluation.run_id), ()),
        (col(Comparison.run_id), ()),
        (col(Suggestion.run_id), (col(Suggestion.idea_id).is_not(None),)),
    ):
        rows = session.exec(
            select(run_id_column).where(run_id_column.in_(run_ids), *conditions).distinct()
        )
        kept.update(run_id for run_id in rows if run_id is not None)
    return kept


def _forget_texts(session: Session, idea_ids: Sequence[str]) -> None:
    """Removes the texts of these ideas from runs over several ideas, whose results are kept."""
    compared = or_(col(Comparison.first_id).in_(idea_ids), col(Comparison.second_id).in_(idea_ids))
    asked_for = session.exec(
        select(Run.id).where(
            col(Run.kind).in_(KINDS_OF_SEVERAL_IDEAS),
            has_item(col(Run.request), "idea_ids", idea_ids),
        )
    ).all()
    ranked = session.exec(select(Comparison.run_id).where(compared).distinct()).all()
    read = col(Run.id).in_({*asked_for, *ranked})
    session.exec(update(Run).where(read).values(prompts=null()))
    over_boards = select(Run).where(Run.kind == "evaluate-all", col(Run.id).in_(asked_for))
    for run in session.exec(over_boards):
        if run.result and "failed" in run.result:
            failed = [one for one in run.result["failed"] if one["idea_id"] not in idea_ids]
            run.result = run.result | {"failed": failed}
            session.add(run)
