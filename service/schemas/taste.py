"""What a board has learnt of its people's taste, in the API."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

TasteState = Literal["off", "gathering", "no_better", "in_use"]


class TasteCounts(BaseModel):
    """What people decided on the board. `liked` suggestions are those that more like it was asked for,
    or that became an idea with a star; they are among the others too.
    """

    kept: int = Field(examples=[12])
    discarded: int = Field(examples=[9])
    avoided: int = Field(examples=[2], description="“Less like this”.")
    liked: int = Field(examples=[3])
    compared: int = Field(examples=[6], description="Pairs of ideas that a person compared.")

    @property
    def wanted(self) -> int:
        return self.kept

    @property
    def unwanted(self) -> int:
        return self.discarded + self.avoided

    @property
    def total(self) -> int:
        return self.wanted + self.unwanted + self.compared


class TastePublic(BaseModel):
    """Suggestions are ordered by what was learnt if `state` is `in_use`. Otherwise learning is `off`, it
    is `gathering` decisions until there are `needed`, or it would be `no_better` than without.

    `accuracy` is measured on decisions that were left out of learning: the share of `pairs`, a wanted
    and an unwanted suggestion of one brainstorm, that it puts the right way round. `accuracy_without`
    is that of the order without learning; 0.5 is chance.
    """

    board_id: str
    state: TasteState
    since: datetime | None = Field(
        description="Nothing is learnt from what was decided before; null is everything."
    )
    counts: TasteCounts
    needed: int = Field(examples=[20], description="Decisions from which on the board learns.")
    pairs: int = Field(examples=[84])
    accuracy: float | None = Field(ge=0, le=1, examples=[0.64])
    accuracy_without: float | None = Field(ge=0, le=1, examples=[0.58])
    words_for: list[str] = Field(
        description="Words that speak for a suggestion on this board, strongest first.",
        examples=[["together", "soup", "neighbours"]],
    )
    words_against: list[str] = Field(examples=[["form", "online"]])
