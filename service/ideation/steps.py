"""What a use case reports while it works, and what it has used."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from service.brainstorm_shapes import SuggestionPublic
from service.engine.types import Message, ModelInfo, Usage
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
    scores: dict[str, float]


@dataclass(frozen=True, slots=True)
class Compared:
    verdict: Verdict


Step = Waiting | Began | Drafted | DraftDropped | Suggested | Scored | Compared
Emit = Callable[[Step], Awaitable[None]]


@dataclass(slots=True)
class Ledger:
    """What a run used: filled in as it goes, kept also when it fails."""

    prompts: list[tuple[Message, ...]] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)

    @property
    def tokens(self) -> dict[str, int]:
        names = ("prompt_tokens", "cached_tokens", "completion_tokens")
        return {name: getattr(self.usage, name) for name in names}
