"""The tables of people and of what they do. `tables` has those of boards and ideas."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, ForeignKey, Index, UniqueConstraint
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


class SharedLink(SQLModel, table=True):
    """A link that shows a board to whoever has it. Only the SHA-256 of its token is kept."""

    __tablename__ = "shared_link"

    id: str = Field(default_factory=new_id, primary_key=True)
    board_id: str = Field(foreign_key="board.id", index=True)
    sha256: str = Field(unique=True, index=True)
    person_id: str | None = Field(default_factory=acting_person_id, foreign_key="person.id")
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    withdrawn_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Webhook(SQLModel, table=True):
    """An address that is told what happens on a board, or on every board if `board_id` is null.

    `kinds` has the kinds of activities to send; empty means all. The secret is kept as it is,
    because each delivery is signed with it. `origin` is where people reach this server, for links.
    `off_reason` says why the service switched the webhook off; `failing_since` is when the first of
    the deliveries failed since one last arrived.
    """

    id: str = Field(default_factory=new_id, primary_key=True)
    board_id: str | None = Field(default=None, foreign_key="board.id", index=True)
    url: str
    kinds: list[str] = Field(sa_column=Column(JSON, nullable=False))
    format: str = "standard"
    secret: str
    origin: str = ""
    is_active: bool = True
    off_reason: str = ""
    failing_since: datetime | None = Field(default=None, sa_type=UtcDateTime)
    person_id: str | None = Field(default_factory=acting_person_id, foreign_key="person.id")
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    updated_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)


class WebhookCursor(SQLModel, table=True):
    """The last activity of a board that a webhook's deliveries were made of."""

    __tablename__ = "webhook_cursor"

    webhook_id: str = Field(foreign_key="webhook.id", primary_key=True)
    board_id: str = Field(primary_key=True)
    number: int


class WebhookDelivery(SQLModel, table=True):
    """What a webhook has to be sent, or was; the outbox.

    `number` grows with the activities of a board. A test has no activity and no board. `attempts`
    counts the tries of `pending`; each of them moves `next_attempt_at` on, so that no other replica
    tries meanwhile. `subject_id` is the activity's, so that deleted texts are found.
    """

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        UniqueConstraint("webhook_id", "activity_number"),
        Index("ix_webhook_delivery_lane", "status", "webhook_id", "board_id", "number"),
        Index("ix_webhook_delivery_webhook", "webhook_id", "number"),
        {"sqlite_autoincrement": True},
    )

    number: int | None = Field(default=None, primary_key=True)
    id: str = Field(default_factory=new_id, unique=True, index=True)
    webhook_id: str = Field(foreign_key="webhook.id")
    board_id: str = ""
    activity_number: int | None = None
    kind: str
    subject_id: str = Field(default="", index=True)
    payload: str
    status: str = "pending"
    attempts: int = 0
    next_attempt_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    response_status: int | None = None
    response_text: str = ""
    problem: dict[str, Any] | None = Field(
        default=None,
        sa_column=Column(JSON, nullable=True),
        description="As `messages.pack` gives it.",
    )
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime, index=True)
    tried_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
