"""Restores boards and ideas from the trash during an import."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from sqlmodel import Session, col, or_, select

from service.store.batches import Step, parts
from service.store.ideas import set_deleted, touch
from service.store.tables import Board, Idea


def deleted_boards(session: Session) -> set[str]:
    return set(session.exec(select(Board.id).where(col(Board.deleted_at).is_not(None))))


def deleted_ideas(session: Session) -> dict[str, str]:
    """Returns the board ids of deleted ideas, and of ideas on deleted boards, by idea id."""
    rows = session.exec(
        select(Idea.id, Idea.board_id)
        .join(Board, col(Board.id) == Idea.board_id)
        .where(or_(col(Idea.deleted_at).is_not(None), col(Board.deleted_at).is_not(None)))
    )
    return dict(rows.all())


def restoration_steps(board_ids: Sequence[str], ideas: Mapping[str, str]) -> Iterator[Step]:
    """Restores boards, then ideas; `ideas` maps their ids to board ids.

    An idea moves to that board if its own board is still deleted.
    """
    for part in parts(board_ids):
        yield partial(_restore_boards, board_ids=part)
    for part in parts(list(ideas)):
        yield partial(_restore_ideas, boards={idea_id: ideas[idea_id] for idea_id in part})


def _restore_boards(session: Session, board_ids: Sequence[str]) -> int:
    for board in session.exec(select(Board).where(col(Board.id).in_(board_ids))):
        board.deleted_at = None
        session.add(board)
    session.flush()
    return 0


def _restore_ideas(session: Session, boards: Mapping[str, str]) -> int:
    gone = deleted_boards(session)
    for idea in session.exec(select(Idea).where(col(Idea.id).in_(boards))):
        if idea.board_id in gone:
            idea.board_id = boards[idea.id]
            touch(session, idea)
        set_deleted(session, idea, deleted=False)
    session.flush()
    return len(boards)
