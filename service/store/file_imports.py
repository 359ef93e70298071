"""Records how far an import is, so that whoever asks any server on the database sees it and can stop it."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, delete

from service.actor import ACTOR, Role, acting_person_id
from service.errors import NotFound, record
from service.messages import Text
from service.schemas.identity import now
from service.schemas.imports import Imported, ImportFailure, ImportPublic, ImportStatus
from service.store.batches import Watch
from service.store.database import Database
from service.store.import_tables import FileImport

IMPORT_LIFE = timedelta(days=1)


class FileImportStore:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._locks = database.locks

    def begin(self, import_id: str) -> bool:
        """Returns whether the import may be carried out here: False if that is being done already.

        It must be ended. If this process ends before, it counts as interrupted.

        Raises: StorageUnavailable
        """
        if not self._locks.take(_lock_of(import_id)):
            return False
        try:
            with self._database.write() as session:
                # An import that was stopped is begun again under its id.
                session.merge(FileImport(id=import_id))
        except BaseException:
            self._locks.release(_lock_of(import_id))
            raise
        return True

    def watch(self, import_id: str, is_closing: Callable[[], bool]) -> Watch:
        """Records the progress in the transactions of the import. It is stopped if somebody asked for
        that, or if `is_closing`.
        """
        return _Recorded(self._database, import_id, is_closing)

    def end(self, import_id: str, result: Imported | None, error: dict[str, Any] | None) -> None:
        """With neither a result nor an error, it was stopped."""
        try:
            with self._database.write() as session:
                row = _row(session, import_id)
                row.ended_at = now()
                if error is not None:
                    row.error = record(error)
                if result is not None:
                    row.result = result.model_dump(mode="json", exclude={"ideas"})
                    changed = (one.id for one in result.ideas if one.action != "skip")
                    row.first_idea_id = next(changed, None)
                session.add(row)
        finally:
            self._locks.release(_lock_of(import_id))

    def get(self, import_id: str) -> ImportPublic:
        """Raises: NotFound, also for an import of somebody else."""
        row = self._read(import_id)
        is_left = row.ended_at is None and self._is_left(import_id)
        if is_left:
            # It may as well have ended since it was read.
            row = self._read(import_id)
        return ImportPublic(
            id=row.id,
            status=_status(row, is_left=is_left),
            total=row.total,
            written=row.written,
            result=None if row.result is None else Imported(**row.result),
            first_idea_id=row.first_idea_id,
            error=None if row.error is None else ImportFailure(**row.error),
        )

    def request_stop(self, import_id: str) -> None:
        """The import stops after the transaction that it is in. One that has ended stays as it is.

        Raises: NotFound
        """
        with self._database.write() as session:
            row = _own(session, import_id)
            if row.ended_at is None:
                row.stop_requested_at = row.stop_requested_at or now()
                session.add(row)

    def purge_before(self, moment: datetime) -> int:
        with self._database.write() as session:
            old = col(FileImport.started_at) < moment
            return int(session.exec(delete(FileImport).where(old)).rowcount)

    def _read(self, import_id: str) -> FileImport:
        with self._database.read() as session:
            return _own(session, import_id)

    def _is_left(self, import_id: str) -> bool:
        """Whether nobody carries it out: a process that ends gives its locks back."""
        if not self._locks.take(_lock_of(import_id)):
            return False
        self._locks.release(_lock_of(import_id))
        return True


class _Recorded:
    def __init__(self, database: Database, import_id: str, is_closing: Callable[[], bool]) -> None:
        self._database = database
        self._id = import_id
        self._is_closing = is_closing

    def begin(self, total: int) -> None:
        with self._database.write() as session:
            row = _row(session, self._id)
            row.total = total
            session.add(row)

    def goes_on(self, session: Session, written: int) -> bool:
        row = _row(session, self._id)
        row.written = written
        session.add(row)
        return row.stop_requested_at is None and not self._is_closing()


def _status(row: FileImport, *, is_left: bool) -> ImportStatus:
    if row.result is not None:
        return "done"
    if row.error is not None:
        return "failed"
    if row.ended_at is not None:
        return "stopped"
    if is_left:
        return "interrupted"
    return "reading" if row.total is None else "writing"


def _lock_of(import_id: str) -> str:
    return f"import {import_id}"


def _row(session: Session, import_id: str) -> FileImport:
    row = session.get(FileImport, import_id)
    if row is None:
        raise _not_found(import_id)
    return row


def _own(session: Session, import_id: str) -> FileImport:
    row = _row(session, import_id)
    if row.person_id != acting_person_id() and ACTOR.get().role != Role.OWNER:
        raise _not_found(import_id)
    return row


def _not_found(import_id: str) -> NotFound:
    return NotFound(Text("There is no import %(import_id)s.", import_id=import_id))
