"""Figures of boards that the API computes."""

from datetime import datetime

from pydantic import BaseModel, Field

from service.schemas.ideas import BoardPublic


class BoardOverview(BoardPublic):
    """A board with its figures. `ideas` counts all ideas, including archived ones; `changed_at` is the
    time of the last change to the board or one of its ideas.
    """

    ideas: int = Field(examples=[12])
    archived: int = Field(examples=[2])
    changed_at: datetime
    deleted_at: datetime | None = Field(default=None, description="When it was deleted, if it was.")


class TagPublic(BaseModel):
    name: str = Field(examples=["cheap"])
    ideas: int = Field(examples=[4], description="How many of the board's ideas have this tag.")


class TrashPublic(BaseModel):
    """The trash of a board."""

    board_id: str
    ideas: int = Field(examples=[3], description="How many ideas are in the trash.")
    days: int | None = Field(
        examples=[30],
        description="The days after which they are deleted for good; null means never.",
    )


class EmptiedPublic(BaseModel):
    """The result of emptying a trash."""

    ideas: int = Field(examples=[3], description="How many ideas were deleted for good.")
    in_use: int = Field(
        examples=[0], description="How many were kept, because the model is working on them."
    )
