"""The tables of files that people attach to ideas."""

from datetime import datetime

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from service.schemas.identity import new_id, now
from service.store.columns import UtcDateTime


class Attachment(SQLModel, table=True):
    """A file on an idea. Only images have a width and a height; `alt` says what they show.

    A deleted attachment is kept for a day, so that the deletion can be undone.
    """

    __table_args__ = (Index("ix_attachment_idea", "idea_id", "created_at", "id"),)

    id: str = Field(default_factory=new_id, primary_key=True)
    idea_id: str = Field(foreign_key="idea.id")
    name: str
    alt: str = ""
    media_type: str
    size: int
    width: int | None = None
    height: int | None = None
    sha256: str
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    deleted_at: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)


class AttachmentPart(SQLModel, table=True):
    """A part of a file: whole files would make copying a database take as much memory as they have."""

    __tablename__ = "attachment_part"

    attachment_id: str = Field(foreign_key="attachment.id", primary_key=True)
    number: int = Field(primary_key=True)
    content: bytes
