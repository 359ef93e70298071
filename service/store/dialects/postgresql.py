"""PostgreSQL: a server that several processes use, and that can be away for a while."""

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import psycopg
from psycopg.types.string import StrDumper
from sqlalchemy import (
    ARRAY,
    URL,
    Engine,
    String,
    Table,
    bindparam,
    create_engine,
    event,
    func,
    select,
    text,
)
from sqlalchemy.engine import Connection, ExceptionContext
from sqlalchemy.exc import DBAPIError, TimeoutError
from sqlmodel import Session

from service.errors import ConfigurationError, StorageUnavailable
from service.messages import Text
from service.store.dialects.channel import Connect
from service.store.dialects.locks import AdvisoryLocks, Locks
from service.store.dialects.protocol import ALL_IN_USE, STARTING, Facts, Trouble
from service.store.dialects.versions import Versions
from service.store.dialects.words import words_in

APPLICATION = "ideapool"
READERS = 8
WAIT_S = 5
# How long a start waits for a server that is not up yet, and how often it looks.
PATIENCE_S, LOOK_EVERY_S = 60.0, 1.0
# How long a start waits for the migration of another server, or for readers of a table that it changes.
MIGRATION = "10min"
OLDEST_VERSION = 130000
# The advisory lock of whoever writes; PostgreSQL keeps those of other databases apart.
WRITING = 0x1DEA_9001
_CONNECTION: dict[str, str] = {
    "application_name": APPLICATION,
    "connect_timeout": str(WAIT_S),
    # A server that went away without a word is noticed within half a minute.
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
}
# A process that stands still within a transaction must not keep the others from writing.
_SESSION = (f"SET lock_timeout = '{WAIT_S}s'", "SET idle_in_transaction_session_timeout = '60s'")
# So that the locks of a machine that lost its power are free after half a minute.
_HOLDS_LOCKS = (
    b"SET tcp_keepalives_idle = 10",
    b"SET tcp_keepalives_interval = 5",
    b"SET tcp_keepalives_count = 3",
)
_READ_ONLY_SERVER = "25006"
_STARTING_UP = "57P03"
_log = logging.getLogger(__name__)


class PostgreSQL:
    """One writes at a time here, too, in whichever process: a transaction that writes first takes a
    lock. So what a transaction reads before it decides is still true when it is stored, and numbers
    of activities grow in the order of commits.
    """

    kind = "PostgreSQL"
    path = None

    def __init__(self, url: URL) -> None:
        if "@" in (url.host or ""):
            raise ConfigurationError(
                "In IDEAPOOL_DATABASE_URL the password has signs that mean something in a URL. "
                "Write them with a percent sign, @ as %40."
            )
        missing = {name: value for name, value in _CONNECTION.items() if name not in url.query}
        self._url = url.set(drivername="postgresql+psycopg").update_query_dict(missing)
        # Tools of PostgreSQL take it too; the password is in none of its parts.
        socket = {name: url.query[name] for name in ("host", "port") if name in url.query}
        self.place: str = URL.create(
            "postgresql", url.username, None, url.host, url.port, url.database, socket
        ).render_as_string()

    def writer(self) -> Engine:
        engine = _engine(self._url, size=1)

        @event.listens_for(engine, "connect")
        def see_what_was_stored(connection: Any, _record: Any) -> None:
            # At the other levels a transaction would go on seeing what there was before its turn.
            connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED

        @event.listens_for(engine, "begin")
        def take_turn(connection: Connection) -> None:
            if STARTING.items() <= connection.get_execution_options().items():
                self._be_patient(connection)
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITING})")

        return engine

    def _be_patient(self, connection: Connection) -> None:
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{MIGRATION}'")
        if not connection.exec_driver_sql(f"SELECT pg_try_advisory_xact_lock({WRITING})").scalar():
            _log.warning("waiting for others that write to the database %s", self.place)

    def reader(self) -> Engine:
        engine = _engine(self._url, size=READERS)

        @event.listens_for(engine, "connect")
        def only_read(connection: Any, _record: Any) -> None:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True

        return engine

    def locks(self) -> Locks:
        return AdvisoryLocks(self._lock_connection)

    def versions(self) -> Versions:
        """The snapshot names the transactions whose changes are seen. No two states share one."""

        def connect() -> psycopg.Connection[Any]:
            return psycopg.connect(autocommit=True, **self._arguments())

        return Versions(connect, "SELECT pg_current_snapshot()::text")

    def listening(self) -> Connect | None:
        async def connect() -> psycopg.AsyncConnection[Any]:
            return await psycopg.AsyncConnection.connect(autocommit=True, **self._arguments())

        return connect

    def _lock_connection(self) -> psycopg.Connection[Any]:
        connection = psycopg.connect(autocommit=True, **self._arguments())
        for command in _HOLDS_LOCKS:
            connection.execute(command)
        return connection

    def _arguments(self) -> dict[str, Any]:
        named = self._url.translate_connect_args(username="user", database="dbname")
        return named | dict(self._url.query)

    def prepare(self, writer: Engine) -> None:
        """Waits for a server that is not up yet, as after a start of all of a machine's services."""
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                with writer.connect() as connection:
                    _check_server(connection)
                return
            except DBAPIError as error:
                if _is_refusal(error) or time.monotonic() > until:
                    raise
                _log.warning("waiting for the database %s: %s", self.place, _first_line(error))
            time.sleep(LOOK_EVERY_S)

    def unusable(self, error: Exception) -> StorageUnavailable:
        return StorageUnavailable(
            Text(
                "The database %(place)s cannot be used: %(error)s",
                place=self.place,
                error=_first_line(error),
            )
        )

    def keep_copy(self, name: str) -> None:
        """The operator's own backups are the copy."""

    def trouble(self, error: Exception) -> Trouble | None:
        if isinstance(error, TimeoutError):
            return Trouble(ALL_IN_USE)
        cause = getattr(error, "orig", None)
        if not isinstance(cause, psycopg.Error):
            return None
        reason = _reason(cause)
        return None if reason is None else Trouble(reason, told=_first_line(error))

    def touch(self, connection: Connection) -> None:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = version_num")

    def facts(self) -> Facts:
        engine = self.reader()
        try:
            with engine.connect() as connection:
                return _facts(connection)
        except DBAPIError as error:
            raise self.unusable(error) from error
        finally:
            engine.dispose()


class VectorIndex:
    def write(self, session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
        session.connection().execute(
            _INDEX, [{"number": row["number"], "words": _words(row)} for row in rows]
        )

    def remove(self, session: Session, numbers: Iterable[int]) -> None:
        session.connection().execute(
            text("DELETE FROM idea_search WHERE number = ANY(:numbers)"),
            {"numbers": list(numbers)},
        )

    def words(self, session: Session, shortest: int, longest: int) -> Sequence[str]:
        rows = session.connection().execute(
            text(
                "SELECT word FROM ts_stat('SELECT words FROM idea_search') "
                "WHERE char_length(word) BETWEEN :shortest AND :longest"
            ),
            {"shortest": shortest, "longest": longest},
        )
        return rows.scalars().all()


_INDEX = text(
    "INSERT INTO idea_search (number, words) VALUES (:number, array_to_tsvector(:words)) "
    "ON CONFLICT (number) DO UPDATE SET words = excluded.words"
).bindparams(bindparam("words", type_=ARRAY(String)))


def follow_numbers(connection: Connection, table: Table) -> None:
    """Sets the sequence of the table's numbers, if it has one, after the highest of them."""
    number = table.autoincrement_column
    if number is not None:
        sequence = func.pg_get_serial_sequence(f'"{table.name}"', number.name)
        highest = select(func.coalesce(func.max(number), 0) + 1).scalar_subquery()
        connection.execute(select(func.setval(sequence, highest, False)))


class _WithoutNul(StrDumper):
    """PostgreSQL stores no NUL. Texts are cleaned of it, so it is only in ids that do not exist."""

    def dump(self, obj: str) -> Any:
        return super().dump(obj.replace("\x00", "\ufffd"))


def _engine(url: URL, *, size: int) -> Engine:
    engine = create_engine(
        url,
        pool_size=size,
        max_overflow=0,
        pool_timeout=WAIT_S,
        hide_parameters=True,
        # A connection from before a restart of the server is replaced.
        pool_pre_ping=True,
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        connection.adapters.register_dumper(str, _WithoutNul)
        for command in _SESSION:
            connection.execute(command)
        connection.commit()

    @event.listens_for(engine, "handle_error")
    def hide_values(context: ExceptionContext) -> None:
        """The details of an error have the values of the row that could not be stored."""
        cause = context.original_exception
        told = cause.diag.message_primary if isinstance(cause, psycopg.Error) else None
        if told is None:
            return
        cause.args = (told,)
        if context.sqlalchemy_exception is not None:
            context.sqlalchemy_exception.args = (f"({type(cause).__name__}) {told}",)

    return engine


def _check_server(connection: Connection) -> None:
    version = int(connection.exec_driver_sql("SHOW server_version_num").scalar_one())
    if version < OLDEST_VERSION:
        raise ConfigurationError(f"Ideapool needs PostgreSQL {OLDEST_VERSION // 10000} or newer.")
    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
    if encoding != "UTF8":
        raise ConfigurationError(
            f"The database's encoding is {encoding}. Make one with UTF8: "
            "CREATE DATABASE ideapool ENCODING 'UTF8' TEMPLATE template0."
        )


def _facts(connection: Connection) -> Facts:
    version = connection.exec_driver_sql("SHOW server_version").scalar_one()
    size = connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one()
    facts = Facts(f"PostgreSQL {version}", size, None, 0, _others(connection))
    if connection.exec_driver_sql("SELECT to_regclass('alembic_version')").scalar() is None:
        return facts
    revision = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    keys = connection.exec_driver_sql(
        "SELECT count(*) FROM api_key WHERE revoked_at IS NULL AND kind = 'key'"
    ).scalar_one()
    return replace(facts, revision=revision, keys=keys)


def _others(connection: Connection) -> int:
    return int(
        connection.exec_driver_sql(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            f"AND application_name = '{APPLICATION}' AND pid <> pg_backend_pid()"
        ).scalar_one()
    )


def _is_refusal(error: DBAPIError) -> bool:
    """Whether the server answered and said no; while it starts up or is full, it may say yes later."""
    told = str(error.orig)
    code = getattr(error.orig, "sqlstate", None)
    if code is not None:
        return code != _STARTING_UP and not code.startswith("53")
    passing = ("starting up", "shutting down", "recovery", "too many clients", "reserved for")
    return "FATAL" in told and not any(words in told for words in passing)


def _reason(cause: psycopg.Error) -> str | None:
    is_away = isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError)
    if cause.sqlstate == _READ_ONLY_SERVER:
        return Text("it can only be read")
    if not is_away:
        return None
    if isinstance(cause, psycopg.errors.LockNotAvailable):
        return Text("others are writing to it")
    if isinstance(cause, psycopg.errors.DiskFull):
        return Text("the disk is full")
    return cause.diag.message_primary or Text("no connection to the server")


def _first_line(error: Exception) -> str:
    told = str(getattr(error, "orig", None) or error).strip()
    return told.splitlines()[0] if told else type(error).__name__


def _words(row: Mapping[str, Any]) -> list[str]:
    return sorted({word for name in ("title", "body", "tags") for word in words_in(row[name])})
