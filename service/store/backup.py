"""The database as a file: a copy of it while it is used, and another one put in its place.

Knows SQLite's files and locks; of what is stored only that it has a known migration.
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
from service.store.database_lock import occupied

WAIT_S = 5.0
_BESIDE = ("-wal", "-shm", "-journal")


def back_up(database: Path, target: Path, *, replace: bool = False) -> None:
    """A consistent copy in one file, while others read and write; `target` is whole or not there.

    Raises:
        NotFound: there is no database.
        Conflict: the target is there, and not to be replaced; or it is the database.
        InvalidInput: what is there is no database of ours.
        StorageUnavailable: the copy cannot be written.
    """
    if not database.is_file():
        raise NotFound(f"There is no database {database} to back up.")
    if target.exists() and (not replace or target.samefile(database)):
        raise Conflict(f"{target} is there already. Name another file, or say --force.")
    part = target.with_name(f".{target.name}.part")
    try:
        with _writing(target), closing(_open(database)) as source:
            _check(source, database)
            _copy(source, part)
            part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def restore(source: Path, database: Path) -> Path | None:
    """Put a copy of `source` in the place of the database; where the replaced one is kept.

    Raises:
        NotFound: there is no such file.
        InvalidInput: it is not a database of a known migration, or damaged.
        Conflict: a process uses the database, or both are the same file.
        StorageUnavailable: the copy cannot be written.
    """
    if not source.is_file():
        raise NotFound(f"There is no file {source}.")
    if database.exists() and database.samefile(source):
        raise Conflict(f"{source} is the database itself.")
    part = database.with_name(f".{database.name}.part")
    try:
        with _writing(database), occupied(database):
            database.parent.mkdir(parents=True, exist_ok=True)
            with closing(_open(source)) as opened:
                _check(opened, source)
                _copy(opened, part)
            return _exchange(part, database)
    finally:
        part.unlink(missing_ok=True)


def _exchange(part: Path, database: Path) -> Path | None:
    if not database.exists():
        part.replace(database)
        return None
    kept = _free_name(database)
    try:
        with _alone(database):
            Path(f"{database}-shm").unlink(missing_ok=True)
            _keep(database, kept)
            part.replace(database)
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise
        # It is damaged, and kept as it lies there, with its log.
        for beside in (Path(f"{database}{ending}") for ending in _BESIDE):
            if beside.exists():
                beside.rename(str(kept) + str(beside).removeprefix(str(database)))
        _keep(database, kept)
        part.replace(database)
    return kept


@contextmanager
def _alone(database: Path) -> Iterator[None]:
    """Whoever opens the database meanwhile is told to wait, and its log is in the file itself:
    beside another file it would be read into that one.
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


def _keep(database: Path, kept: Path) -> None:
    """A second name for the file, so that at no moment there is none under the first."""
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
        raise InvalidInput(f"{path} is not a SQLite database, or damaged: {error}.") from error
    if damage != "ok":
        raise InvalidInput(f"{path} is damaged: {damage}.")
    if not is_ours or not revisions:
        raise InvalidInput(f"{path} is not a database of Ideapool.")
    if not revisions <= known_revisions():
        raise InvalidInput(
            f"{path} has migration {', '.join(sorted(revisions))}, which this Ideapool does not "
            "know: a newer one made it."
        )


def _copy(source: sqlite3.Connection, target: Path) -> None:
    target.unlink(missing_ok=True)
    with closing(sqlite3.connect(target, isolation_level=None)) as copy:
        # All pages in one step: a writer in between would make it begin again, without end.
        source.backup(copy, pages=-1)
        # One file that can be moved, without a log beside it; synced when the mode changes.
        copy.execute("PRAGMA synchronous=FULL")
        copy.execute("PRAGMA journal_mode=DELETE")
    with target.open("rb") as written:
        os.fsync(written.fileno())


def _open(path: Path, *, wait_s: float = WAIT_S) -> sqlite3.Connection:
    # Not for reading only: such a connection leaves its log behind.
    address = f"{path.absolute().as_uri()}?mode=rw"
    return sqlite3.connect(address, uri=True, timeout=wait_s, isolation_level=None)


def _is_locked(error: sqlite3.OperationalError) -> bool:
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except ServiceError:
        raise
    except (OSError, sqlite3.Error) as error:
        raise StorageUnavailable(f"{path} cannot be written: {error}.") from error
