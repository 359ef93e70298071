"""One idea as a whole, to be handed over to another tool."""

from pydantic import BaseModel, Field

from service.schemas.evaluation import EvaluationPublic
from service.schemas.ideas import IdeaPublic


class RelatedIdea(BaseModel):
    id: str
    title: str
    url: str = Field(examples=["http://localhost:8000/ideas/b2a4c8de-13f5-4f0a-8a57-5d0c1f9e2b77"])


class HandOver(BaseModel):
    """An idea with its board, newest evaluation and lineage. `url` is its page."""

    idea: IdeaPublic
    board: str = Field(examples=["Street party"], description="The name of its board.")
    evaluation: EvaluationPublic | None = Field(
        default=None, description="The newest one; `method` says how the scores were made."
    )
    parent: RelatedIdea | None = Field(default=None, description="The idea that it branched from.")
    children: list[RelatedIdea]
    url: str = Field(examples=["http://localhost:8000/ideas/6f1c2d0e-7f57-4e43-9d0b-0d6e7f3a1c55"])
