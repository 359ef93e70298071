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


class TagPublic(BaseModel):
    name: str = Field(examples=["cheap"])
    ideas: int = Field(examples=[4], description="How many of the board's ideas have this tag.")
