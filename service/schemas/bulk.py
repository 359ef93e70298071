"""Changes of several ideas at once in the API."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from service.schemas.fields import IDEAS_CEILING, TAGS_CEILING, Shape, Status, Tag

_IDEA = "6f1c2d0e-7f57-4e43-9d0b-0d6e7f3a1c55"
_OTHER = "b2a4c8de-13f5-4f0a-8a57-5d0c1f9e2b77"
_CHANGE = "0d8f7a52-3f0e-4c0f-9c5e-2a1b6f4d7e90"
IdeaIds = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=64)]],
    Field(min_length=1, max_length=IDEAS_CEILING, examples=[[_IDEA, _OTHER]]),
]
Tags = Annotated[
    list[Tag], Field(min_length=1, max_length=TAGS_CEILING, examples=[["cheap", "outside"]])
]


class _Change(Shape):
    ids: IdeaIds


class AddTags(_Change):
    """Adds tags. Tags that an idea already has are kept."""

    operation: Literal["add_tags"]
    tags: Tags


class RemoveTags(_Change):
    operation: Literal["remove_tags"]
    tags: Tags


class SetStatus(_Change):
    operation: Literal["set_status"]
    status: Status = Field(examples=["archived"])


class SetStar(_Change):
    operation: Literal["set_star"]
    star: bool


class Move(_Change):
    """Moves ideas to another board."""

    operation: Literal["move"]
    board_id: str = Field(min_length=1, max_length=64)


class Delete(_Change):
    """Moves ideas to the trash of their boards."""

    operation: Literal["delete"]


class Restore(_Change):
    """Restores ideas from the trash."""

    operation: Literal["restore"]


ChangeTask = Annotated[
    AddTags | RemoveTags | SetStatus | SetStar | Move | Delete | Restore,
    Field(discriminator="operation"),
]
CHANGE_EXAMPLES = {
    "tag": {
        "summary": "Tag two ideas",
        "value": {"operation": "add_tags", "ids": [_IDEA, _OTHER], "tags": ["cheap"]},
    },
    "archive": {
        "summary": "Archive two ideas",
        "value": {"operation": "set_status", "ids": [_IDEA, _OTHER], "status": "archived"},
    },
    "delete": {
        "summary": "Delete two ideas",
        "value": {"operation": "delete", "ids": [_IDEA, _OTHER]},
    },
    "restore": {
        "summary": "Restore two ideas from the trash",
        "value": {"operation": "restore", "ids": [_IDEA, _OTHER]},
    },
}


class ChangePublic(BaseModel):
    """A change that was made. `changed` has the ids of the ideas that got a new value."""

    id: str = Field(examples=[_CHANGE])
    operation: str = Field(examples=["set_status"])
    changed: list[str] = Field(examples=[[_IDEA, _OTHER]])
    created_at: datetime
    undone_at: datetime | None = None
    put_back: list[str] | None = Field(
        default=None,
        description="In the answer to an undo: the ideas that were restored to their old values.",
        examples=[[_IDEA, _OTHER]],
    )
