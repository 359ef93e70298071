"""The types of values in the API. Texts are cleaned when they come in; OpenAPI describes the types."""

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

# The highest values that the settings may give a limit. `store` checks the limits themselves, and
# `web.openapi` writes them into the OpenAPI document.
TITLE_CEILING = 1000
BODY_CEILING = 65536
TAG_CEILING = 40
FACT_CEILING = 300
TAGS_CEILING = 20
SUGGESTIONS_CEILING = 100
PAIRS_CEILING = 200
IDEAS_CEILING = 1000
COMBINED_CEILING = 5
AVOIDED_CEILING = 20
COMMENT_CEILING = 4000

Status = Literal["draft", "kept", "in-progress", "done", "archived"]
Origin = Literal["human", "model", "import", "bank", "board"]
IdeaSource = Literal["bank", "model"]
SuggestionOrigin = Literal["bank", "board", "model"]
RunKind = Literal["brainstorm", "refine", "evaluate", "evaluate-all", "rank"]
RunStatus = Literal["queued", "running", "done", "failed", "cancelled", "interrupted"]
UNFINISHED: tuple[RunStatus, ...] = ("queued", "running")
# `avoided` is discarded, and later suggestions must not resemble it.
SuggestionState = Literal["open", "kept", "discarded", "avoided"]
# `prompts.methods` has the methods; a test checks that the two agree.
MethodId = Literal[
    "free", "scamper", "reverse", "six-hats", "personas", "constraints", "analogies", "questions"
]
Sort = Literal["new", "old", "updated", "score", "likes", "rank", "title", "place"]
Decision = Literal["open", "accepted", "rejected"]
# Which of two ideas comes first, and who decided it.
Outcome = Literal["first", "second", "tie"]
Judge = Literal["people", "model"]


def clean_line(text: str) -> str:
    """Cleans a text and joins its lines."""
    return one_line(clean_text(text))


BLANK = Text("must hold at least one visible character")


def filled(value: str) -> str:
    if not value:
        raise ValueError(BLANK)
    return value


Line = Annotated[str, AfterValidator(clean_line)]
# Only describes the rule in the schema; `filled` checks it, after cleaning.
_VISIBLE = r"[^\s\x00-\x1f\x7f-\x9f\xad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]"
Filled = Annotated[
    Line, AfterValidator(filled), Field(min_length=1, json_schema_extra={"pattern": _VISIBLE})
]
Title = Annotated[Filled, StringConstraints(max_length=TITLE_CEILING)]
Body = Annotated[str, AfterValidator(clean_text), StringConstraints(max_length=BODY_CEILING)]
VisibleText = Annotated[
    str,
    AfterValidator(clean_text),
    AfterValidator(filled),
    Field(min_length=1, json_schema_extra={"pattern": _VISIBLE}),
]
CommentText = Annotated[VisibleText, StringConstraints(max_length=COMMENT_CEILING)]
Tag = Annotated[Filled, StringConstraints(max_length=TAG_CEILING)]


class Shape(BaseModel):
    """Input of the API. Unknown fields and wrong types are refused, so that a typing error does not go
    unnoticed.
    """

    model_config = ConfigDict(extra="forbid", strict=True)


def given(name: str, *without: str, kind: str = "string") -> JsonDict:
    """Returns the JSON Schema for: `name` is given and of this type, the fields `without` are not."""
    wanted: JsonDict = {"type": kind}
    if kind == "array":
        # Generators of clients drop an operation whose arrays do not tell their items.
        wanted["items"] = {"type": "string"}
    properties: JsonDict = {name: wanted, **{field: {"type": "null"} for field in without}}
    return {"required": [name], "properties": properties}


def whole(value: object) -> object:
    """Turns a whole float into an integer, because JSON has one type of number."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Seed = Annotated[int, Field(ge=0, lt=2**31), BeforeValidator(whole)]
Version = Annotated[int, Field(ge=1, lt=2**31), BeforeValidator(whole)]
Pairs = Annotated[int, Field(ge=1, le=PAIRS_CEILING), BeforeValidator(whole)]
Count = Annotated[int, Field(ge=1, le=SUGGESTIONS_CEILING), BeforeValidator(whole)]
Topic = Annotated[Filled, StringConstraints(max_length=TITLE_CEILING)]


IDEA_OR_TEXT: list[JsonValue] = [given("idea_id", "title", "body"), given("title", "idea_id")]
