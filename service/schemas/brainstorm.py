"""What a brainstorm takes and suggests, and what is asked about a suggestion."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
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
    MethodId,
    Seed,
    Shape,
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


class BrainstormTask(Shape):
    """Ideas for a `topic`, branching from the idea `idea_id`, each joining the ideas `idea_ids`, or
    more like the suggestion `suggestion_id`; exactly one of the four.
    """

    model_config = ConfigDict(json_schema_extra={"oneOf": _ONE_SOURCE})  # null is not given

    topic: Topic | None = Field(default=None, examples=["helping children eat more vegetables"])
    idea_id: str | None = None
    idea_ids: list[str] | None = Field(
        default=None,
        min_length=2,
        max_length=COMBINED_CEILING,
        description="Every suggestion joins these into one idea.",
        json_schema_extra={"uniqueItems": True},
    )
    suggestion_id: str | None = Field(default=None, description="It need not be kept.")
    board_id: str | None = Field(default=None, description="Whose ideas and goal to know about.")
    context: Body = Field(default="", description="Background the ideas should fit.")
    method: MethodId = Field(default="free", description="How to look for ideas; see `/methods`.")
    angle: Annotated[Filled, StringConstraints(max_length=60)] | None = Field(
        default=None, description="Only this angle of the method, for every idea."
    )
    n: Count = 8
    language: IdeaLanguage | None = Field(default=None, description="Default: the board's.")
    seed: Seed | None = Field(default=None, description="Default: drawn at random.")
    creativity: float = Field(default=0.5, ge=0, le=1)
    avoid_board: bool = Field(
        default=True,
        description="Draw again what is on the board already. If false it is only marked, as what "
        "is near to an idea of the board always is: `similar_to`.",
    )
    avoid: list[Body] = Field(
        default_factory=list,
        max_length=AVOIDED_CEILING,
        description="Less like these texts: what resembles one is drawn again.",
    )


class SuggestionPublic(BaseModel):
    """`similar_to` is the board's idea it is near to, `idea_id` the one it became, `redrawn_in` the
    run that drew another one in its place.
    """

    id: str
    angle: str
    title: str
    text: str
    similar_to: str | None = None
    state: str = "open"
    idea_id: str | None = None
    redrawn_in: str | None = None


class IncompletePublic(BaseModel):
    """Why a brainstorm has fewer suggestions than were asked for.

    `drafts` means that the model used up all its attempts, `deadline` that the time for one run was
    over. `repeats` drafts were too similar to another idea; `unusable` ones were no ideas at all.
    """

    reason: Literal["drafts", "deadline"]
    repeats: int = Field(ge=0, examples=[3])
    unusable: int = Field(ge=0, examples=[0])


class SuggestionKeep(Shape):
    """Another title or text than the suggestion's own, if they are given."""

    title: Title | None = Field(default=None, examples=["A shelf for borrowed tools"])
    body: Body | None = None


class SuggestionsKeep(Shape):
    """Which suggestions of a run to keep."""

    suggestion_ids: list[str] | None = Field(
        default=None,
        min_length=1,
        max_length=SUGGESTIONS_CEILING,
        description="Default: all that are open.",
    )


class SuggestionRedraw(Shape):
    seed: Seed | None = Field(default=None, description="Default: drawn at random.")


class RunRepeat(Shape):
    """`same` repeats the run; `new` asks its question again, and keeps away from what was avoided."""

    seed: Literal["same", "new"] = "same"


class MethodPublic(BaseModel):
    """A way to look for ideas; `when` says when to use it, `angles` from where it may look."""

    id: MethodId
    title: str = Field(examples=["SCAMPER"])
    when: str = Field(examples=["When something exists and should get better."])
    angles: list[str] = Field(examples=[["substitute", "combine", "adapt"]])


class BrainstormAnswer(Answer):
    """`incomplete` is given if there are fewer suggestions than were asked for."""

    suggestions: list[SuggestionPublic]
    incomplete: IncompletePublic | None = None
