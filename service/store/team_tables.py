"""The tables of people and of what they do. `tables` has those of boards and ideas."""

from datetime import datetime

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from service.actor import acting_person_id
from service.schemas.identity import new_id, now
from service.store.columns import UtcDateTime


class Person(SQLModel, table=True):
    """Somebody with a name; a removed person stays the author of what they wrote.

    `external_name` is the name that a trusted proxy sends for the person.
    """

    id: str = Field(default_factory=new_id, primary_key=True)
    name: str
    external_name: str | None = Field(default=None, unique=True, index=True)
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    seen_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    removed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Membership(SQLModel, table=True):
    """What a person may do on a board, or on every board if `board_id` is empty."""

    person_id: str = Field(foreign_key="person.id", primary_key=True)
    board_id: str = Field(default="", primary_key=True)
    role: int = Field(description="A value of `service.actor.Role`.")
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)


class Invitation(SQLModel, table=True):
    """A link by which somebody becomes a person with this role on a board, or on every board if
    `board_id` is empty. Only the SHA-256 of its token is kept. `person_id` made it.
    """

    id: str = Field(default_factory=new_id, primary_key=True)
    sha256: str = Field(unique=True, index=True)
    board_id: str = ""
    role: int = Field(description="A value of `service.actor.Role`.")
    person_id: str | None = Field(default_factory=acting_person_id, foreign_key="person.id")
    uses: int = 0
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    withdrawn_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Activity(SQLModel, table=True):
    """Something that happened on a board, stored in the transaction that did it.

    `number` only grows within a board. `subject_id` is the id of what `kind` names: of the idea for
    `idea.changed`.
    """

    __table_args__ = (
        Index("ix_activity_board", "board_id", "number"),
        {"sqlite_autoincrement": True},
    )

    number: int | None = Field(default=None, primary_key=True)
    board_id: str
    kind: str
    subject_id: str
    person_id: str | None = Field(default_factory=acting_person_id)
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime, index=True)
