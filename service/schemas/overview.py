"""What the API takes and gives where many ideas are looked at together: what is alike, groups,
where ideas come from, how a board stands.
"""

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
    """The ideas of the board that are at least `threshold` like the idea, the most similar first."""

    idea_id: str
    threshold: float
    ideas: list[SimilarIdea]


class ClusterPublic(BaseModel):
    """`anchor_id` is the idea most like the others; `title` is made of the words they share.
    `tag` is one that all of them carry already.
    """

    anchor_id: str
    title: str
    similarity: float = Field(description="Mean over the pairs.", examples=[0.38])
    tag: str | None = None
    ideas: list[IdeaLink]


class ClustersPublic(BaseModel):
    """A preview; nothing is changed by asking. `alone` are the ideas in no group, and `unseen`
    older ones, beyond those that are compared.
    """

    board_id: str
    granularity: Granularity
    counts: list[int] = Field(
        description="How many groups each granularity gives; it never falls.",
        examples=[[2, 3, 4, 6, 8]],
    )
    threshold: float = Field(
        description="The least alike groups that were joined are that much alike on average."
    )
    fingerprint: str = Field(description="The same as long as the groups are.")
    clusters: list[ClusterPublic]
    alone: list[IdeaLink]
    unseen: int


class ClusterChoice(Shape):
    title: Tag = Field(examples=["Bread & rolls"])
    idea_ids: IdeaIds


class ClustersApply(Shape):
    """Groups to make tags of, each with the title that the tag shall have."""

    clusters: list[ClusterChoice] = Field(min_length=1, max_length=GROUPS_CEILING)

    def tags_by_idea(self) -> dict[str, list[str]]:
        tags: dict[str, list[str]] = {}
        for cluster in self.clusters:
            for idea_id in cluster.idea_ids:
                tags.setdefault(idea_id, []).append(cluster.title)
        return {idea_id: list(dict.fromkeys(titles)) for idea_id, titles in tags.items()}


class LineageNode(BaseModel):
    """`parent_id` is the idea it was branched from, `also_from` are further ones that went into it,
    and `went_into` are ideas of other branches that it went into. A deleted idea is there only where
    ideas come from it, and without its title.
    """

    idea_id: str = Field(examples=["6f1c2d0e-7f57-4e43-9d0b-0d6e7f3a1c55"])
    title: str | None = Field(examples=["Bread at half price"])
    status: str = Field(examples=["kept"])
    parent_id: str | None = None
    also_from: list[str] = Field(default_factory=list)
    went_into: list[str] = Field(default_factory=list)
    is_deleted: bool = False


class LineagePublic(BaseModel):
    """Parents come before their children. `trees` counts all that the board has; `unseen` are the
    ideas of the shown trees that did not fit.
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
    """An idea that was added, or got another text; `origin` says by whom."""

    idea_id: str
    title: str
    kind: Literal["added", "changed"]
    version: int
    origin: str
    at: datetime


class RecentCounts(BaseModel):
    """What happened since `since`."""

    since: datetime
    added: int
    changed: int
    evaluated: int
    compared: int


class SummaryPublic(BaseModel):
    """A board in figures. Nothing in it is written by a model."""

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
