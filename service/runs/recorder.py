"""Each step of a run, told to whoever watches and written down as far as it must last."""

import asyncio
import time
from dataclasses import dataclass

from service.engine.types import ModelInfo
from service.errors import NotFound
from service.ideation import (
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
from service.runs.events import Draft, LiveRun, suggestion_fields
from service.store import Store
from service.store.runs import Provenance


@dataclass(frozen=True, slots=True)
class Recorder:
    store: Store

    async def record(self, live: LiveRun, step: Step) -> None:
        if isinstance(step, Began):
            if live.started is None:
                await self._begin(live, step.model)
        elif isinstance(step, Suggested):
            await self._suggest(live, step)
        elif isinstance(step, Compared):
            await self._compare(live, step)
        elif isinstance(step, Evaluated | NotEvaluated):
            await self._evaluate(live, step)
        else:
            _tell(live, step)

    async def _begin(self, live: LiveRun, model: ModelInfo) -> None:
        live.started, live.status, live.position = time.monotonic(), "running", 0
        live.model = model.name
        # Said before it is written, so that no other branch's text comes first.
        live.say("started", {"run_id": live.run_id, "model": model.name})
        provenance = Provenance(model.name, model.weights_sha256, model.adapter_sha256)
        await asyncio.to_thread(self.store.runs.start, live.run_id, provenance)

    async def _suggest(self, live: LiveRun, step: Suggested) -> None:
        # One at a time: two branches that end together must be told in the order they are stored.
        async with live.writing:
            position = len(live.suggestions)
            await asyncio.to_thread(
                self.store.suggestions.add, live.run_id, position, step.suggestion
            )
            live.suggestions.append(step.suggestion)
            live.drafts.pop(step.branch, None)
            live.first = live.first or time.monotonic()
            live.say("suggestion", suggestion_fields(step.suggestion))

    async def _compare(self, live: LiveRun, step: Compared) -> None:
        store = self.store.comparisons
        try:
            comparison = await asyncio.to_thread(store.add_verdict, live.run_id, step.verdict)
        except NotFound:
            # One of the two was deleted for good meanwhile: there is nothing to rank any more.
            return
        live.first = live.first or time.monotonic()
        live.say("comparison", comparison.model_dump(mode="json"))

    async def _evaluate(self, live: LiveRun, step: Evaluated | NotEvaluated) -> None:
        live.drafts.pop(step.branch, None)
        live.first = live.first or time.monotonic()
        if isinstance(step, NotEvaluated):
            await asyncio.to_thread(self.store.runs.add_failure, live.run_id, step.failure)
            live.say("failure", step.failure.model_dump(mode="json"))
            return
        add = self.store.evaluations.add
        try:
            made = await asyncio.to_thread(
                add, live.run_id, step.idea_id, step.idea_version, step.result
            )
        except NotFound:
            # The idea was deleted for good meanwhile.
            return
        live.say("evaluation", made.model_dump(mode="json"))


def _tell(live: LiveRun, step: Waiting | Drafted | DraftDropped | Scored | Reading) -> None:
    """What lasts only as long as the run does."""
    if isinstance(step, Waiting):
        if live.started is None:
            live.position = step.position
            live.say("queued", {"run_id": live.run_id, "position": step.position})
    elif isinstance(step, Drafted):
        live.drafts[step.branch] = Draft(step.angle, step.title, step.body)
        live.say("delta", {"branch": step.branch, "angle": step.angle, "text": step.text})
    elif isinstance(step, DraftDropped):
        live.drafts.pop(step.branch, None)
        live.say("delta", {"branch": step.branch, "dropped": step.reason})
    elif isinstance(step, Reading):
        live.drafts[step.branch] = Draft("", step.title)
        live.wake()
    else:
        live.scores, live.spread = dict(step.scores), dict(step.spread)
        live.first = live.first or time.monotonic()
        live.wake()
