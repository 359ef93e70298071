"""The fields that the answers of all runs share."""

from pydantic import (
    BaseModel,
)

from service.schemas.fields import (
    RunStatus,
)


class UsagePublic(BaseModel):
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int


class TimingPublic(BaseModel):
    """Seconds in the queue, until the first suggestion or score, and in total."""

    queued_s: float
    first_s: float | None = None
    total_s: float


class Answer(BaseModel):
    run_id: str
    status: RunStatus
    model: str
    usage: UsagePublic
    timing: TimingPublic
