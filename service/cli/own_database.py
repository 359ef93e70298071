"""Opens the database for a command that works on it without a server."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from service.settings import Settings

if TYPE_CHECKING:
    from service.store import Store


@contextmanager
def own_store(settings: Settings) -> "Iterator[Store]":
    """Brings the tables up to date first.

    Raises:
        Conflict: a server or another command has the database file open.
        ConfigurationError: a newer version of Ideapool made the database.
        StorageUnavailable: it cannot be used.
    """
    # Importing the database takes long; `--help` should not wait for it.
    from service.store import Limits, Store
    from service.store.database import Database
    from service.store.database_lock import database_lock

    with closing(Database(settings.sqlalchemy_url)) as database, database_lock(database.path):
        database.migrate()
        yield Store(
            database, Limits(settings.title_limit, settings.idea_limit, settings.suggestion_limit)
        )
