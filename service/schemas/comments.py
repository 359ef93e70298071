"""Comments on ideas in the API."""

from datetime import datetime

from pydantic import BaseModel, Field

from service.schemas.fields import CommentText, Shape
from service.schemas.people import PersonPublic

_EXAMPLE = "The school lends its kettle. **Who asks?**"


class CommentCreate(Shape):
    body: CommentText = Field(description="Markdown.", examples=[_EXAMPLE])


class CommentUpdate(CommentCreate):
    pass


class CommentPublic(BaseModel):
    """A comment. `edited_at` is null if the text is the first one.

    `may_edit` and `may_delete` hold for whoever asks: people edit only their own comments, and owners
    delete those of others too.
    """

    id: str
    idea_id: str
    author: PersonPublic | None = Field(description="Null for whoever needs no name.")
    body: str = Field(description="Markdown.", examples=[_EXAMPLE])
    revision: int
    may_edit: bool
    may_delete: bool
    created_at: datetime
    edited_at: datetime | None
