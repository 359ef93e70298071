"""What is told of a run, while it lives and afterwards; and the answer it comes to."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from service.schemas.brainstorm import SuggestionPublic
from service.schemas.evaluation import FailurePublic
from service.schemas.fields import UNFINISHED, RunStatus
from service.schemas.runs import RunPublic


@dataclass(frozen=True, slots=True)
class RunEvent:
    """`id` counts from 1 within the run, so that a client can resume after the last it saw."""

    id: int
    name: str
    data: dict[str, Any]


@dataclass(slots=True)
class Draft:
    """What a branch is writing just now."""

    angle: str
    title: str | None = None
    text: str = ""


@dataclass(slots=True)
class LiveRun:
    """A run in memory. `drafts` is keyed by branch; `position` is 0 once the model works on it."""

    run_id: str
    began: float = field(default_factory=time.monotonic)
    started: float | None = None
    first: float | None = None
    position: int = 0
    status: RunStatus = "queued"
    model: str = ""
    drafts: dict[int, Draft] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)
    spread: dict[str, float | None] = field(default_factory=dict)
    suggestions: list[SuggestionPublic] = field(default_factory=list)
    events: list[RunEvent] = field(default_factory=list)
    failure: Exception | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)
    task: "asyncio.Task[None] | None" = None

    @property
    def is_over(self) -> bool:
        return self.status not in UNFINISHED

    def say(self, name: str, data: dict[str, Any]) -> None:
        self.events.append(RunEvent(len(self.events) + 1, name, data))
        self.wake()

    def thin(self) -> None:
        """Forget the deltas of a run that is over: they are most of what it takes."""
        self.events = [event for event in self.events if event.name != "delta"]

    def wake(self) -> None:
        # A fresh event each time: whoever waits holds the old one and is woken exactly once.
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()

    def timing(self) -> dict[str, Any]:
        def since(moment: float | None) -> float | None:
            return None if moment is None else round(moment - self.began, 3)

        over = time.monotonic()
        return {
            "queued_s": since(self.started or over),
            "first_s": since(self.first),
            "total_s": since(over),
        }


def replay(run: RunPublic) -> list[RunEvent]:
    """The events of a run that is only in the store; without the deltas, which are not kept."""
    events = [("queued", {"run_id": run.run_id, "position": 0})]
    if run.started_at is not None:
        events.append(("started", {"run_id": run.run_id, "model": run.model}))
    events += [("suggestion", suggestion_fields(suggestion)) for suggestion in run.suggestions]
    events += [("comparison", one.model_dump(mode="json")) for one in run.comparisons]
    events += [("evaluation", one.model_dump(mode="json")) for one in run.evaluations]
    events += [("failure", one.model_dump(mode="json")) for one in failures(run)]
    events += closing_events(run)
    return [RunEvent(number, name, data) for number, (name, data) in enumerate(events, start=1)]


def answer(run: RunPublic) -> dict[str, Any]:
    """The run in the form in which the calls answer that start one."""
    fields: dict[str, Any] = {"run_id": run.run_id, "status": run.status, "model": run.model}
    if run.kind == "brainstorm":
        fields["suggestions"] = [suggestion_fields(suggestion) for suggestion in run.suggestions]
    if run.kind == "rank":
        fields["comparisons"] = [one.model_dump(mode="json") for one in run.comparisons]
    if run.kind == "evaluate-all":
        fields["evaluations"] = [one.model_dump(mode="json") for one in run.evaluations]
        fields["failed"] = [one.model_dump(mode="json") for one in failures(run)]
        return fields | {"usage": run.usage, "timing": run.timing}
    return fields | (run.result or {}) | {"usage": run.usage, "timing": run.timing}


def failures(run: RunPublic) -> list[FailurePublic]:
    """The ideas that a run over a board could not evaluate."""
    return [FailurePublic.model_validate(one) for one in (run.result or {}).get("failed", [])]


def suggestion_fields(suggestion: SuggestionPublic) -> dict[str, Any]:
    return suggestion.model_dump(mode="json", exclude_none=True)


def closing_events(run: RunPublic) -> list[tuple[str, dict[str, Any]]]:
    if run.status == "failed" and run.error is not None:
        return [("error", {"run_id": run.run_id, **run.error.model_dump()})]
    done = ("done", {"run_id": run.run_id, "status": run.status})
    return [("result", answer(run)), done] if run.status == "done" else [done]
