"""Alembic's entry point: runs the steps on the connection that `database` hands over."""

from alembic import context
from sqlmodel import SQLModel

import service.store.replica_tables
import service.store.tables
import service.store.team_tables  # noqa: F401  # all define tables

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,  # SQLite cannot alter most things in place
)
context.run_migrations()
