"""What SQLite and PostgreSQL do differently. All other code of the store is the same on both."""

from sqlalchemy import Table, make_url
from sqlalchemy.exc import ArgumentError
from sqlmodel import Session

from service.errors import ConfigurationError
from service.store.dialects.postgresql import PostgreSQL, VectorIndex, follow_numbers
from service.store.dialects.protocol import Dialect, SearchIndex
from service.store.dialects.sqlite import Fts5Index, SQLite

__all__ = [
    "Dialect",
    "SearchIndex",
    "continue_numbers",
    "describe_contents",
    "dialect_of",
    "search_index",
]

_WRONG = (
    "IDEAPOOL_DATABASE_URL must name a SQLite file, for example sqlite:////data/ideapool.db, or a "
    "database of PostgreSQL, for example postgresql://ideapool@localhost/ideapool."
)


def dialect_of(url: str) -> Dialect:
    """Raises: ConfigurationError if it is the URL of neither kind of database."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # Not chained: the reason may contain the password.
        raise ConfigurationError(_WRONG) from None
    if parsed.drivername in ("sqlite", "sqlite+pysqlite") and parsed.database:
        return SQLite(parsed)
    if parsed.drivername in ("postgres", "postgresql", "postgresql+psycopg"):
        return PostgreSQL(parsed)
    raise ConfigurationError(_WRONG)


def search_index(session: Session) -> SearchIndex:
    """The full-text index of the database that the session uses."""
    return VectorIndex() if _is_postgresql(session) else Fts5Index()


def continue_numbers(session: Session, table: Table) -> None:
    """Lets the table's next number follow the highest, after rows came with numbers of their own."""
    if _is_postgresql(session):
        follow_numbers(session.connection(), table)


def describe_contents(session: Session) -> None:
    """Lets the database plan queries for rows that have just come in large numbers."""
    if _is_postgresql(session):
        session.connection().exec_driver_sql("ANALYZE")


def _is_postgresql(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"
