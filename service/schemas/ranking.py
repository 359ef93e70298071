"""Comparisons of two ideas, and rankings, in the API."""

from datetime import datetime

from pydantic import BaseModel, Field

from service.schemas.answers import Answer
from service.schemas.fields import Judge, Outcome, Pairs, Seed, Shape, Version
from service.schemas.ideas import IdeaPublic
from service.schemas.people import PersonPublic

_IDEA = "6f1c2d0e-7f57-4e43-9d0b-0d6e7f3a1c55"
_OTHER = "b2a4c8de-13f5-4f0a-8a57-5d0c1f9e2b77"


class ComparisonCreate(Shape):
    """A vote: which of two ideas comes first. The versions say which texts were read."""

    first_id: str = Field(min_length=1, max_length=64, examples=[_IDEA])
    second_id: str = Field(min_length=1, max_length=64, examples=[_OTHER])
    outcome: Outcome = Field(
        description="Which idea comes first, `first` or `second`; `tie` if they are equal.",
        examples=["first"],
    )
    first_version: Version | None = Field(default=None, description="Default: the newest.")
    second_version: Version | None = Field(default=None, description="Default: the newest.")


class ComparisonPublic(BaseModel):
    """A comparison. `probability` is the model's probability that the first idea comes first, averaged over both
    orders; people's comparisons have none.
    """

    id: str
    board_id: str
    first_id: str = Field(examples=[_IDEA])
    first_version: int
    second_id: str = Field(examples=[_OTHER])
    second_version: int
    outcome: Outcome
    by: Judge
    author: PersonPublic | None = Field(
        default=None,
        description="The person who voted, or who asked the model. Null for whoever needs no name.",
    )
    probability: float | None = None
    run_id: str | None = None
    created_at: datetime


class StandingPublic(BaseModel):
    """An idea's place in the ranking. `rank` is null if it was never compared; equal ideas share one.

    `score` is the number of comparisons with an average idea, out of 100, that it is expected to win.
    It is between `low` and `high` with a probability of 90%. `strength` is the score in log-odds.
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


class ContestedPublic(BaseModel):
    """An idea that people disagree about: how many pairs with it several people judged, and in how many
    of these one person put it first and another put it second.
    """

    idea_id: str = Field(examples=[_IDEA])
    title: str = Field(examples=["A shelf for borrowed tools"])
    contested: int = Field(examples=[3])
    shared: int = Field(examples=[5])


class ConsensusPublic(BaseModel):
    """How far people agree. Only pairs that several people judged tell; each person's newest vote on a
    pair counts.

    `agreement` is the chance that two people who judged the same pair gave the same answer. `alpha`
    is Krippendorff's: 1 is full agreement, 0 what chance would give, and it can be negative. Both are
    null while there are fewer than ten such pairs.
    """

    people: int = Field(description="How many people voted.", examples=[4])
    shared_pairs: int = Field(description="How many pairs several people judged.", examples=[17])
    agreement: float | None = Field(examples=[0.765])
    alpha: float | None = Field(examples=[0.542])
    contested: list[ContestedPublic] = Field(
        description="The ideas that people disagree about most, at most five."
    )


class RankingPublic(BaseModel):
    """A ranking, best idea first. Ideas that were never compared come last; archived ideas are left out.

    `consensus` is null for the model's ranking.
    """

    board_id: str
    by: Judge
    comparisons: int = Field(examples=[14])
    consensus: ConsensusPublic | None = None
    ideas: list[StandingPublic]


class RankTask(Shape):
    """Asks the model to compare the pairs of ideas that say most about the board's order."""

    board_id: str | None = Field(
        default=None, max_length=64, description="Default: the oldest board."
    )
    pairs: Pairs = Field(
        default=20,
        description="The most pairs to compare; fewer if the model has compared the others already.",
    )
    seed: Seed | None = Field(
        default=None, description="Decides between pairs that say equally much. Default: random."
    )


class RankAnswer(Answer):
    """The comparisons that this run made. A pair is a tie if the two orders disagree."""

    comparisons: list[ComparisonPublic]


class PairPublic(BaseModel):
    """Two ideas to compare. `information`, in nats, is how much the answer should say about the order."""

    first: IdeaPublic
    second: IdeaPublic
    information: float = Field(examples=[0.549])
