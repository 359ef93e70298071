"""The file that export gives and import takes; versioned, so that old files can be told apart.

Nothing in it is optional: a file that lacks something is a damaged one. What came from a model is
checked like what comes from a person, because whoever writes the file writes both.
"""

from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from service.brainstorm_shapes import BrainstormTask
from service.comparison_shapes import RankTask
from service.fields import (
    SUGGESTIONS_CEILING,
    TAGS_CEILING,
    Body,
    Decision,
    Judge,
    Origin,
    Outcome,
    RunKind,
    RunStatus,
    Seed,
    Shape,
    Status,
    SuggestionState,
    Tag,
    Title,
    whole,
)
from service.shapes import EvaluateTask, RefineTask, ScoringPublic
from service.transfer_fields import (
    Amount,
    Criterion,
    Key,
    Moment,
    Name,
    Number,
    Plain,
    Point,
    Points,
    Refined,
    Rows,
    Score,
    Scores,
    Seconds,
    Words,
)


class BoardRow(Shape):
    id: Key
    name: Title
    goal: Body
    created_at: Moment
    updated_at: Moment


class IdeaRow(Shape):
    id: Key
    board_id: Key
    title: Title
    body: Body
    status: Status
    star: bool
    tags: list[Tag] = Field(max_length=TAGS_CEILING)
    parent_id: Key | None
    origin: Origin
    version: Number
    revision: Number
    score: Score | None
    created_at: Moment
    updated_at: Moment


class VersionRow(Shape):
    idea_id: Key
    number: Number
    title: Title
    body: Body
    origin: Origin
    run_id: Key | None
    created_at: Moment


class MessageRow(Shape):
    role: Literal["system", "user", "assistant"]
    content: Plain


class UsageRow(Shape):
    prompt_tokens: Amount
    cached_tokens: Amount
    completion_tokens: Amount


class TimingRow(Shape):
    queued_s: Seconds | None
    first_s: Seconds | None
    total_s: Seconds


class ErrorRow(Shape):
    type: Name
    detail: Plain
    words: Words = None


class _NoResult(Shape):
    """What a brainstorm suggests and a ranking compares are rows of their own."""


class _Scoring(ScoringPublic):
    model_config = Shape.model_config

    uncalibrated: list[Criterion] = Field(max_length=8)


class _Evaluated(Shape):
    scores: Scores
    overall: Score
    scoring: _Scoring
    strengths: Points
    concerns: Points
    next_step: Point


_REQUESTS: dict[str, type[Shape]] = {
    "brainstorm": BrainstormTask,
    "refine": RefineTask,
    "evaluate": EvaluateTask,
    "rank": RankTask,
}
_RESULTS: dict[str, type[Shape]] = {
    "brainstorm": _NoResult,
    "refine": Refined,
    "evaluate": _Evaluated,
    "rank": _NoResult,
}


class RunRow(Shape):
    """`request` is what its kind of call takes, `result` what is kept of its answer."""

    id: Key
    kind: RunKind
    status: RunStatus
    board_id: Key | None
    idea_id: Key | None
    idea_version: Number | None
    request: dict[str, JsonValue]
    model: Name
    weights_sha256: Name
    adapter_sha256: Name | None
    seed: Seed
    prompts: Rows[Rows[MessageRow]] | None
    result: dict[str, JsonValue] | None
    usage: UsageRow | None
    timing: TimingRow | None
    error: ErrorRow | None
    decision: Decision
    created_at: Moment
    started_at: Moment | None
    finished_at: Moment | None

    @field_validator("request")
    @classmethod
    def fit_request(cls, value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        return _fit(_REQUESTS, value, info)

    @field_validator("result")
    @classmethod
    def fit_result(cls, value: dict[str, Any] | None, info: ValidationInfo) -> Any:
        if value is None:
            if info.data.get("status") == "done":
                raise ValueError("must be there, because the run is done")
            return None
        return _fit(_RESULTS, value, info)


def _fit(
    kinds: dict[str, type[Shape]], value: dict[str, Any], info: ValidationInfo
) -> dict[str, Any]:
    if "kind" not in info.data:
        return value  # which is what the caller will be told
    try:
        fitting = kinds[info.data["kind"]].model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = "/".join(str(part) for part in first["loc"])
        raise ValueError(f"does not fit the kind of run: {place}: {first['msg']}") from error
    return fitting.model_dump(mode="json", exclude_none=True)


class SuggestionRow(Shape):
    id: Key
    run_id: Key
    position: Annotated[int, Field(ge=0, lt=SUGGESTIONS_CEILING), BeforeValidator(whole)]
    angle: Name
    title: Title
    text: Body
    similar_to: Key | None
    state: SuggestionState
    idea_id: Key | None
    # Older files of the same version have none.
    redrawn_in: Key | None = None


class EvaluationRow(Shape):
    id: Key
    run_id: Key
    idea_id: Key
    idea_version: Number
    scores: Scores
    overall: Score
    method: Literal["head", "digits", "mixed"]
    calibrated: bool
    strengths: Points
    concerns: Points
    next_step: Point
    created_at: Moment


class ComparisonRow(Shape):
    id: Key
    board_id: Key
    first_id: Key
    first_version: Number
    second_id: Key
    second_version: Number
    outcome: Outcome
    by: Judge
    probability: Annotated[float, Field(ge=0, le=1)] | None
    run_id: Key | None
    created_at: Moment

    @field_validator("second_id")
    @classmethod
    def differ(cls, value: str, info: ValidationInfo) -> str:
        if value == info.data.get("first_id"):
            raise ValueError("must be another idea than the first")
        return value


class Archive(Shape):
    """A whole board or all of them; ideas are in the order in which they were added.

    Version 1 had no comparisons.
    """

    model_config = ConfigDict(allow_inf_nan=False)

    format: Literal["ideapool"]
    version: Annotated[Literal[1, 2], BeforeValidator(whole)]
    exported_at: Moment
    boards: Rows[BoardRow]
    ideas: Rows[IdeaRow]
    versions: Rows[VersionRow]
    runs: Rows[RunRow]
    suggestions: Rows[SuggestionRow]
    evaluations: Rows[EvaluationRow]
    comparisons: Rows[ComparisonRow] | None = Field(default=None, validate_default=True)

    # After the rest, not before: what a function hands on is no longer read as JSON.
    @field_validator("comparisons")
    @classmethod
    def need_comparisons(
        cls, value: list[ComparisonRow] | None, info: ValidationInfo
    ) -> list[ComparisonRow]:
        if value is None and info.data.get("version") != 1:
            raise ValueError("must be there since version 2")
        return value or []
