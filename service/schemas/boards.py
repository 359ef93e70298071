"""What the API tells about boards beyond what is kept of them."""

from datetime import datetime

from pydantic import BaseModel, Field

from service.schemas.ideas import BoardPublic


class BoardOverview(BoardPublic):
    """`ideas` counts all of them, archived ones too; `changed_at` is when one, or the board, was last
    changed.
    """

    ideas: int = Field(examples=[12])
    archived: int = Field(examples=[2])
    changed_at: datetime
    deleted_at: datetime | None = Field(default=None, description="When it was deleted, if it was.")


class TagPublic(BaseModel):
    name: str = Field(examples=["cheap"])
    ideas: int = Field(examples=[4], description="How many of the board's ideas have it.")


class TrashPublic(BaseModel):
    board_id: str
    ideas: int = Field(examples=[3], description="How many ideas are in it.")
    days: int | None = Field(
        examples=[30],
        description="How long they stay before they are deleted for good; null means for ever.",
    )


class EmptiedPublic(BaseModel):
    ideas: int = Field(examples=[3], description="How many ideas were deleted for good.")
    in_use: int = Field(
        examples=[0], description="How many stay, because the model is working on them."
    )
