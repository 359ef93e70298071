"""What the API takes and gives; the tables they come from stand in `models`."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)
from pydantic.config import JsonDict, JsonValue

from service.text import clean_text, one_line

# The largest the limits in the settings may be set to; the settings themselves are checked in
# `store`, and written into the OpenAPI document by `app`.
TITLE_CEILING = 1000
BODY_CEILING = 65536
TAG_CEILING = 40
TAGS_CEILING = 20
SUGGESTIONS_CEILING = 100

Status = Literal["draft", "kept", "in-progress", "done", "archived"]
Origin = Literal["human", "model", "import"]
RunKind = Literal["brainstorm", "refine", "evaluate"]
RunStatus = Literal["queued", "running", "done", "failed", "cancelled", "interrupted"]
SuggestionState = Literal["open", "kept", "discarded"]
# The catalogue is in `methods`; a test keeps the two the same.
MethodId = Literal[
    "free", "scamper", "reverse", "six-hats", "personas", "constraints", "analogies", "questions"
]
Decision = Literal["open", "accepted", "rejected"]


def clean_line(text: str) -> str:
    """`clean_text` on one line."""
    return one_line(clean_text(text))


def filled(value: str) -> str:
    if not value:
        raise ValueError("must hold at least one visible character")
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


class BoardCreate(Shape):
    name: Title = Field(examples=["Street party"])
    goal: Body = Field(default="", examples=["A party the whole street enjoys."])


class BoardUpdate(Shape):
    name: Title | None = None
    goal: Body | None = None


class BoardPublic(BaseModel):
    id: str
    name: str
    goal: str
    created_at: datetime
    updated_at: datetime


class IdeaCreate(Shape):
    board_id: str | None = Field(default=None, description="Default: the oldest board.")
    title: Title = Field(examples=["A shelf for borrowed tools"])
    body: Body = Field(default="", examples=["Neighbours lend drills and ladders."])
    status: Status = "draft"
    star: bool = False
    tags: list[Tag] = Field(default_factory=list, max_length=TAGS_CEILING)
    parent_id: str | None = None


class IdeaUpdate(Shape):
    board_id: str | None = None
    title: Title | None = None
    body: Body | None = None
    status: Status | None = None
    star: bool | None = None
    tags: list[Tag] | None = Field(default=None, max_length=TAGS_CEILING)


class IdeaPublic(BaseModel):
    id: str
    board_id: str
    title: str
    body: str
    status: str
    star: bool
    tags: list[str]
    parent_id: str | None
    origin: str
    version: int
    revision: int
    score: float | None
    created_at: datetime
    updated_at: datetime


class VersionPublic(BaseModel):
    number: int
    title: str
    body: str
    origin: str
    run_id: str | None
    created_at: datetime


class SuggestionPublic(BaseModel):
    id: str
    angle: str
    title: str
    text: str
    similar_to: str | None = None
    state: str = "open"
    idea_id: str | None = None


class EvaluationPublic(BaseModel):
    run_id: str
    idea_id: str
    idea_version: int
    scores: dict[str, float]
    overall: float
    method: str
    calibrated: bool
    strengths: list[str]
    concerns: list[str]
    next_step: str
    created_at: datetime


def whole(value: object) -> object:
    """JSON has one kind of number: 8.0 is the integer 8."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Seed = Annotated[int, Field(ge=0, lt=2**31), BeforeValidator(whole)]
Count = Annotated[int, Field(ge=1, le=SUGGESTIONS_CEILING), BeforeValidator(whole)]
Topic = Annotated[Filled, StringConstraints(max_length=TITLE_CEILING)]


def _given(name: str, *without: str) -> JsonDict:
    """JSON Schema: `name` is there and is a text, the others are not."""
    kinds = {name: "string"} | dict.fromkeys(without, "null")
    properties: JsonDict = {field: {"type": kind} for field, kind in kinds.items()}
    return {"required": [name], "properties": properties}


_IDEA_OR_TEXT: list[JsonValue] = [_given("idea_id", "title", "body"), _given("title", "idea_id")]


class BrainstormTask(Shape):
    """Ideas for a `topic`, or branching from the idea `idea_id`; exactly one of the two."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [_given("topic"), _given("idea_id")]}  # null is not given
    )

    topic: Topic | None = Field(default=None, examples=["a street party that costs nothing"])
    idea_id: str | None = None
    board_id: str | None = Field(default=None, description="Whose ideas and goal to know about.")
    context: Body = Field(default="", description="Background the ideas should fit.")
    method: MethodId = Field(default="free", description="How to look for ideas.")
    n: Count = 8
    seed: Seed | None = Field(default=None, description="Default: drawn at random.")
    creativity: float = Field(default=0.5, ge=0, le=1)


class RefineTask(Shape):
    """A better text for the idea `idea_id`, or for `title` and `body`."""

    model_config = ConfigDict(json_schema_extra={"oneOf": _IDEA_OR_TEXT})

    idea_id: str | None = None
    title: Title | None = Field(default=None, examples=["tool shelf"])
    body: Body | None = Field(default=None, examples=["shelf in the hall, people lend drills"])
    instruction: Body = Field(default="", examples=["shorter"])
    seed: Seed | None = None


class CriterionShape(Shape):
    name: Annotated[Filled, StringConstraints(max_length=40)]
    description: Annotated[Line, StringConstraints(max_length=200)] = ""


class EvaluateTask(Shape):
    """Scores and advice for the idea `idea_id`, or for `title` and `body`."""

    model_config = ConfigDict(json_schema_extra={"oneOf": _IDEA_OR_TEXT})

    idea_id: str | None = None
    title: Title | None = Field(default=None, examples=["Tool shelf"])
    body: Body | None = Field(default=None, examples=["A shelf in the hall for borrowed tools."])
    criteria: list[CriterionShape | Annotated[Filled, StringConstraints(max_length=40)]] | None = (
        Field(
            default=None,
            min_length=1,
            max_length=8,
            description="Default: the four of the rubric.",
            json_schema_extra={"uniqueItems": True},
        )
    )
    seed: Seed | None = None


Task = BrainstormTask | RefineTask | EvaluateTask


class RunError(BaseModel):
    type: str
    detail: str


class RunPublic(BaseModel):
    """A run as it stands; the fields of its answer are filled in as they come."""

    run_id: str
    kind: RunKind
    status: RunStatus
    board_id: str | None = None
    idea_id: str | None = None
    idea_version: int | None = None
    model: str = ""
    weights_sha256: str = ""
    adapter_sha256: str | None = None
    seed: int = 0
    request: dict[str, Any]
    prompts: list[Any] | None = None
    usage: dict[str, Any] | None = None
    timing: dict[str, Any] | None = None
    error: RunError | None = None
    decision: Decision = "open"
    result: dict[str, Any] | None = None
    suggestions: list[SuggestionPublic] = Field(default_factory=list)
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None


class UsagePublic(BaseModel):
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int


class TimingPublic(BaseModel):
    """Seconds: waiting in the queue, until the first suggestion or score, and in all."""

    queued_s: float
    first_s: float | None = None
    total_s: float


class Answer(BaseModel):
    run_id: str
    status: RunStatus
    model: str
    usage: UsagePublic
    timing: TimingPublic


class BrainstormAnswer(Answer):
    suggestions: list[SuggestionPublic]


class RefineAnswer(Answer):
    title: str
    body: str
    changes: list[str]


class ScoringPublic(BaseModel):
    """How the scores were made: `head` is calibrated on labelled ideas, `digits` is what the model
    would say, `mixed` has some of both; `uncalibrated` names the criteria that no head knows.
    """

    method: Literal["head", "digits", "mixed"]
    calibrated: bool
    uncalibrated: list[str]


class EvaluateAnswer(Answer):
    """Scores and `overall` go from 1 to 10."""

    scores: dict[str, float]
    overall: float
    scoring: ScoringPublic
    strengths: list[str]
    concerns: list[str]
    next_step: str


class SuggestionKeep(Shape):
    """Another title or text than the suggestion's own, if they are given."""

    title: Title | None = None
    body: Body | None = None
