"""Backs up the database while it is in use, and restores it from a backup.

This module knows SQLite's files and locks. About the contents it knows only their migration.
"""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from service.errors import Conflict, InvalidInput, NotFound, ServiceError, StorageUnavailable
from service.store.database import known_revisions
from service.store.database_lock import database_lock
from service.store.private_files import private_file

WAIT_S = 5.0
_SIDE_FILES = ("-wal", "-shm", "-journal")


def back_up(database: Path, target: Path, *, replace: bool = False) -> None:
    """Writes a consistent copy to one file while others read and write; `target` is never partial.

    Raises:
        NotFound: the database does not exist.
        Conflict: the target exists and may not be replaced, or it is the database itself.
        InvalidInput: the file is not a database of Ideapool.
        StorageUnavailable: the copy cannot be written.
    """
    if not database.is_file():
        raise NotFound(f"There is no database {database} to back up.")
    if target.exists() and (not replace or target.samefile(database)):
        raise Conflict(f"{target} exists already. Name another file, or use --force.")
    part = target.with_name(f".{target.name}.part")
    try:
        with _write_errors(target), closing(_open(database)) as source:
            _check(source, database)
            _copy(source, part)
            part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def restore(source: Path, database: Path) -> Path | None:
    """Replaces the database with a copy of `source`; returns the path that keeps the old one.

    Raises:
        NotFound: the source does not exist.
        InvalidInput: the source is damaged, or not a database of a known migration.
        Conflict: a process uses the database, or both are the same file.
        StorageUnavailable: the copy cannot be written.
    """
    if not source.is_file():
        raise NotFound(f"There is no file {source}.")
    # A link to the file stays one.
    database = database.resolve()
    if database.exists() and database.samefile(source):
        raise Conflict(f"{source} is the database itself.")
    part = database.with_name(f".{database.name}.part")
    try:
        with _write_errors(database), database_lock(database):
            with closing(_open(source)) as opened:
                _check(opened, source)
                _copy(opened, part)
            return _replace(part, database)
    finally:
        part.unlink(missing_ok=True)


def _replace(part: Path, database: Path) -> Path | None:
    if not database.exists():
        part.replace(database)
        return None
    kept = _free_name(database)
    try:
        with _exclusive_access(database):
            Path(f"{database}-shm").unlink(missing_ok=True)
            _keep_as(database, kept)
            part.replace(database)
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise
        # The old database is damaged. It is kept unchanged, together with its log.
        for ending in _SIDE_FILES:
            side_file = Path(f"{database}{ending}")
            if side_file.exists():
                side_file.rename(f"{kept}{ending}")
        _keep_as(database, kept)
        part.replace(database)
    return kept


@contextmanager
def _exclusive_access(database: Path) -> Iterator[None]:
    """Locks the database and moves its log into the file itself.

    A log left behind would be read into the file that takes the database's place.
    """
    with closing(_open(database, wait_s=0)) as connection:
        try:
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            connection.execute("PRAGMA journal_mode=DELETE")
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if not _is_locked(error):
                raise
            raise Conflict(
                f"A process uses the database {database}. Stop the server, then restore."
            ) from error
        yield


def _keep_as(database: Path, kept: Path) -> None:
    """Gives the file a second name, so that the first name exists at every moment."""
    try:
        os.link(database, kept)
    except OSError:
        shutil.copy2(database, kept)


def _free_name(database: Path) -> Path:
    stem = f"{database.stem}.replaced-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    names = (f"{stem}{f'-{number}' if number else ''}{database.suffix}" for number in range(1000))
    return next(path for path in map(database.with_name, names) if not path.exists())


def _check(connection: sqlite3.Connection, path: Path) -> None:
    try:
        damage = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        is_ours = connection.execute(
            "SELECT count(*) = 3 FROM sqlite_schema WHERE type = 'table' "
            "AND name IN ('alembic_version', 'board', 'idea')"
        ).fetchone()[0]
        found = connection.execute("SELECT version_num FROM alembic_version") if is_ours else ()
        revisions = {str(row[0]) for row in found}
    except sqlite3.OperationalError as error:
        raise StorageUnavailable(f"{path} cannot be read: {error}.") from error
    except sqlite3.DatabaseError as error:
        raise InvalidInput(
            f"{path} is not a SQLite database, or it is damaged: {error}."
        ) from error
    if damage != "ok":
        raise InvalidInput(f"{path} is damaged: {damage}.")
    if not is_ours or not revisions:
        raise InvalidInput(f"{path} is not a database of Ideapool.")
    if not revisions <= known_revisions():
        raise InvalidInput(
            f"{path} has migration {', '.join(sorted(revisions))}, which this version of Ideapool "
            "does not know. A newer version made it."
        )


def _copy(source: sqlite3.Connection, target: Path) -> None:
    target.unlink(missing_ok=True)
    private_file(target)
    with closing(sqlite3.connect(target, isolation_level=None)) as copy:
        # All pages in one step: a write between two steps restarts the copy, possibly forever.
        source.backup(copy, pages=-1)
        # Without a log the copy is one file that can be moved. Changing the mode syncs it.
        copy.execute("PRAGMA synchronous=FULL")
        copy.execute("PRAGMA journal_mode=DELETE")
    with target.open("rb") as written:
        os.fsync(written.fileno())


def _open(path: Path, *, wait_s: float = WAIT_S) -> sqlite3.Connection:
    # A read-only connection would leave its log behind.
    address = f"{path.absolute().as_uri()}?mode=rw"
    return sqlite3.connect(address, uri=True, timeout=wait_s, isolation_level=None)


def _is_locked(error: sqlite3.OperationalError) -> bool:
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


@contextmanager
def _write_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except ServiceError:
        raise
    except (OSError, sqlite3.Error) as error:
        raise StorageUnavailable(f"{path} cannot be written: {error}.") from error
