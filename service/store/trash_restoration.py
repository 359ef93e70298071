"""Restores boards and ideas from the trash during an import, within its transaction."""

from collections.abc import Iterator, Mapping, Sequence

from sqlmodel import Session, col, or_, select

from service.store.ideas import set_deleted, touch
from service.store.tables import Board, Idea

# SQLite limits the number of values in one statement.
BATCH = 500


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


def restore_boards(session: Session, board_ids: Sequence[str]) -> None:
    for part in _parts(board_ids):
        for board in session.exec(select(Board).where(col(Board.id).in_(part))):
            board.deleted_at = None
            session.add(board)
    session.flush()


def restore_ideas(session: Session, boards: Mapping[str, str]) -> None:
    """Restores ideas; `boards` maps idea ids to board ids.

    An idea moves to that board if its own board is still deleted.
    """
    gone = deleted_boards(session)
    for part in _parts(list(boards)):
        for idea in session.exec(select(Idea).where(col(Idea.id).in_(part))):
            if idea.board_id in gone:
                idea.board_id = boards[idea.id]
                touch(session, idea)
            set_deleted(session, idea, deleted=False)
    session.flush()


def _parts(values: Sequence[str]) -> Iterator[Sequence[str]]:
    return (values[start : start + BATCH] for start in range(0, len(values), BATCH))
