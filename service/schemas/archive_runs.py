"""A run in the JSON file of export and import, with the request and the result of its kind."""

from typing import Any, Literal

from pydantic import (
    BaseModel,
    JsonValue,
    RootModel,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from service.schemas.archive_fields import (
    Amount,
    Key,
    Moment,
    Name,
    Number,
    Plain,
    Rows,
    Seconds,
    Words,
)
from service.schemas.fields import Decision, RunKind, RunStatus, Seed, Shape
from service.schemas.run_kinds import RECORDED_KINDS


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
    person_id: Key | None = None
    created_at: Moment
    started_at: Moment | None
    finished_at: Moment | None

    @field_validator("request")
    @classmethod
    def check_request(cls, value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        return _validate_part("task", value, info).model_dump(mode="json", exclude_none=True)

    @field_validator("result")
    @classmethod
    def check_result(cls, value: dict[str, Any] | None, info: ValidationInfo) -> Any:
        if value is None:
            if info.data.get("status") == "done":
                raise ValueError("is required, because the run is done")
            return None
        return _validate_part("result", value, info).model_dump(mode="json", exclude_unset=True)


def _validate_part(
    part: Literal["task", "result"], value: dict[str, Any], info: ValidationInfo
) -> BaseModel:
    if "kind" not in info.data:
        return RootModel(value)  # the kind is wrong, which is an error of its own
    kind = RECORDED_KINDS[info.data["kind"]]
    shape: type[Shape] = kind.task if part == "task" else kind.result
    try:
        return shape.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = "/".join(str(part) for part in first["loc"])
        raise ValueError(f"is not valid for this kind of run: {place}: {first['msg']}") from error
