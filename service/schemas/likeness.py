"""How alike the ideas of a board are, in the API."""

from typing import Literal

from pydantic import BaseModel, Field

LikenessState = Literal["too_few", "measuring", "measured"]
Level = Literal["varied", "alike", "very_alike"]
Verdict = Literal["people_more_varied", "model_more_varied", "no_clear_difference"]
Reader = Literal["sentences", "words"]


class Spread(BaseModel):
    """How alike some ideas are: the mean cosine of two of them, 1 for the same meaning.

    It is between `low` and `high` with a probability of 95%, were other ideas of the same kind written.
    `distinct` counts the compared ideas that repeat no other one.
    """

    ideas: int = Field(examples=[42])
    compared: int = Field(examples=[42], description="At most 150, always the same ones.")
    state: LikenessState = Field(examples=["measured"])
    likeness: float | None = Field(default=None, examples=[0.31])
    low: float | None = Field(default=None, examples=[0.27])
    high: float | None = Field(default=None, examples=[0.34])
    level: Level | None = Field(default=None, examples=["varied"])
    distinct: int | None = Field(default=None, examples=[38])


class LikenessPublic(BaseModel):
    """People's ideas and imported ones, and the model's; those of the bank and of other boards count as
    neither. `verdict` is null unless both are measured.

    While `state` is `measuring`, each call reads some more texts. `reader` says what reads them: an
    encoder of English sentences, or word vectors for other languages. Values of one cannot be compared
    with values of the other.
    """

    board_id: str
    state: LikenessState = Field(examples=["measured"])
    needed: int = Field(
        examples=[8], description="Ideas of a kind from which on they are measured."
    )
    reader: Reader = Field(examples=["sentences"])
    people: Spread
    model: Spread
    verdict: Verdict | None = Field(examples=["people_more_varied"])
