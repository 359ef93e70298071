"""The trash: deleted ideas and boards, which can be restored until they are deleted for good."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, and_, col, exists, func, or_, select, update

from service.errors import Conflict, NotFound
from service.messages import Text
from service.schemas.fields import UNFINISHED
from service.schemas.identity import now
from service.store.database import Database
from service.store.hidden_ideas import ALL_OF_THEM, OWN_TOO
from service.store.ideas import check_revision, found, live_board_id
from service.store.public_ideas import number_of
from service.store.purging import purge_board, purge_ideas, purge_runs
from service.store.tables import Board, Idea, Run

# The most ideas that one transaction deletes, because other writers wait for it.
BATCH = 100
# The pause between two transactions, so that other writers get a turn.
PAUSE_S = 0.01
# An unfinished run still needs its idea to store the result.
_IS_IN_USE = and_(Run.idea_id == Idea.id, col(Run.status).in_(UNFINISHED))


@dataclass(frozen=True, slots=True)
class Emptied:
    """How many ideas were deleted for good, and how many were kept because a model works on them."""

    ideas: int
    in_use: int


@dataclass(frozen=True, slots=True)
class Purged:
    """What one step deleted for good; `is_last` says that nothing is left to delete."""

    ideas: int = 0
    boards: int = 0
    is_last: bool = False


class TrashStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def count(self, board_id: str) -> int:
        """Counts the ideas in the board's trash."""
        with self._database.read() as session:
            live_board_id(session, board_id)
            deleted = select(func.count()).where(*_in_trash(board_id))
            return session.exec(deleted.execution_options(**OWN_TOO)).one()

    def purge_idea(self, idea_id: str, *, revision: int | None = None) -> None:
        """Deletes an idea in the trash for good.

        Raises:
            Conflict: it is not in the trash, or a model works on it.
        """
        with self._database.write() as session:
            idea = found(session, idea_id, deleted=True)
            check_revision(idea, revision)
            if idea.deleted_at is None:
                raise Conflict(Text("This idea is not in the trash. Delete it first."))
            if (
                session.exec(select(Run.id).where(_IS_IN_USE, Idea.id == idea_id)).first()
                is not None
            ):
                raise Conflict(Text("The model is working on this idea. Stop it first, or wait."))
            purge_ideas(session, [(idea.id, number_of(idea))])

    def purge_ideas(self, board_id: str, idea_ids: list[str]) -> Emptied:
        """Deletes those of the ideas for good that are in the board's trash."""
        return self._purge_all(board_id, *_in_trash(board_id), col(Idea.id).in_(idea_ids))

    def empty(self, board_id: str, *, until: datetime | None = None) -> Emptied:
        """Deletes for good what was in the board's trash at the time `until`; the default is now."""
        before = col(Idea.deleted_at) <= (until or now())
        return self._purge_all(board_id, *_in_trash(board_id), before)

    def _purge_all(self, board_id: str, *conditions: Any) -> Emptied:
        count = 0
        while True:
            with self._database.write() as session:
                live_board_id(session, board_id)
                purged = _purge_batch(session, *conditions, hidden=OWN_TOO)
                count += purged
                if purged < BATCH:
                    # Only ideas in use are left.
                    left = session.exec(select(func.count()).where(*conditions)).one()
                    return Emptied(count, left)
            time.sleep(PAUSE_S)

    def purge_board(self, board_id: str) -> None:
        """Deletes a board in the trash for good, with everything on it.

        Raises:
            NotFound: the board does not exist.
            Conflict: it was not deleted, or a model works on it.
        """
        is_last = False
        while not is_last:
            with self._database.write() as session:
                board = session.get(Board, board_id)
                if board is None:
                    raise NotFound(Text("There is no board %(board_id)s.", board_id=board_id))
                if board.deleted_at is None:
                    raise Conflict(Text("This board is not in the trash. Delete it first."))
                if session.exec(_idle_boards(Board.id == board_id)).first() is None:
                    raise Conflict(
                        Text("The model is working on this board. Stop it first, or wait.")
                    )
                is_last = _purge_from_board(session, board_id).boards == 1
            time.sleep(PAUSE_S)

    def purge_expired(self, before: datetime) -> Purged:
        """Deletes for good one batch of what was deleted before then."""
        with self._database.write() as session:
            ideas = _purge_batch(session, col(Idea.deleted_at) < before)
            if ideas:
                return Purged(ideas)
            board_id = session.exec(_idle_boards(col(Board.deleted_at) < before)).first()
            if board_id is None:
                return Purged(is_last=True)
            return _purge_from_board(session, board_id)


def _in_trash(board_id: str) -> tuple[Any, ...]:
    return (Idea.board_id == board_id, col(Idea.deleted_at).is_not(None))


def _purge_batch(
    session: Session, *conditions: Any, hidden: Mapping[str, Any] = ALL_OF_THEM
) -> int:
    is_free = ~exists().where(_IS_IN_USE)
    rows = session.exec(
        select(Idea.id, col(Idea.number))
        .where(*conditions, is_free)
        .limit(BATCH)
        .execution_options(**hidden)
    ).all()
    if rows:
        purge_ideas(session, [(idea_id, number or 0) for idea_id, number in rows])
    return len(rows)


def _idle_boards(*conditions: Any) -> Any:
    """Selects the ids of boards on which no model works, first deleted first."""
    is_busy = and_(
        col(Run.status).in_(UNFINISHED),
        or_(
            Run.board_id == Board.id,
            col(Run.idea_id).in_(select(Idea.id).where(Idea.board_id == Board.id)),
        ),
    )
    return (
        select(Board.id)
        .where(*conditions, ~exists().where(is_busy))
        .order_by(col(Board.deleted_at))
        .limit(1)
    )


def _purge_from_board(session: Session, board_id: str) -> Purged:
    """Deletes one batch of what is on the board, or the board itself if nothing is left."""
    ideas = _purge_batch(session, Idea.board_id == board_id)
    if ideas:
        return Purged(ideas)
    # Runs about an idea that was moved to another board go with that idea.
    moved = and_(Run.board_id == board_id, col(Run.idea_id).is_not(None))
    session.exec(update(Run).where(moved).values(board_id=None))
    runs = session.exec(select(Run.id).where(Run.board_id == board_id).limit(BATCH)).all()
    if runs:
        purge_runs(session, runs, with_board=True)
        return Purged()
    purge_board(session, board_id)
    return Purged(boards=1)
