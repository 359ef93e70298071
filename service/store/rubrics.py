"""Creates, changes, deletes and restores the rubrics of boards."""

from typing import Any

from sqlmodel import Session, col, select

from service.errors import Conflict, LostUpdate, NotFound
from service.messages import Text
from service.schemas.evaluation import RubricCreate, RubricPublic, RubricUpdate
from service.schemas.identity import now
from service.store.cursors import Page, PageOf, listed
from service.store.database import Database
from service.store.ideas import live_board_id
from service.store.limits import Limits
from service.store.scores import rescore, shown_rubric
from service.store.tables import Board, Rubric


class RubricStore:
    def __init__(self, database: Database, limits: Limits) -> None:
        self._database = database
        self._limits = limits

    def all(self, board_id: str) -> list[RubricPublic]:
        """Returns the board's rubrics, sorted by name."""
        with self._database.read() as session:
            live_board_id(session, board_id)
            rows = session.exec(_of_board(board_id))
            return sorted((_public(row) for row in rows), key=lambda one: one.name.casefold())

    def page(self, board_id: str, wanted: PageOf) -> Page[RubricPublic]:
        """Returns the board's rubrics, sorted by name.

        Raises:
            InvalidInput: the cursor belongs to another list.
        """
        # SQLite does not know the order of names in all languages, and a board has few rubrics.
        return listed("rubrics", self.all(board_id), lambda one: one.name.casefold(), wanted)

    def get(self, rubric_id: str, *, board_id: str | None = None) -> RubricPublic:
        with self._database.read() as session:
            return _public(_found(session, rubric_id, board_id))

    def name(self, rubric_id: str) -> str:
        """Returns the name of a rubric, deleted or not."""
        with self._database.read() as session:
            return _found(session, rubric_id, None, deleted=True).name

    def shown(self, board_id: str) -> RubricPublic | None:
        """The one whose scores the board's cards show; None is the default one."""
        with self._database.read() as session:
            row = shown_rubric(session, board_id)
            return None if row is None else _public(row)

    def show(self, board_id: str, rubric_id: str | None) -> None:
        """Let the board's cards show the scores by this rubric; None is the default one."""
        with self._database.write() as session:
            live_board_id(session, board_id)
            row = None if rubric_id is None else _found(session, rubric_id, board_id)
            _show(session, board_id, row)

    def create(self, board_id: str, shape: RubricCreate) -> RubricPublic:
        self._limits.check(name=shape.name)
        with self._database.write() as session:
            live_board_id(session, board_id)
            row = Rubric(board_id=board_id, **shape.model_dump())
            _check_name(session, row)
            session.add(row)
            return _public(row)

    def update(
        self, board_id: str, rubric_id: str, shape: RubricUpdate, *, revision: int | None = None
    ) -> RubricPublic:
        """Changes a rubric. Earlier evaluations keep the criteria that they were made with.

        Raises:
            LostUpdate: `revision` is given, but the rubric has another one now.
            Conflict: another rubric of the board has that name.
        """
        self._limits.check(name=shape.name)
        with self._database.write() as session:
            row = _found(session, rubric_id, board_id)
            _check_revision(row, revision)
            for name, value in shape.model_dump(exclude_none=True, exclude={"is_shown"}).items():
                setattr(row, name, value)
            _check_name(session, row)
            _touched(session, row)
            if shape.is_shown is not None and shape.is_shown != row.is_shown:
                _show(session, board_id, row if shape.is_shown else None)
            elif row.is_shown:
                rescore(session, board_id)
            return _public(row)

    def delete(self, board_id: str, rubric_id: str, *, revision: int | None = None) -> RubricPublic:
        """Hides the rubric until `restore`; its evaluations are kept."""
        with self._database.write() as session:
            row = _found(session, rubric_id, board_id)
            _check_revision(row, revision)
            row.deleted_at = now()
            _touched(session, row)
            if row.is_shown:
                rescore(session, board_id)
            return _public(row)

    def restore(self, rubric_id: str, *, board_id: str | None = None) -> RubricPublic:
        """Restores a deleted rubric.

        Raises:
            Conflict: another rubric of the board has its name now.
        """
        with self._database.write() as session:
            row = _found(session, rubric_id, board_id, deleted=True)
            if row.deleted_at is None:
                return _public(row)
            row.deleted_at = None
            _check_name(session, row)
            if row.is_shown:
                # Unless another one was chosen meanwhile, cards show its scores again.
                row.is_shown = shown_rubric(session, row.board_id) in (None, row)
            _touched(session, row)
            if row.is_shown:
                rescore(session, row.board_id)
            return _public(row)


def _show(session: Session, board_id: str, row: Rubric | None) -> None:
    for other in session.exec(_of_board(board_id)).all():
        if other.is_shown != (other is row):
            other.is_shown = other is row
            _touched(session, other)
    rescore(session, board_id)


def _of_board(board_id: str) -> Any:
    return select(Rubric).where(Rubric.board_id == board_id, col(Rubric.deleted_at).is_(None))


def _check_name(session: Session, row: Rubric) -> None:
    with session.no_autoflush:
        others = [one for one in session.exec(_of_board(row.board_id)) if one.id != row.id]
    if any(one.name.casefold() == row.name.casefold() for one in others):
        raise Conflict(
            Text(
                "This board already has a rubric named “%(name)s”. Choose another name.",
                name=row.name,
            ),
            pointer="/name",
        )


def _check_revision(row: Rubric, revision: int | None) -> None:
    if revision is not None and revision != row.revision:
        raise LostUpdate(
            Text(
                "Somebody changed this rubric since you read it. Read it again, then repeat your "
                "change."
            ),
            current_version=row.revision,
        )


def _found(
    session: Session, rubric_id: str, board_id: str | None, *, deleted: bool = False
) -> Rubric:
    row = session.get(Rubric, rubric_id)
    board = None if row is None else session.get(Board, row.board_id)
    if row is None or board is None or board.deleted_at is not None:
        raise NotFound(Text("There is no rubric %(rubric_id)s.", rubric_id=rubric_id))
    if (row.deleted_at is not None and not deleted) or board_id not in (None, row.board_id):
        raise NotFound(Text("There is no rubric %(rubric_id)s on this board.", rubric_id=rubric_id))
    return row


def _touched(session: Session, row: Rubric) -> None:
    row.revision += 1
    row.updated_at = now()
    session.add(row)


def _public(row: Rubric) -> RubricPublic:
    return RubricPublic.model_validate(row, from_attributes=True)
