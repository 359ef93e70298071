"""What the API takes and gives when ideas are compared in pairs and ranked."""

from datetime import datetime

from pydantic import BaseModel, Field

from service.schemas.answers import Answer
from service.schemas.fields import Judge, Outcome, Pairs, Seed, Shape, Version
from service.schemas.ideas import IdeaPublic

_IDEA = "6f1c2d0e-7f57-4e43-9d0b-0d6e7f3a1c55"
_OTHER = "b2a4c8de-13f5-4f0a-8a57-5d0c1f9e2b77"


class ComparisonCreate(Shape):
    """A vote: which of two ideas comes first. The versions are those that were read."""

    first_id: str = Field(min_length=1, max_length=64, examples=[_IDEA])
    second_id: str = Field(min_length=1, max_length=64, examples=[_OTHER])
    outcome: Outcome = Field(
        description="`first` or `second` comes first, or they are equal (`tie`).",
        examples=["first"],
    )
    first_version: Version | None = Field(default=None, description="Default: the newest.")
    second_version: Version | None = Field(default=None, description="Default: the newest.")


class ComparisonPublic(BaseModel):
    """`probability` is the model's for the first idea, the mean of asking in both orders."""

    id: str
    board_id: str
    first_id: str = Field(examples=[_IDEA])
    first_version: int
    second_id: str = Field(examples=[_OTHER])
    second_version: int
    outcome: Outcome
    by: Judge
    probability: float | None = None
    run_id: str | None = None
    created_at: datetime


class StandingPublic(BaseModel):
    """An idea's place. `rank` is null if it was never compared; equal ideas share one.

    `score` says how many of a hundred comparisons with an average idea it is expected to win, and
    lies between `low` and `high` with nine tenths probability. `strength` is the same in log-odds,
    `outdated` counts comparisons of an earlier text.
    """

    rank: int | None = Field(examples=[1])
    idea_id: str = Field(examples=[_IDEA])
    title: str = Field(examples=["A shelf for borrowed tools"])
    score: float = Field(examples=[78.4])
    low: float = Field(examples=[52.1])
    high: float = Field(examples=[92.3])
    strength: float = Field(examples=[1.289])
    standard_error: float = Field(examples=[0.713])
    comparisons: int = Field(examples=[6])
    outdated: int = Field(examples=[0])


class RankingPublic(BaseModel):
    """Best first; ideas never compared come last. Archived ideas are left out."""

    board_id: str
    by: Judge
    comparisons: int = Field(examples=[14])
    ideas: list[StandingPublic]


class RankTask(Shape):
    """Pairs of a board's ideas for the model to compare: those that tell most about its order."""

    board_id: str | None = Field(
        default=None, max_length=64, description="Default: the oldest board."
    )
    pairs: Pairs = Field(
        default=20, description="At most so many; fewer if the model knows the others already."
    )
    seed: Seed | None = Field(
        default=None, description="Decides between pairs that tell as much. Default: drawn."
    )


class RankAnswer(Answer):
    """The comparisons that this run made. Where the two orders disagree, it is a tie."""

    comparisons: list[ComparisonPublic]


class PairPublic(BaseModel):
    """`information`, in nats, is what its answer is expected to tell about the board's order."""

    first: IdeaPublic
    second: IdeaPublic
    information: float = Field(examples=[0.549])
