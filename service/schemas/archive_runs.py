"""A run in the file that export gives and import takes, with what its kind asks and answers."""

from typing import Any, Literal

from pydantic import (
    BaseModel,
    Field,
    JsonValue,
    RootModel,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from service.schemas.archive_fields import (
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
    Spreads,
    Words,
)
from service.schemas.brainstorm import BrainstormTask
from service.schemas.evaluation import (
    Criteria,
    EvaluateAllTask,
    EvaluateTask,
    FailurePublic,
    ScoringPublic,
)
from service.schemas.fields import Decision, RunKind, RunStatus, Seed, Shape, Title
from service.schemas.ranking import RankTask
from service.schemas.refinement import RefineTask


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
    """The first three came with rubrics; results from before are without them."""

    rubric_id: Key | None = None
    criteria: Criteria | None = None
    spread: Spreads | None = None
    scores: Scores
    overall: Score
    scoring: _Scoring
    strengths: Points
    concerns: Points
    next_step: Point


class _Failed(FailurePublic):
    model_config = Shape.model_config

    idea_id: Key
    title: Title
    type: Name
    detail: Plain
    words: Words = None


class _EvaluatedAll(Shape):
    """The evaluations themselves are rows of their own."""

    failed: Rows[_Failed] = Field(default_factory=list)


_REQUESTS: dict[str, type[Shape]] = {
    "brainstorm": BrainstormTask,
    "refine": RefineTask,
    "evaluate": EvaluateTask,
    "evaluate-all": EvaluateAllTask,
    "rank": RankTask,
}
_RESULTS: dict[str, type[Shape]] = {
    "brainstorm": _NoResult,
    "refine": Refined,
    "evaluate": _Evaluated,
    "evaluate-all": _EvaluatedAll,
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
        return _fit(_REQUESTS, value, info).model_dump(mode="json", exclude_none=True)

    @field_validator("result")
    @classmethod
    def fit_result(cls, value: dict[str, Any] | None, info: ValidationInfo) -> Any:
        if value is None:
            if info.data.get("status") == "done":
                raise ValueError("must be there, because the run is done")
            return None
        return _fit(_RESULTS, value, info).model_dump(mode="json", exclude_unset=True)


def _fit(kinds: dict[str, type[Shape]], value: dict[str, Any], info: ValidationInfo) -> BaseModel:
    if "kind" not in info.data:
        return RootModel(value)  # the caller will be told of the kind
    try:
        return kinds[info.data["kind"]].model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = "/".join(str(part) for part in first["loc"])
        raise ValueError(f"does not fit the kind of run: {place}: {first['msg']}") from error
