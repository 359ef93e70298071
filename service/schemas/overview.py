"""Similar ideas, groups, lineage and the summary of a board in the API."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from service.schemas.bulk import IdeaIds
from service.schemas.fields import Shape, Tag

GROUPS_CEILING = 500
COARSEST, FINEST = 1, 5
Granularity = Annotated[int, Field(ge=COARSEST, le=FINEST)]


class IdeaLink(BaseModel):
    idea_id: str = Field(examples=["6f1c2d0e-7f57-4e43-9d0b-0d6e7f3a1c55"])
    title: str = Field(examples=["Bread at half price"])


class SimilarIdea(IdeaLink):
    """`similarity` is the cosine of the two texts' vectors."""

    similarity: float = Field(examples=[0.41])


class SimilarPublic(BaseModel):
    """The board's ideas whose similarity is at least `threshold`, most similar first."""

    idea_id: str
    threshold: float
    ideas: list[SimilarIdea]


class ClusterPublic(BaseModel):
    """A group of similar ideas. `anchor_id` is the idea most similar to the others, and `title` is made
    of words that they share. `tag` is a tag that all of them already have.
    """

    anchor_id: str
    title: str
    similarity: float = Field(description="The mean over all pairs.", examples=[0.38])
    tag: str | None = None
    ideas: list[IdeaLink]


class ClustersPublic(BaseModel):
    """A preview of groups, which changes nothing. `alone` lists the ideas in no group. `unseen` counts
    older ideas that were not compared.
    """

    board_id: str
    granularity: Granularity
    counts: list[int] = Field(
        description="How many groups each granularity gives. It never decreases.",
        examples=[[2, 3, 4, 6, 8]],
    )
    threshold: float = Field(
        description="Average similarity of the least similar groups that were joined."
    )
    fingerprint: str = Field(description="Stays the same as long as the groups do.")
    clusters: list[ClusterPublic]
    alone: list[IdeaLink]
    unseen: int


class ClusterChoice(Shape):
    title: Tag = Field(examples=["Bread & rolls"])
    idea_ids: IdeaIds


class ClustersApply(Shape):
    """Groups to turn into tags. The title of a group becomes the tag."""

    clusters: list[ClusterChoice] = Field(min_length=1, max_length=GROUPS_CEILING)

    def tags_by_idea(self) -> dict[str, list[str]]:
        tags: dict[str, list[str]] = {}
        for cluster in self.clusters:
            for idea_id in cluster.idea_ids:
                tags.setdefault(idea_id, []).append(cluster.title)
        return {idea_id: list(dict.fromkeys(titles)) for idea_id, titles in tags.items()}


class LineageNode(BaseModel):
    """An idea in the lineage. `parent_id` is the idea that it branched from, and `also_from` lists further
    ideas that it combines. `went_into` lists ideas of other branches that combine it. A deleted
    idea is included, without its title, only if other ideas come from it.
    """

    idea_id: str = Field(examples=["6f1c2d0e-7f57-4e43-9d0b-0d6e7f3a1c55"])
    title: str | None = Field(examples=["Bread at half price"])
    status: str = Field(examples=["kept"])
    parent_id: str | None = None
    also_from: list[str] = Field(default_factory=list)
    went_into: list[str] = Field(default_factory=list)
    is_deleted: bool = False


class LineagePublic(BaseModel):
    """The lineage of a board or an idea, with parents before their children. `trees` counts all trees
    of the board. `unseen` counts ideas of the shown trees that did not fit.
    """

    board_id: str
    idea_id: str | None = None
    nodes: list[LineageNode]
    trees: int
    unseen: int


class TagCount(BaseModel):
    tag: str
    ideas: int


class RankedIdea(IdeaLink):
    rank: int
    score: float
    comparisons: int


class ScoredIdea(IdeaLink):
    score: float


class ClusterCount(BaseModel):
    anchor_id: str
    title: str
    ideas: int


class TextChange(BaseModel):
    """An idea that was added or got a new text; `origin` says who wrote it."""

    idea_id: str
    title: str
    kind: Literal["added", "changed"]
    version: int
    origin: str
    at: datetime


class RecentCounts(BaseModel):
    """Counts of what happened since the time `since`."""

    since: datetime
    added: int
    changed: int
    evaluated: int
    compared: int


class SummaryPublic(BaseModel):
    """A board in figures. No model writes any of it."""

    board_id: str
    name: str
    goal: str
    ideas: int
    starred: int
    evaluated: int
    statuses: dict[str, int]
    origins: dict[str, int]
    tags: list[TagCount]
    untagged: int
    best_ranked: list[RankedIdea]
    best_scored: list[ScoredIdea]
    clusters: list[ClusterCount]
    recent: RecentCounts
    changes: list[TextChange]
