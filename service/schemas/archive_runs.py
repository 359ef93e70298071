"""A run in the JSON file of export and import, with the request and the result of its kind."""

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
    """A brainstorm or a ranking: its suggestions or comparisons have rows of their own."""


class _Scoring(ScoringPublic):
    model_config = Shape.model_config

    uncalibrated: list[Criterion] = Field(max_length=8)


class _Evaluated(Shape):
    """The result of an evaluation. Results from before rubrics lack the first three fields."""

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
    """The result of a run over a board. Its evaluations have rows of their own."""

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
    """A run. `request` and `result` have the form that the kind of run defines."""

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
    def check_request(cls, value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        return _checked(_REQUESTS, value, info).model_dump(mode="json", exclude_none=True)

    @field_validator("result")
    @classmethod
    def check_result(cls, value: dict[str, Any] | None, info: ValidationInfo) -> Any:
        if value is None:
            if info.data.get("status") == "done":
                raise ValueError("is required, because the run is done")
            return None
        return _checked(_RESULTS, value, info).model_dump(mode="json", exclude_unset=True)


def _checked(
    kinds: dict[str, type[Shape]], value: dict[str, Any], info: ValidationInfo
) -> BaseModel:
    if "kind" not in info.data:
        return RootModel(value)  # the kind is wrong, which is an error of its own
    try:
        return kinds[info.data["kind"]].model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = "/".join(str(part) for part in first["loc"])
        raise ValueError(f"is not valid for this kind of run: {place}: {first['msg']}") from error
