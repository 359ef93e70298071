"""Connections and transactions. This module knows SQLite's pitfalls, but not what is stored."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DatabaseError, OperationalError, TimeoutError
from sqlmodel import Session

from service.errors import ConfigurationError, StorageUnavailable
from service.messages import Text

MIGRATIONS = Path(__file__).parent / "migrations"
READERS = 8
WAIT_S = 5.0


def sqlite_path(url: str) -> Path | None:
    """Returns the file of a SQLite database, or None for any other database."""
    parsed = make_url(url)
    is_file = parsed.get_backend_name() == "sqlite" and parsed.database
    return Path(str(parsed.database)) if is_file else None


def known_revisions() -> set[str]:
    """Returns every migration that there has been, as `alembic_version` names it."""
    return {step.revision for step in ScriptDirectory(str(MIGRATIONS)).walk_revisions()}


@cache
def newest_revision() -> str | None:
    """The migration that brings the tables up to date."""
    # Alembic loads every migration to find it.
    return ScriptDirectory(str(MIGRATIONS)).get_current_head()


class _Joined(threading.local):
    """The transaction that a thread's blocks of `Database.joined` share, once one has begun."""

    ending: ExitStack | None = None
    session: Session | None = None


class Database:
    """One connection for writing and a few for reading.

    SQLite allows one writer at a time. With a single writing connection no lock ever has to be
    upgraded, which SQLite refuses at once instead of waiting. The WAL-reset bug of SQLite before
    3.51.3 cannot occur either, because it needs two writers.
    """

    def __init__(self, url: str) -> None:
        path = sqlite_path(url)
        if path is None:
            raise ConfigurationError(
                "IDEAPOOL_DATABASE_URL must name a SQLite file, for example sqlite:////data/ideapool.db."
            )
        self.path = path
        self._writer = _engine(url, size=1, begin="BEGIN IMMEDIATE")
        self._reader = _engine(url, size=READERS, begin="BEGIN", query_only=True)
        self._joined = _Joined()
        self._before_flush: Callable[[Session], None] = _nothing
        self._after_commit: Callable[[Session], None] = _nothing

    def observe(
        self, *, before_flush: Callable[[Session], None], after_commit: Callable[[Session], None]
    ) -> None:
        """Calls these with the session of each transaction that writes."""
        self._before_flush, self._after_commit = before_flush, after_commit

    def migrate(self) -> None:
        """Brings the tables up to date. An existing file is copied first."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._writer.connect() as connection:
                current = MigrationContext.configure(connection).get_current_revision()
            head = newest_revision()
            if current == head:
                return
            if current is not None:
                self._back_up(self.path.with_suffix(f".before-{head}.db"))
            with self._writer.begin() as connection:
                self._upgrade(connection)
        except (DatabaseError, OSError) as error:
            raise StorageUnavailable(
                Text(
                    "The database %(path)s cannot be opened: %(error)s. Is the folder writable?",
                    path=self.path,
                    error=error,
                )
            ) from error

    def _upgrade(self, connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

    def _back_up(self, target: Path) -> None:
        target.unlink(missing_ok=True)
        # VACUUM cannot run inside a transaction, so it gets a connection of its own.
        with sqlite3.connect(self.path, isolation_level=None) as connection:
            connection.execute("VACUUM INTO ?", (str(target),))

    @contextmanager
    def read(self) -> Iterator[Session]:
        if self._joined.session is not None:
            # Another connection would not see what was written and not yet committed.
            yield self._joined.session
            return
        with _storage_errors(), Session(self._reader, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction: committed at the end of the block, rolled back by an exception."""
        joined = self._joined
        if joined.ending is None:
            with self._transaction() as session:
                yield session
            return
        if joined.session is None:
            joined.session = joined.ending.enter_context(self._transaction())
        with _storage_errors(), joined.session.begin_nested():
            yield joined.session

    @contextmanager
    def joined(self) -> Iterator[None]:
        """All that this thread writes within the block is one transaction, or none of it is stored.

        The transaction begins with the first write, so that what comes before keeps nobody waiting.
        """
        joined = self._joined
        with ExitStack() as joined.ending:
            try:
                yield
            finally:
                joined.ending = joined.session = None

    @contextmanager
    def _transaction(self) -> Iterator[Session]:
        with _storage_errors(), Session(self._writer, expire_on_commit=False) as session:
            event.listen(session, "before_flush", lambda one, *_: self._before_flush(one))
            with session.begin():
                yield session
            self._after_commit(session)

    def close(self) -> None:
        self._reader.dispose()
        self._writer.dispose()


def _nothing(_session: Session) -> None:
    """Stands where nobody observes."""


@contextmanager
def _storage_errors() -> Iterator[None]:
    try:
        yield
    except (OperationalError, TimeoutError) as error:
        reason = str(getattr(error, "orig", None) or error)
        raise StorageUnavailable(
            Text(
                "The database cannot be used right now (%(reason)s). Nothing was saved. Try again.",
                reason=reason,
            )
        ) from error


def _engine(url: str, *, size: int, begin: str, query_only: bool = False) -> Engine:
    engine = create_engine(
        url,
        pool_size=size,
        max_overflow=0,
        pool_timeout=WAIT_S,
        connect_args={"check_same_thread": False, "timeout": WAIT_S},
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        # Switch off Python's transaction handling: it begins too late and never IMMEDIATE.
        connection.isolation_level = None
        # FULL costs nothing at this rate of writes and survives a power cut.
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
        if query_only:
            connection.execute("PRAGMA query_only=ON")

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
