"""Shows the runs of this server to those who watch them at other servers on the same database.

What happens in a run is stored a few times a second, for all runs in one transaction. Every event is
kept as it is, so that a client can continue after any of them, at any server.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Self

from service.errors import ServiceError
from service.runs.recorder import Draft, LiveRun, QueuePosition, RunEvent
from service.store import Store
from service.store.run_events import EventBatch

# As often as a page shows a run that is being written.
GAP_S = 0.2
_log = logging.getLogger(__name__)


class Relay:
    """A context manager that stores changes while it is open. Before that, `note` only collects."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._changed: dict[str, LiveRun] = {}
        self._sent: dict[str, int] = {}
        self._noted = asyncio.Event()
        self._writing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._repeat())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def note(self, live: LiveRun) -> None:
        self._changed[live.run_id] = live
        self._noted.set()

    async def flush(self) -> None:
        """Stores what has happened until now.

        Raises: StorageUnavailable. Nothing is forgotten then.
        """
        async with self._writing:
            changed, self._changed = self._changed, {}
            batches = [self._batch(live) for live in changed.values()]
            if not batches:
                return
            try:
                await asyncio.to_thread(self._store.run_events.add, batches)
            except BaseException:
                self._changed = changed | self._changed
                raise
            for batch in batches:
                sent = self._sent.get(batch.run_id, 0)
                self._sent[batch.run_id] = sent + len(batch.events)

    def forget(self, live: LiveRun) -> None:
        """Its last events have been stored, and those of its end need not be."""
        self._changed.pop(live.run_id, None)
        self._sent.pop(live.run_id, None)

    def _batch(self, live: LiveRun) -> EventBatch:
        new = live.events[self._sent.get(live.run_id, 0) :]
        events = [[event.id, event.name, event.data] for event in new]
        return EventBatch(live.run_id, events, _state_of(live))

    async def _repeat(self) -> None:
        while True:
            await self._noted.wait()
            self._noted.clear()
            try:
                await self.flush()
            except ServiceError as error:
                _log.warning("Others cannot see what happens in runs: %s", error.detail)
                self._noted.set()
                await asyncio.sleep(1)
            await asyncio.sleep(GAP_S)


def _state_of(live: LiveRun) -> dict[str, Any]:
    queue = live.queue_position
    return {
        "status": live.status,
        "model": live.model,
        "queue": None if queue is None else [queue.ahead, queue.is_model_ready, queue.before],
        "drafts": [[branch, one.angle, one.title, one.text] for branch, one in live.drafts.items()],
        "scores": live.scores,
        "spread": live.spread,
    }


def take_over(live: LiveRun, batch: EventBatch) -> None:
    """Brings the copy of a run up to what another server has stored of it."""
    state = batch.state
    live.status, live.model = state["status"], state["model"]
    live.queue_position = None if state["queue"] is None else _position(*state["queue"])
    live.drafts = {
        branch: Draft(angle, title, text) for branch, angle, title, text in state["drafts"]
    }
    live.scores, live.spread = state["scores"], state["spread"]
    live.events += [RunEvent(number, name, data) for number, name, data in batch.events]


def _position(ahead: int, is_model_ready: bool, before: Sequence[str] = ()) -> QueuePosition:
    return QueuePosition(ahead, is_model_ready, tuple(before))
