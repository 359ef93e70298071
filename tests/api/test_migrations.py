"""The migrations lead to the tables that the models describe, on both kinds of database."""

from contextlib import closing
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text
from sqlmodel import SQLModel

from service.errors import ConfigurationError
from service.settings import Settings
from service.store.database import Database, newest_revision

pytestmark = pytest.mark.both_databases


def is_described(_object: Any, name: str | None, kind: str, *_more: Any) -> bool:
    """The full-text index has no model."""
    return not (kind == "table" and name is not None and name.startswith("idea_search"))


def test_models_and_migrations_agree(migrated: Settings) -> None:
    with closing(Database(migrated.sqlalchemy_url)) as database, database.read() as session:
        options = {"include_object": is_described, "compare_type": True}
        context = MigrationContext.configure(session.connection(), opts=options)
        differences = compare_metadata(context, SQLModel.metadata)

    assert differences == []


def test_a_database_of_a_newer_version_is_refused(migrated: Settings) -> None:
    with closing(Database(migrated.sqlalchemy_url)) as database:
        set_revision(database, "9999")
        try:
            with pytest.raises(ConfigurationError, match="newer version"):
                database.migrate()
        finally:
            set_revision(database, str(newest_revision()))


def set_revision(database: Database, revision: str) -> None:
    with database.write() as session:
        update = text("UPDATE alembic_version SET version_num = :revision")
        session.connection().execute(update, {"revision": revision})
