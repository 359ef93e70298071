"""What the tools return, where that is not exactly an answer of the REST API."""

from typing import Literal

from pydantic import BaseModel, Field

from service.schemas.ideas import IdeaPublic
from service.schemas.refinement import RefineAnswer

ExportFormat = Literal["markdown", "csv", "json"]


class RefinedIdea(RefineAnswer):
    accepted: bool = Field(description="Whether the idea now has the new text.")


class BoardName(BaseModel):
    id: str
    name: str


class FoundIdeas(BaseModel):
    """`boards` are all boards, whatever was looked for."""

    ideas: list[IdeaPublic]
    has_more: bool = Field(description="Whether more ideas fit than `limit` let through.")
    corrected: str = Field(
        description="The words searched for because no idea contains the given ones; or empty."
    )
    boards: list[BoardName]


class ExportedIdeas(BaseModel):
    format: ExportFormat
    content: str
