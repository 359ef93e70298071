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


class TagPublic(BaseModel):
    name: str = Field(examples=["cheap"])
    ideas: int = Field(examples=[4], description="How many of the board's ideas have it.")
