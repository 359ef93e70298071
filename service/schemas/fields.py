"""The kinds of values the API takes: cleaned on their way in, described in the OpenAPI document."""

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)
from pydantic.config import JsonDict, JsonValue

from service.messages import Text
from service.text.cleaning import clean_text, one_line

# The largest the limits in the settings may be set to; the settings themselves are checked in
# `store`, and written into the OpenAPI document by `app`.
TITLE_CEILING = 1000
BODY_CEILING = 65536
TAG_CEILING = 40
TAGS_CEILING = 20
SUGGESTIONS_CEILING = 100
PAIRS_CEILING = 200
IDEAS_CEILING = 1000
COMBINED_CEILING = 5
AVOIDED_CEILING = 20

Status = Literal["draft", "kept", "in-progress", "done", "archived"]
Origin = Literal["human", "model", "import"]
RunKind = Literal["brainstorm", "refine", "evaluate", "evaluate-all", "rank"]
RunStatus = Literal["queued", "running", "done", "failed", "cancelled", "interrupted"]
UNFINISHED: tuple[RunStatus, ...] = ("queued", "running")
# `avoided` is discarded, and what is drawn next shall be less like it.
SuggestionState = Literal["open", "kept", "discarded", "avoided"]
# The catalogue is in `methods`; a test keeps the two the same.
MethodId = Literal[
    "free", "scamper", "reverse", "six-hats", "personas", "constraints", "analogies", "questions"
]
Decision = Literal["open", "accepted", "rejected"]
# Which of two ideas was put first, and who said so.
Outcome = Literal["first", "second", "tie"]
Judge = Literal["people", "model"]


def clean_line(text: str) -> str:
    """`clean_text` on one line."""
    return one_line(clean_text(text))


def filled(value: str) -> str:
    if not value:
        raise ValueError(Text("must hold at least one visible character"))
    return value


Line = Annotated[str, AfterValidator(clean_line)]
# For readers of the schema; what counts is `filled`, after cleaning.
_VISIBLE = r"[^\s\x00-\x1f\x7f-\x9f\xad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]"
Filled = Annotated[
    Line, AfterValidator(filled), Field(min_length=1, json_schema_extra={"pattern": _VISIBLE})
]
Title = Annotated[Filled, StringConstraints(max_length=TITLE_CEILING)]
Body = Annotated[str, AfterValidator(clean_text), StringConstraints(max_length=BODY_CEILING)]
Tag = Annotated[Filled, StringConstraints(max_length=TAG_CEILING)]


class Shape(BaseModel):
    """What comes over the API. Unknown fields and other types are refused, so that a typing error is
    seen instead of guessed at.
    """

    model_config = ConfigDict(extra="forbid", strict=True)


def given(name: str, *without: str, kind: str = "string") -> JsonDict:
    """JSON Schema: `name` is there and of that kind, the others are not."""
    kinds = {name: kind} | dict.fromkeys(without, "null")
    properties: JsonDict = {field: {"type": each} for field, each in kinds.items()}
    return {"required": [name], "properties": properties}


def whole(value: object) -> object:
    """JSON has one kind of number: 8.0 is the integer 8."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Seed = Annotated[int, Field(ge=0, lt=2**31), BeforeValidator(whole)]
Version = Annotated[int, Field(ge=1, lt=2**31), BeforeValidator(whole)]
Pairs = Annotated[int, Field(ge=1, le=PAIRS_CEILING), BeforeValidator(whole)]
Count = Annotated[int, Field(ge=1, le=SUGGESTIONS_CEILING), BeforeValidator(whole)]
Topic = Annotated[Filled, StringConstraints(max_length=TITLE_CEILING)]


IDEA_OR_TEXT: list[JsonValue] = [given("idea_id", "title", "body"), given("title", "idea_id")]
