"""Brainstorms and suggestions in the API."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic.config import JsonDict, JsonValue

from service.prompts.languages import IdeaLanguage
from service.schemas.answers import Answer
from service.schemas.fields import (
    AVOIDED_CEILING,
    COMBINED_CEILING,
    SUGGESTIONS_CEILING,
    Body,
    Count,
    Filled,
    IdeaSource,
    MethodId,
    Seed,
    Shape,
    SuggestionOrigin,
    Title,
    Topic,
    given,
)

SOURCES = ("topic", "idea_id", "idea_ids", "suggestion_id")


def _only(name: str, kind: str = "string") -> JsonDict:
    return given(name, *(other for other in SOURCES if other != name), kind=kind)


_ONE_SOURCE: list[JsonValue] = [
    _only("topic"),
    _only("idea_id"),
    _only("idea_ids", kind="array"),
    _only("suggestion_id"),
]


def _all_different(sources: list[IdeaSource]) -> list[IdeaSource]:
    if len(set(sources)) < len(sources):
        raise ValueError("must name each source once")
    return sources


class BrainstormTask(Shape):
    """Asks for ideas. Exactly one of these says what for: a `topic`, an idea to branch from (`idea_id`),
    several ideas to combine (`idea_ids`), or a suggestion to get more like (`suggestion_id`).
    """

    model_config = ConfigDict(json_schema_extra={"oneOf": _ONE_SOURCE})  # null is not given

    topic: Topic | None = Field(default=None, examples=["helping children eat more vegetables"])
    idea_id: str | None = None
    idea_ids: list[str] | None = Field(
        default=None,
        min_length=2,
        max_length=COMBINED_CEILING,
        description="Every suggestion combines these ideas into one.",
        json_schema_extra={"uniqueItems": True},
    )
    suggestion_id: str | None = Field(default=None, description="Any suggestion, kept or not.")
    board_id: str | None = Field(
        default=None, description="The board whose goal and ideas the model gets to know."
    )
    context: Body = Field(
        default="", description="Background information that the ideas should fit."
    )
    method: MethodId = Field(
        default="free", description="How to look for ideas. `/methods` lists the methods."
    )
    angle: Annotated[Filled, StringConstraints(max_length=60)] | None = Field(
        default=None, description="Use only this angle of the method, for every idea."
    )
    n: Count = Field(default=8, description="Ideas that the model writes.")
    language: IdeaLanguage | None = Field(default=None, description="Default: the board's.")
    seed: Seed | None = Field(default=None, description="Default: random.")
    creativity: float = Field(default=0.5, ge=0, le=1)
    avoid_board: bool = Field(
        default=True,
        description="Replace suggestions that are already on the board. If false, they are only "
        "marked with `similar_to`, like all suggestions that resemble an idea of the board.",
    )
    sources: Annotated[list[IdeaSource], AfterValidator(_all_different)] = Field(
        default=["bank", "model"],
        min_length=1,
        max_length=2,
        description="Where ideas come from. `bank` gives up to `n` ideas, at most eight, that were "
        "written for topics like this one, at once and on top of those of the model: ours, which are "
        "in English with topics in Swedish and German too, and those on your other boards. It has "
        "nothing for an idea to branch from or to combine.",
        json_schema_extra={"uniqueItems": True},
    )
    avoid: list[Body] = Field(
        default_factory=list,
        max_length=AVOIDED_CEILING,
        description="Texts to stay away from. A suggestion that resembles one is replaced.",
    )


class SuggestionPublic(BaseModel):
    """A suggestion. `similar_to` is the id of an idea of the board that it resembles, `idea_id` the idea
    that it became, and `redrawn_in` the run that replaced it. An idea of the bank or of another board
    has no angle; `written_for` is the topic that it was written for, and `likeness` the cosine of that
    to the topic asked about. `copied_from` is the id of the idea on the other board. `fit` is the
    probability that people keep it, by what the board had learnt of their taste; null if it had learnt
    nothing.
    """

    id: str
    angle: str
    title: str
    text: str
    similar_to: str | None = None
    state: str = "open"
    idea_id: str | None = None
    redrawn_in: str | None = None
    origin: SuggestionOrigin = "model"
    written_for: str | None = None
    copied_from: str | None = None
    likeness: float | None = Field(default=None, ge=-1, le=1)
    fit: float | None = Field(default=None, ge=0, le=1)

    @property
    def whole(self) -> str:
        return f"{self.title}. {self.text}"


class InspirationPublic(BaseModel):
    """An idea of the bank or of a board. `likeness` is the cosine of `written_for` to the topic asked
    about; `copied_from` is the id of the idea on the board.
    """

    title: str
    text: str
    origin: Literal["bank", "board"] = "bank"
    written_for: str = Field(examples=["get a shy nine-year-old to speak in class"])
    likeness: float = Field(ge=-1, le=1, examples=[0.71])
    copied_from: str | None = None


class InspirationsPublic(BaseModel):
    """A few ideas of each topic come first, nearest topic first. `threshold` is the least likeness of an
    idea in English that is returned.
    """

    topic: str
    threshold: float = Field(examples=[0.6])
    inspirations: list[InspirationPublic]


class IncompletePublic(BaseModel):
    """Why a brainstorm has fewer suggestions than were asked for.

    `drafts` means that the model used up all its attempts, `deadline` that the time for one run was
    over. `repeats` drafts were too similar to another idea; `unusable` ones were no ideas at all.
    """

    reason: Literal["drafts", "deadline"]
    repeats: int = Field(ge=0, examples=[3])
    unusable: int = Field(ge=0, examples=[0])


class SuggestionKeep(Shape):
    """A title or text to use instead of the suggestion's own."""

    title: Title | None = Field(default=None, examples=["A shelf for borrowed tools"])
    body: Body | None = None


class SuggestionsKeep(Shape):
    """Says which suggestions of a run to keep."""

    suggestion_ids: list[str] | None = Field(
        default=None,
        min_length=1,
        max_length=SUGGESTIONS_CEILING,
        description="Default: all open suggestions.",
    )


class SuggestionRedraw(Shape):
    seed: Seed | None = Field(default=None, description="Default: random.")


class RunRepeat(Shape):
    """Repeats a run: exactly with the `same` seed, or with a `new` one and away from what was avoided."""

    seed: Literal["same", "new"] = "same"


class MethodPublic(BaseModel):
    """A way to look for ideas. `when` says when to use it, and `angles` lists its points of view."""

    id: MethodId
    title: str = Field(examples=["SCAMPER"])
    when: str = Field(examples=["When something exists and should get better."])
    angles: list[str] = Field(examples=[["substitute", "combine", "adapt"]])


class BrainstormAnswer(Answer):
    """`incomplete` is given if there are fewer suggestions than were asked for."""

    suggestions: list[SuggestionPublic]
    incomplete: IncompletePublic | None = None
