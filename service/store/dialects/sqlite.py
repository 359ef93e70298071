"""SQLite: one file, FTS5, one connection that writes."""

import errno
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError, TimeoutError
from sqlmodel import Session

from service.errors import StorageUnavailable
from service.messages import Text
from service.store.dialects.locks import Locks
from service.store.dialects.protocol import ALL_IN_USE, Facts, Trouble
from service.store.dialects.versions import Versions
from service.store.private_files import private_file, private_folder

READERS = 8
WAIT_S = 5.0
_WORDS = (
    "CREATE VIRTUAL TABLE IF NOT EXISTS temp.idea_words USING fts5vocab(main, idea_search, row)"
)
_INDEX = text(
    "INSERT OR REPLACE INTO idea_search(rowid, title, body, tags) "
    "VALUES (:number, :title, :body, :tags)"
)
_WRITABLE = Text("Is the folder writable?")
_FULL = Trouble(Text("the disk is full"), Text("Free some space, then try again."))
_READ_ONLY = Trouble(
    Text("it can only be read"),
    Text("Whoever runs the server must be able to write to the file and its folder."),
)
_LOCKED = Trouble(Text("another program has it locked"), Text("Close that program, or try again."))
_DAMAGED = Trouble(
    Text("the file is damaged"), Text("Stop the server and restore a backup: `ideapool restore`.")
)
_TROUBLES: Mapping[int | None, Trouble] = MappingProxyType(
    {
        sqlite3.SQLITE_FULL: _FULL,
        sqlite3.SQLITE_READONLY: _READ_ONLY,
        sqlite3.SQLITE_BUSY: _LOCKED,
        sqlite3.SQLITE_LOCKED: _LOCKED,
        sqlite3.SQLITE_CORRUPT: _DAMAGED,
        sqlite3.SQLITE_NOTADB: _DAMAGED,
        sqlite3.SQLITE_IOERR: Trouble(
            Text("the disk reports an error"), Text("Check the disk, then try again.")
        ),
        sqlite3.SQLITE_CANTOPEN: Trouble(Text("the file cannot be opened"), _WRITABLE),
    }
)
# What the system says before SQLite does.
_ERRNO = {
    errno.ENOSPC: sqlite3.SQLITE_FULL,
    errno.EROFS: sqlite3.SQLITE_READONLY,
    errno.EACCES: sqlite3.SQLITE_READONLY,
}


class SQLite:
    """SQLite allows one writer at a time. With a single writing connection no lock ever has to be
    upgraded, which SQLite refuses at once instead of waiting. The WAL-reset bug of SQLite before
    3.51.3 cannot occur either, because it needs two writers.
    """

    kind = "SQLite"

    def __init__(self, url: URL) -> None:
        self._url = url
        self.path: Path = Path(str(url.database))

    @property
    def place(self) -> str:
        return str(self.path)

    def writer(self) -> Engine:
        return _engine(self._url, size=1, begin="BEGIN IMMEDIATE")

    def reader(self) -> Engine:
        return _engine(self._url, size=READERS, begin="BEGIN", query_only=True)

    def locks(self) -> Locks:
        return Locks()

    def versions(self) -> Versions:
        def connect() -> sqlite3.Connection:
            address = f"{self.path.absolute().as_uri()}?mode=ro"
            return sqlite3.connect(
                address, uri=True, timeout=WAIT_S, isolation_level=None, check_same_thread=False
            )

        return Versions(connect, "PRAGMA data_version")

    def listening(self) -> None:
        return None

    def prepare(self, writer: Engine) -> None:
        private_folder(self.path.parent)
        # SQLite gives its other files the rights of this one.
        private_file(self.path)
        with writer.connect():
            pass

    def unusable(self, error: Exception) -> StorageUnavailable:
        found = _TROUBLES.get(_code(error), Trouble(str(error), _WRITABLE))
        return StorageUnavailable(
            Text(
                "The database %(path)s cannot be opened: %(reason)s. %(advice)s",
                path=self.path,
                reason=found.reason,
                advice=found.advice,
            )
        )

    def keep_copy(self, name: str) -> None:
        target = self.path.with_suffix(f".{name}.db")
        target.unlink(missing_ok=True)
        try:
            private_file(target)
            # VACUUM cannot run inside a transaction, so it gets a connection of its own.
            with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
                connection.execute("VACUUM INTO ?", (str(target),))
        except (OSError, sqlite3.Error) as error:
            # Half a copy would only take space.
            target.unlink(missing_ok=True)
            raise self.unusable(error) from error

    def trouble(self, error: Exception) -> Trouble | None:
        if isinstance(error, TimeoutError):
            return Trouble(ALL_IN_USE)
        found = _TROUBLES.get(_code(error))
        if found is None and isinstance(error, OperationalError):
            return Trouble(str(error.orig))
        return found

    def touch(self, connection: Connection) -> None:
        """SQLite leaves out an update that changes nothing, but writes this number in any case."""
        number = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        connection.exec_driver_sql(f"PRAGMA user_version = {number}")

    def facts(self) -> Facts | None:
        if not self.path.exists():
            return None
        try:
            address = f"{self.path.absolute().as_uri()}?mode=ro"
            with closing(sqlite3.connect(address, uri=True)) as database:
                damage = database.execute("PRAGMA quick_check(1)").fetchone()[0]
                revision, keys = _revision_and_keys(database)
        except sqlite3.DatabaseError as error:
            raise StorageUnavailable(str(error)) from error
        if damage != "ok":
            raise StorageUnavailable(damage)
        server = f"SQLite {sqlite3.sqlite_version}"
        return Facts(server, self.path.stat().st_size, revision, keys)


class Fts5Index:
    def write(self, session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
        session.connection().execute(_INDEX, list(rows))

    def remove(self, session: Session, numbers: Iterable[int]) -> None:
        session.connection().execute(
            text("DELETE FROM idea_search WHERE rowid = :number"),
            [{"number": number} for number in numbers],
        )

    def words(self, session: Session, shortest: int, longest: int) -> Sequence[str]:
        rows = session.connection().execute(
            text(
                "SELECT term FROM temp.idea_words WHERE length(term) BETWEEN :shortest AND :longest"
            ),
            {"shortest": shortest, "longest": longest},
        )
        return rows.scalars().all()


def _code(error: Exception) -> int | None:
    """Returns SQLite's primary code of the error."""
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, OSError):
        return _ERRNO.get(cause.errno or 0)
    code = getattr(cause, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _revision_and_keys(database: sqlite3.Connection) -> tuple[str | None, int]:
    tables = {row[0] for row in database.execute("SELECT name FROM sqlite_schema")}
    if not {"alembic_version", "api_key"} <= tables:
        return None, 0
    revision = database.execute("SELECT version_num FROM alembic_version").fetchone()
    keys = "SELECT count(*) FROM api_key WHERE revoked_at IS NULL AND kind = 'key'"
    return None if revision is None else str(revision[0]), int(database.execute(keys).fetchone()[0])


def _engine(url: URL, *, size: int, begin: str, query_only: bool = False) -> Engine:
    engine = create_engine(
        url,
        pool_size=size,
        max_overflow=0,
        pool_timeout=WAIT_S,
        hide_parameters=True,
        connect_args={"check_same_thread": False, "timeout": WAIT_S},
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        # Switch off Python's transaction handling: it begins too late and never IMMEDIATE.
        connection.isolation_level = None
        # FULL costs nothing at this rate of writes and survives a power cut.
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
        # Only a view of the index. It needs no migration, because each connection has its own.
        connection.execute(_WORDS)
        if query_only:
            connection.execute("PRAGMA query_only=ON")

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
