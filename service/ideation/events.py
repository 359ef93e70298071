"""What a use case reports while it works: one class for each kind of step."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from service.engine.types import ModelInfo
from service.schemas.brainstorm import SuggestionPublic
from service.schemas.evaluation import FailurePublic
from service.store.comparisons import Verdict


@dataclass(frozen=True, slots=True)
class Waiting:
    """`position` 1 is next in line for the model."""

    position: int


@dataclass(frozen=True, slots=True)
class Began:
    model: ModelInfo


@dataclass(frozen=True, slots=True)
class Drafted:
    """New text, and what `branch` looks like with it. `title` is None until it is complete."""

    branch: int
    angle: str
    text: str
    title: str | None
    body: str


@dataclass(frozen=True, slots=True)
class DraftDropped:
    """The branch's draft could not be used; `reason` says why."""

    branch: int
    reason: str


@dataclass(frozen=True, slots=True)
class Suggested:
    branch: int
    suggestion: SuggestionPublic


@dataclass(frozen=True, slots=True)
class Scored:
    """`spread` is how far off each score may be, where that is known."""

    scores: dict[str, float]
    spread: dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Reading:
    """The idea that `branch` of a run over a board is at."""

    branch: int
    title: str


@dataclass(frozen=True, slots=True)
class Evaluated:
    """`result` is what evaluating the idea alone would have answered."""

    branch: int
    idea_id: str
    idea_version: int
    result: dict[str, Any]


@dataclass(frozen=True, slots=True)
class NotEvaluated:
    branch: int
    failure: FailurePublic


@dataclass(frozen=True, slots=True)
class Compared:
    verdict: Verdict


Step = (
    Waiting
    | Began
    | Drafted
    | DraftDropped
    | Suggested
    | Scored
    | Reading
    | Evaluated
    | NotEvaluated
    | Compared
)
Emit = Callable[[Step], Awaitable[None]]
