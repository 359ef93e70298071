"""Connections and transactions. This module does not know what is stored."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, event
from sqlalchemy.engine import Connection
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, TimeoutError
from sqlalchemy.orm import ORMExecuteState, sessionmaker
from sqlmodel import Session

from service.errors import ConfigurationError
from service.store.condition import Condition
from service.store.dialects import dialect_of
from service.store.dialects.protocol import STARTING

MIGRATIONS = Path(__file__).parent / "migrations"
# How long and how often `patient` readers try.
PATIENCE_S, RETRY_S = 60.0, 0.5
_PATIENT: ContextVar[bool] = ContextVar("patient", default=False)
_log = logging.getLogger(__name__)


def sqlite_path(url: str) -> Path | None:
    """Returns the file of a SQLite database, or None for any other database."""
    return dialect_of(url).path


def known_revisions() -> set[str]:
    """Returns every migration that there has been, as `alembic_version` names it."""
    return {step.revision for step in ScriptDirectory(str(MIGRATIONS)).walk_revisions()}


def check_known(revision: str, place: str) -> None:
    """Raises: ConfigurationError if a newer version brought the tables to this migration."""
    if revision not in known_revisions():
        raise ConfigurationError(
            f"A newer version of Ideapool made the database {place}. Start that one, or restore a backup."
        )


@cache
def newest_revision() -> str | None:
    """The migration that brings the tables up to date."""
    # Alembic loads every migration to find it.
    return ScriptDirectory(str(MIGRATIONS)).get_current_head()


@contextmanager
def patient() -> Iterator[None]:
    """What is read within the block waits for a database server that is away for a while, because
    nobody is there to try again.
    """
    token = _PATIENT.set(True)
    try:
        yield
    finally:
        _PATIENT.reset(token)


class _Joined(threading.local):
    """The transaction that a thread's blocks of `Database.joined` share, once one has begun."""

    ending: ExitStack | None = None
    session: Session | None = None


class _Viewed(threading.local):
    """The session that a thread's blocks of `Database.read` share within a block of `one_view`."""

    session: Session | None = None


class Database:
    """One connection for writing and a few for reading.

    Of all processes that use the database, one writes at a time. What a transaction reads before it
    decides is therefore still true when it is stored, without locks on rows.
    """

    def __init__(self, url: str) -> None:
        self.dialect = dialect_of(url)
        self.path = self.dialect.path
        # A file has a single server.
        self.is_shared = self.path is None
        self.locks = self.dialect.locks()
        self._versions = self.dialect.versions()
        self._writer = self.dialect.writer()
        self._reader = self.dialect.reader()
        self._is_closed = False
        self._condition = Condition(self.dialect.place)
        for engine in (self._reader, self._writer):
            event.listen(engine.pool, "checkin", self._end_late)
        self._joined = _Joined()
        self._viewed = _Viewed()
        self._before_flush: Callable[[Session], None] = _nothing
        self._before_commit: Callable[[Session], None] = _nothing
        self._after_commit: Callable[[Session], None] = _nothing
        self._before_query: Callable[[ORMExecuteState], None] = _nothing
        self._reading, self._writing = (self._sessions(one) for one in (self._reader, self._writer))
        event.listen(self._writing, "before_flush", lambda one, *_: self._before_flush(one))

    def _sessions(self, engine: Engine) -> sessionmaker[Session]:
        """Listens once: to do so for each session takes as long as a query."""
        sessions = sessionmaker(engine, class_=Session, expire_on_commit=False)
        event.listen(sessions, "do_orm_execute", lambda state: self._before_query(state))
        return sessions

    def observe(
        self,
        *,
        before_flush: Callable[[Session], None],
        before_commit: Callable[[Session], None],
        after_commit: Callable[[Session], None],
        before_query: Callable[[ORMExecuteState], None],
    ) -> None:
        """Calls the first three with the session of each transaction that writes, and `before_query`
        with each query, which it may change.
        """
        self._before_flush, self._after_commit = before_flush, after_commit
        self._before_commit = before_commit
        self._before_query = before_query

    def migrate(self) -> None:
        """Brings the tables up to date. An existing file is copied first."""
        self._is_closed = False
        writer = self._writer.execution_options(**STARTING)
        try:
            self.dialect.prepare(writer)
            with writer.connect() as connection:
                current = MigrationContext.configure(connection).get_current_revision()
            head = newest_revision()
            if current == head:
                return
            if current is not None:
                check_known(current, self.dialect.place)
                self.dialect.keep_copy(f"before-{head}")
                _log.info("the database %s is upgraded to %s", self.dialect.place, head)
            with writer.begin() as connection:
                self._upgrade(connection)
        except (DBAPIError, OSError) as error:
            raise self.dialect.unusable(error) from error

    def _upgrade(self, connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

    @contextmanager
    def read(self) -> Iterator[Session]:
        if self._joined.session is not None:
            # Another connection would not see what was written and not yet committed.
            yield self._joined.session
            return
        if self._viewed.session is not None:
            with self._storage_errors():
                yield self._viewed.session
            return
        with self._storage_errors(), self._reading() as session:
            if self.is_shared and _PATIENT.get():
                self._await_connection(session)
            yield session

    @contextmanager
    def one_view(self) -> Iterator[None]:
        """All that this thread reads within the block is of one moment. Nothing may be written in it."""
        if self._viewed.session is not None:
            yield
            return
        with self.read() as self._viewed.session:
            try:
                yield
            finally:
                self._viewed.session = None

    def _await_connection(self, session: Session) -> None:
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                session.connection()
                return
            except (DBAPIError, TimeoutError) as error:
                if self.dialect.trouble(error) is None or time.monotonic() > until:
                    raise
            session.rollback()
            time.sleep(RETRY_S)

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
        with self._storage_errors(), joined.session.begin_nested():
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
        with self._storage_errors(), self._writing() as session:
            with session.begin():
                yield session
                session.flush()
                self._before_commit(session)
            self._condition.works()
            self._after_commit(session)

    def try_write(self) -> None:
        """Writes without changing anything, unless somebody is writing or has just written.

        Raises: StorageUnavailable, also if the last write of somebody else failed.
        """
        if self._condition.is_doubtful and not self._writer.pool.checkedout():  # type: ignore[attr-defined]
            with self._storage_errors():
                with self._writer.begin() as connection:
                    self.dialect.touch(connection)
                self._condition.works()
        self._condition.check()

    def has_failed(self) -> bool:
        """Whether the last that somebody tried failed."""
        return self._condition.has_failed

    @contextmanager
    def _storage_errors(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, TimeoutError) as error:
            found = self.dialect.trouble(error)
            if found is None:
                raise
            raise self._condition.failed(found, is_busy=isinstance(error, TimeoutError)) from error

    def version(self) -> str | None:
        """Changes with everything that anybody stores; None if it is not known."""
        return self._versions.now()

    def close(self) -> None:
        self.locks.close()
        self._versions.close()
        self._is_closed = True
        for engine in (self._reader, self._writer):
            engine.dispose()

    def _end_late(self, connection: DBAPIConnection | None, _record: object) -> None:
        """A thread that is not done yet gives its connection back to nobody."""
        if self._is_closed and connection is not None:
            connection.close()


def _nothing(_: object) -> None:
    """Stands where nobody observes."""
