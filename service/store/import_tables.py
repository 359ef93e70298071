"""The table of imports that are under way, or that ended within a day."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column
from sqlmodel import Field, SQLModel

from service.actor import acting_person_id
from service.schemas.identity import now
from service.store.columns import UtcDateTime


class FileImport(SQLModel, table=True):
    """`total` is how many ideas are written; null until the file is read. `result` has counts, but no
    texts of ideas. An import that was stopped has neither a result nor an error.
    """

    __tablename__ = "file_import"

    id: str = Field(primary_key=True)
    person_id: str | None = Field(default_factory=acting_person_id)
    total: int | None = None
    written: int = 0
    result: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    first_idea_id: str | None = None
    error: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    started_at: datetime = Field(default_factory=now, sa_type=UtcDateTime, index=True)
    stop_requested_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
