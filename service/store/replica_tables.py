"""The tables by which several servers on one database know of each other's work.

Only servers on PostgreSQL use them: a SQLite file has one server.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, Index
from sqlmodel import Field, SQLModel

from service.schemas.identity import now
from service.store.columns import UtcDateTime


class Replica(SQLModel, table=True):
    """A running server. What it performs is its own until `lease_until`, by the database's clock.

    `schema_revision` is the newest migration that its program knows.
    """

    id: str = Field(primary_key=True)
    name: str
    version: str
    schema_revision: str
    started_at: datetime = Field(sa_type=UtcDateTime)
    seen_at: datetime = Field(sa_type=UtcDateTime)
    lease_until: datetime = Field(sa_type=UtcDateTime, index=True)


class RunEvents(SQLModel, table=True):
    """Events of a run that were sent at about the same time, each `[number, name, data]`.

    `state` is what a page shows of the run at that time and cannot know from the events.
    """

    __tablename__ = "run_events"
    __table_args__ = (Index("ix_run_events_run", "run_id", "id"), {"sqlite_autoincrement": True})

    id: int | None = Field(default=None, primary_key=True)
    run_id: str
    events: list[Any] = Field(sa_column=Column(JSON, nullable=False))
    state: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime, index=True)


class Presence(SQLModel, table=True):
    """A person who watches a board through a server, as long as that has its lease."""

    board_id: str = Field(primary_key=True)
    person_id: str = Field(primary_key=True)
    replica_id: str = Field(primary_key=True)


class PendingUpload(SQLModel, table=True):
    """An uploaded file that waits until a person confirms its import."""

    __tablename__ = "pending_upload"

    token: str = Field(primary_key=True)
    content: bytes
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime, index=True)
