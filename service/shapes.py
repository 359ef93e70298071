"""What the API takes and gives; the tables they come from stand in `models`."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)
from pydantic.config import JsonDict, JsonValue

from service.brainstorm_shapes import BrainstormTask, SuggestionPublic
from service.comparison_shapes import ComparisonPublic, RankTask
from service.evaluation_shapes import (
    CRITERIA_CEILING,
    CriterionName,
    CriterionShape,
    EvaluateAllTask,
    EvaluationPublic,
    FailurePublic,
    ScoringPublic,
    Spread,
)
from service.fields import (
    TAGS_CEILING,
    Body,
    Decision,
    RunKind,
    RunStatus,
    Seed,
    Shape,
    Status,
    Tag,
    Title,
    filled,
    given,
    whole,
)
from service.prompts.languages import AS_WRITTEN, IdeaLanguage


class BoardCreate(Shape):
    name: Title = Field(examples=["Street party"])
    goal: Body = Field(default="", examples=["A party the whole street enjoys."])
    language: IdeaLanguage = AS_WRITTEN


class BoardUpdate(Shape):
    name: Title | None = None
    goal: Body | None = None
    language: IdeaLanguage | None = None


class BoardPublic(BaseModel):
    id: str
    name: str
    goal: str
    language: str = AS_WRITTEN
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
    is_stale: bool = Field(description="Whether `score` is of an earlier text.")
    created_at: datetime
    updated_at: datetime


class VersionPublic(BaseModel):
    number: int
    title: str
    body: str
    origin: str
    run_id: str | None
    created_at: datetime


_BOTH_CRITERIA_AND_RUBRIC: JsonDict = {
    "required": ["criteria", "rubric_id"],
    "properties": {"criteria": {"type": "array"}, "rubric_id": {"type": "string"}},
}
_IDEA_OR_TEXT: list[JsonValue] = [given("idea_id", "title", "body"), given("title", "idea_id")]


class RefineTask(Shape):
    """A better text for the idea `idea_id`, or for `title` and `body`; of all of it or of one passage."""

    model_config = ConfigDict(json_schema_extra={"oneOf": _IDEA_OR_TEXT})

    idea_id: str | None = None
    title: Title | None = Field(default=None, examples=["tool shelf"])
    body: Body | None = Field(default=None, examples=["shelf in the hall, people lend drills"])
    instruction: Body = Field(default="", examples=["shorter"])
    selection: Annotated[Body, AfterValidator(filled)] | None = Field(
        default=None,
        description="Only this passage, as it stands in the body; the rest stays byte for byte.",
        examples=["people lend drills"],
    )
    start: Annotated[int, Field(ge=0, lt=2**31), BeforeValidator(whole)] | None = Field(
        default=None, description="The character of the body where it begins, if it is there twice."
    )
    language: IdeaLanguage | None = Field(default=None, description="Default: the board's.")
    seed: Seed | None = None


class EvaluateTask(Shape):
    """Scores and advice for the idea `idea_id`, or for `title` and `body`; by a rubric of its board,
    or by own `criteria`.
    """

    model_config = ConfigDict(
        json_schema_extra={"oneOf": _IDEA_OR_TEXT, "not": _BOTH_CRITERIA_AND_RUBRIC}
    )

    idea_id: str | None = None
    title: Title | None = Field(default=None, examples=["Tool shelf"])
    body: Body | None = Field(default=None, examples=["A shelf in the hall for borrowed tools."])
    criteria: list[CriterionShape | CriterionName] | None = Field(
        default=None,
        min_length=1,
        max_length=CRITERIA_CEILING,
        description="Default: novelty, feasibility, impact and clarity.",
        json_schema_extra={"uniqueItems": True},
    )
    rubric_id: Annotated[str, StringConstraints(max_length=64)] | None = Field(
        default=None, description="A rubric of the idea's board, instead of `criteria`."
    )
    language: IdeaLanguage | None = Field(default=None, description="Default: the board's.")
    seed: Seed | None = None


Task = BrainstormTask | RefineTask | EvaluateTask | EvaluateAllTask | RankTask


class RunError(BaseModel):
    type: str
    detail: str
    # As `wording.pack` gives it; for pages.
    words: Any = Field(default=None, exclude=True)


class RunPublic(BaseModel):
    """A run as it stands; the fields of its answer are filled in as they come.

    `evaluations` are those of a run over a board; a list of runs leaves them out.
    """

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
    comparisons: list[ComparisonPublic] = Field(default_factory=list)
    evaluations: list[EvaluationPublic] = Field(default_factory=list)
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


class EvaluateAnswer(Answer):
    """Scores and `overall`, their weighted mean, go from 1 to 10."""

    rubric_id: str | None
    criteria: list[CriterionShape]
    scores: dict[str, float]
    spread: Spread
    overall: float
    scoring: ScoringPublic
    strengths: list[str]
    concerns: list[str]
    next_step: str


class EvaluateAllAnswer(Answer):
    """The evaluations in the order in which they were done, and what could not be evaluated."""

    evaluations: list[EvaluationPublic]
    failed: list[FailurePublic]


class RankAnswer(Answer):
    """The comparisons that this run made. Where the two orders disagree, it is a tie."""

    comparisons: list[ComparisonPublic]


class PairPublic(BaseModel):
    """`information`, in nats, is what its answer is expected to tell about the board's order."""

    first: IdeaPublic
    second: IdeaPublic
    information: float = Field(examples=[0.549])
