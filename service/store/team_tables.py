"""The tables of people and of what they do. `tables` has those of boards and ideas."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, ForeignKey, Index
from sqlmodel import Field, SQLModel

from service.actor import acting_person_id
from service.schemas.identity import new_id, now
from service.store.columns import UtcDateTime


def _author() -> Any:
    """Of the person who made a row; null for whoever needs no name."""
    return Field(
        default_factory=acting_person_id,
        sa_column=Column(ForeignKey("person.id"), nullable=True, index=True),
    )


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


class WritingRound(SQLModel, table=True):
    """Some minutes in which people write ideas that are hidden from each other.

    A round is over at `ends_at`, whether or not somebody has noticed; `ended_at` is stored then, or
    when somebody ends it earlier. Nobody sees who wrote what before `named_at`.
    """

    __tablename__ = "writing_round"
    __table_args__ = (Index("ix_writing_round_open", "ended_at", "ends_at"),)

    id: str = Field(default_factory=new_id, primary_key=True)
    board_id: str = Field(foreign_key="board.id", index=True)
    topic: str
    person_id: str | None = Field(default_factory=acting_person_id, foreign_key="person.id")
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    ends_at: datetime = Field(sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    named_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


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


class IdeaLike(SQLModel, table=True):
    """One person's like of an idea. `liker` is the person's id, empty for whoever needs no name, so that
    the key holds for them too.
    """

    __tablename__ = "idea_like"

    idea_id: str = Field(foreign_key="idea.id", primary_key=True)
    liker: str = Field(default="", primary_key=True)
    person_id: str | None = _author()
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)


class Comment(SQLModel, table=True):
    """What a person says about an idea, in Markdown; `revision` is the entity tag.

    `edited_at` is null until the text is changed. A deleted comment is kept for a day, so that the
    deletion can be undone.
    """

    __table_args__ = (Index("ix_comment_idea", "idea_id", "created_at", "id"),)

    id: str = Field(default_factory=new_id, primary_key=True)
    idea_id: str = Field(foreign_key="idea.id")
    person_id: str | None = _author()
    body: str
    revision: int = 1
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    edited_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    deleted_at: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)
