"""Records what happens on the boards: one row for each change, in the transaction that makes it.

Few writers have to think of it: the session is asked what it is about to store. Rows that are stored or
changed by statements are not recorded; `idea_rows` does it for new ideas, and nobody for what is deleted
for good.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, inspect
from sqlmodel import Session, SQLModel, col, delete, func, select

from service.actor import acting_person_id
from service.schemas.identity import now
from service.signals import PEOPLE
from service.store.database import Database
from service.store.tables import ApiKey, Board, Comparison, Idea, Rubric, Run
from service.store.team_tables import Activity, Membership, Person, WritingRound

ACTIVITY_LIFE = timedelta(days=30)
# The topic of `signals` for those who wait for news of whichever board.
EVERY_BOARD = "every board"
_RECORDED = "recorded_activity"
_RIGHTS = "changed_rights"
_INSERT = insert(SQLModel.metadata.tables["activity"])


class ActivityStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def after(self, board_id: str, number: int, *, limit: int = 500) -> list[Activity]:
        """Returns what happened on the board since that number, oldest first."""
        with self._database.read() as session:
            rows = session.exec(
                select(Activity)
                .where(Activity.board_id == board_id, col(Activity.number) > number)
                .order_by(col(Activity.number))
                .limit(limit)
            )
            return list(rows)

    def newest(self, board_id: str) -> int:
        """Returns the number of the last thing that happened on the board, 0 if nothing did."""
        with self._database.read() as session:
            newest = func.max(col(Activity.number))
            return session.scalar(select(newest).where(Activity.board_id == board_id)) or 0

    def kept(self) -> tuple[int, int]:
        """The numbers of the first and the last activity of all boards; zeros if there is none."""
        with self._database.read() as session:
            number = col(Activity.number)
            oldest, newest = session.exec(select(func.min(number), func.max(number))).one()
            return oldest or 0, newest or 0

    def purge_before(self, moment: datetime) -> int:
        with self._database.write() as session:
            return int(
                session.exec(delete(Activity).where(col(Activity.created_at) < moment)).rowcount
            )


def record_changes(session: Session) -> None:
    """Adds an activity for each row that the session is about to store."""
    _note_rights(session)
    found = [(row, one) for row in session.new for one in _created(row)]
    found += [
        (row, one) for row in session.dirty if session.is_modified(row) for one in _changed(row)
    ]
    found += [
        (row, ("comparison.deleted", row.board_id, row.id))
        for row in session.deleted
        if isinstance(row, Comparison)
    ]
    _add(session, {one: _is_nameless(session, row) for row, one in found})


def record(
    session: Session, kind: str, board_id: str, subject_id: str, *, is_nameless: bool = False
) -> None:
    """Adds an activity, once in a transaction; a nameless one does not tell whose it is."""
    _add(session, {(kind, board_id, subject_id): is_nameless})


def _add(session: Session, found: Mapping[tuple[str, str, str], bool]) -> None:
    """The values say whether the activity is nameless."""
    recorded = session.info.setdefault(_RECORDED, set())
    moment, person_id = now(), acting_person_id()
    values = [
        {
            "kind": kind,
            "board_id": board_id,
            "subject_id": subject_id,
            "person_id": None if is_nameless else person_id,
            "created_at": moment,
        }
        for (kind, board_id, subject_id), is_nameless in found.items()
        if (kind, board_id, subject_id) not in recorded
    ]
    recorded.update(found)
    if values:
        # In one statement: the session would ask for each number, and SQLite gives them one by one.
        session.connection().execute(_INSERT, values)


def changed_topics(session: Session) -> set[str]:
    """Who is to be woken by what a session has done: the topics of `Signals`."""
    boards = {board_id for _, board_id, _ in session.info.get(_RECORDED, ())}
    if boards:
        boards.add(EVERY_BOARD)
    return boards | {PEOPLE} if session.info.get(_RIGHTS) else boards


def _note_rights(session: Session) -> None:
    touched = (*session.new, *session.dirty, *session.deleted)
    if any(isinstance(row, Person | Membership | ApiKey) for row in touched):
        session.info[_RIGHTS] = True


Recorded = Iterator[tuple[str, str, str]]


def _created(row: object) -> Recorded:
    match row:
        case Idea():
            yield "idea.created", row.board_id, row.id
        case Board():
            yield "board.created", row.id, row.id
        case Comparison():
            yield "comparison.made", row.board_id, row.id
        case Rubric():
            yield "rubric.changed", row.board_id, row.id
        case WritingRound():
            yield "round.started", row.board_id, row.id
        case Run(board_id=str(board_id)):
            yield "run.started", board_id, row.id


def _changed(row: object) -> Recorded:
    match row:
        case Idea():
            yield from _idea_changes(row)
        case Board():
            verb = _trashed_or(row, "changed")
            yield f"board.{verb}", row.id, row.id
        case Rubric():
            yield "rubric.changed", row.board_id, row.id
        case WritingRound():
            verb = "ended" if _replaced(row, "ended_at") else "changed"
            yield f"round.{verb}", row.board_id, row.id
        case Run(board_id=str(board_id)) if row.finished_at is not None:
            kind = "run.ended" if _replaced(row, "finished_at") else "run.decided"
            yield kind, board_id, row.id


def _is_nameless(session: Session, row: object) -> bool:
    """Whether it is an idea of a writing round that does not show yet who wrote what."""
    if not isinstance(row, Idea) or row.round_id is None:
        return False
    written_in = session.get(WritingRound, row.round_id)
    return written_in is not None and written_in.named_at is None


def _idea_changes(idea: Idea) -> Recorded:
    for old_board in _replaced(idea, "board_id"):
        yield "idea.moved", old_board, idea.id
        yield "idea.moved", idea.board_id, idea.id
    yield f"idea.{_trashed_or(idea, 'changed')}", idea.board_id, idea.id


def _trashed_or(row: Idea | Board, verb: str) -> str:
    if not _replaced(row, "deleted_at"):
        return verb
    return "restored" if row.deleted_at is None else "deleted"


def _replaced(row: object, name: str) -> list[Any]:
    """The value that the session is about to replace, or nothing if it does not."""
    return list(inspect(row).attrs[name].history.deleted)
