"""Records a run: sends each step to its watchers, and stores the steps that must last.

While a run is going on, its events are in memory. Afterwards `replay` makes them from the store.
Where several servers share the database, a step waits for a database that is away for a while.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from service.engine.types import ModelInfo
from service.errors import NotFound, RoleNeeded, StorageUnavailable
from service.ideation.events import (
    Began,
    Compared,
    DraftDropped,
    Drafted,
    Evaluated,
    NotEvaluated,
    Reading,
    Scored,
    Step,
    Suggested,
    Waiting,
)
from service.schemas.brainstorm import SuggestionPublic
from service.schemas.fields import UNFINISHED, RunStatus
from service.schemas.run_kinds import RECORDED_KINDS, answer, item_fields
from service.schemas.runs import RunPublic
from service.store import Store
from service.store.database import PATIENCE_S, RETRY_S
from service.store.runs import Provenance

Stored = TypeVar("Stored")


@dataclass(frozen=True, slots=True)
class RunEvent:
    """`id` counts from 1 within the run, so that a client can resume after the last it saw."""

    id: int
    name: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class QueuePosition:
    """`ahead` is how many unfinished runs for the same model were started before this one; `before`
    are their ids.
    """

    ahead: int
    is_model_ready: bool
    before: tuple[str, ...] = ()


@dataclass(slots=True)
class Draft:
    """The unfinished text of a branch."""

    angle: str
    title: str | None = None
    text: str = ""


@dataclass(slots=True)
class LiveRun:
    """A run in memory. `drafts` is keyed by branch; `position` is 0 unless it waits for the model.

    `noted` is called with the run after each change. `queue_position` is only kept up to date for a
    run that other servers look at.
    """

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
    queue_position: QueuePosition | None = None
    noted: "Callable[[LiveRun], None] | None" = None

    @property
    def is_over(self) -> bool:
        return self.status not in UNFINISHED

    def add_event(self, name: str, data: dict[str, Any]) -> None:
        self.events.append(RunEvent(len(self.events) + 1, name, data))
        self.notify()

    def drop_deltas(self) -> None:
        """Forget the deltas of a run that is over: they take most of the memory."""
        self.events = [event for event in self.events if event.name != "delta"]

    def notify(self) -> None:
        # A new event each time: those who wait hold the old one, and are woken exactly once.
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()
        if self.noted is not None:
            self.noted(self)

    def timing(self) -> dict[str, Any]:
        def since(moment: float | None) -> float | None:
            return None if moment is None else round(moment - self.began, 3)

        over = time.monotonic()
        return {
            "queued_s": since(self.started or over),
            "first_s": since(self.first),
            "total_s": since(over),
        }


@dataclass(frozen=True, slots=True)
class Recorder:
    store: Store

    async def stored(self, write: Callable[..., Stored], *given: Any) -> Stored:
        """Calls `write` in a thread, as `patiently` does."""
        return await self.patiently(lambda: asyncio.to_thread(write, *given))

    async def patiently(self, attempt: Callable[[], Awaitable[Stored]]) -> Stored:
        """Tries again for a while if the database of several servers is away."""
        clock = asyncio.get_running_loop().time
        until = clock() + PATIENCE_S
        while True:
            try:
                return await attempt()
            except StorageUnavailable:
                if not self.store.is_shared or clock() > until:
                    raise
            await asyncio.sleep(RETRY_S)

    async def record(self, live: LiveRun, step: Step) -> None:
        match step:
            case Began():
                await self._begin(live, step.model)
            case Suggested():
                await self._suggest(live, step)
            case Compared():
                await self._compare(live, step)
            case Evaluated():
                await self._evaluate(live, step)
            case NotEvaluated():
                await self._fail(live, step)
            case _:
                _show(live, step)

    async def _begin(self, live: LiveRun, model: ModelInfo) -> None:
        # Each request of a run begins; only the first one begins the run.
        if live.started is not None:
            return
        live.started, live.status, live.position = time.monotonic(), "running", 0
        live.model = model.name
        # Sent before it is stored, so that no other branch's text comes first.
        live.add_event("started", {"run_id": live.run_id, "model": model.name})
        provenance = Provenance(model.name, model.weights_sha256, model.adapter_sha256)
        await self.stored(self.store.runs.start, live.run_id, provenance)

    async def _suggest(self, live: LiveRun, step: Suggested) -> None:
        # One at a time: events must come in the order in which suggestions are stored.
        async with live.writing:
            position = len(live.suggestions)
            await self.stored(self.store.suggestions.add, live.run_id, position, step.suggestion)
            live.suggestions.append(step.suggestion)
            live.drafts.pop(step.branch, None)
            live.first = live.first or time.monotonic()
            live.add_event("suggestion", item_fields(step.suggestion, exclude_none=True))

    async def _compare(self, live: LiveRun, step: Compared) -> None:
        store = self.store.comparisons
        try:
            comparison = await self.stored(store.add_verdict, live.run_id, step.verdict)
        except NotFound:
            # One of the two was deleted for good meanwhile: there is nothing to rank any more.
            return
        live.first = live.first or time.monotonic()
        live.add_event("comparison", item_fields(comparison))

    async def _evaluate(self, live: LiveRun, step: Evaluated) -> None:
        live.drafts.pop(step.branch, None)
        live.first = live.first or time.monotonic()
        add = self.store.evaluations.add
        try:
            made = await self.stored(add, live.run_id, step.idea_id, step.idea_version, step.result)
        except (NotFound, RoleNeeded):
            # The idea was deleted for good meanwhile, or moved to a board that the person only reads.
            return
        live.add_event("evaluation", item_fields(made))

    async def _fail(self, live: LiveRun, step: NotEvaluated) -> None:
        live.drafts.pop(step.branch, None)
        live.first = live.first or time.monotonic()
        await self.stored(self.store.runs.add_failure, live.run_id, step.failure)
        live.add_event("failure", item_fields(step.failure))


def _show(live: LiveRun, step: Waiting | Drafted | DraftDropped | Scored | Reading) -> None:
    """Shows a step that is not stored to the watchers."""
    match step:
        case Waiting():
            if live.started is None:
                live.position = step.position
                live.add_event("queued", {"run_id": live.run_id, "position": step.position})
        case Drafted():
            live.drafts[step.branch] = Draft(step.angle, step.title, step.body)
            live.add_event("delta", {"branch": step.branch, "angle": step.angle, "text": step.text})
        case DraftDropped():
            live.drafts.pop(step.branch, None)
            live.add_event("delta", {"branch": step.branch, "dropped": step.reason})
        case Reading():
            live.drafts[step.branch] = Draft("", step.title)
            live.notify()
        case Scored():
            live.scores, live.spread = dict(step.scores), dict(step.spread)
            live.first = live.first or time.monotonic()
            live.notify()


def replay(run: RunPublic) -> list[RunEvent]:
    """The events of a run that is only in the store. Deltas are not stored, so they are missing."""
    events = [("queued", {"run_id": run.run_id, "position": 0})]
    if run.started_at is not None:
        events.append(("started", {"run_id": run.run_id, "model": run.model}))
    for items in RECORDED_KINDS[run.kind].items:
        events += [(items.event, item) for item in items.of(run)]
    events += closing_events(run)
    return [RunEvent(number, name, data) for number, (name, data) in enumerate(events, start=1)]


def closing_events(run: RunPublic) -> list[tuple[str, dict[str, Any]]]:
    if run.status == "failed" and run.error is not None:
        return [("error", {"run_id": run.run_id, **run.error.model_dump()})]
    done = ("done", {"run_id": run.run_id, "status": run.status})
    return [("result", answer(run)), done] if run.status == "done" else [done]
