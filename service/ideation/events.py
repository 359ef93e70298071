"""The steps that use cases report, one class for each kind."""

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
    """New `text` of a draft, and the draft so far. `title` is None until it is complete."""

    branch: int
    angle: str
    text: str
    title: str | None
    body: str


@dataclass(frozen=True, slots=True)
class DraftDropped:
    """The branch's draft cannot be used, because of `reason`."""

    branch: int
    reason: str


@dataclass(frozen=True, slots=True)
class Suggested:
    branch: int
    suggestion: SuggestionPublic


@dataclass(frozen=True, slots=True)
class Scored:
    """`spread` is the expected error of each score, None where it is unknown."""

    scores: dict[str, float]
    spread: dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Reading:
    """The idea that a branch of a run over a board begins to evaluate."""

    branch: int
    title: str


@dataclass(frozen=True, slots=True)
class Evaluated:
    """`result` has the fields of the answer when the idea is evaluated alone."""

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
