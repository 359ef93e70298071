"""Copies of runs that other servers on the same database perform, for those who watch them here.

All who watch a run share one copy. It is kept up to date while there is somebody.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from service.errors import NotFound, StorageUnavailable
from service.runs.recorder import LiveRun, RunEvent, closing_events, replay
from service.runs.relay import take_over
from service.schemas.fields import UNFINISHED, RunStatus
from service.store import Store
from service.store.announcements import run_topic
from service.store.run_events import EventBatch

# In case that a signal was lost.
POLL_S = 2.0
PAUSE_S = 1.0


@dataclass(slots=True)
class _Mirror:
    live: LiveRun
    task: "asyncio.Task[None]"
    watchers: int = 0


class Mirrors:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._mirrors: dict[str, _Mirror] = {}

    def live(self, run_id: str) -> LiveRun | None:
        """The copy of a run that somebody watches here."""
        mirror = self._mirrors.get(run_id)
        return None if mirror is None else mirror.live

    def look(self, run_id: str) -> LiveRun | None:
        """The state of a run that nobody watches here. Blocking: call it in a thread."""
        newest = self._store.run_events.newest(run_id)
        if newest is None:
            return None
        live = LiveRun(run_id)
        take_over(live, newest)
        return live

    @asynccontextmanager
    async def following(self, run_id: str) -> AsyncIterator[LiveRun]:
        """Raises: NotFound"""
        await asyncio.to_thread(self._store.runs.status, run_id)
        mirror = self._mirrors.get(run_id)
        if mirror is None:
            live = LiveRun(run_id)
            mirror = _Mirror(live, asyncio.create_task(self._follow(live)))
            self._mirrors[run_id] = mirror
        mirror.watchers += 1
        try:
            yield mirror.live
        finally:
            mirror.watchers -= 1
            if not mirror.watchers:
                mirror.task.cancel()
                del self._mirrors[run_id]

    async def _follow(self, live: LiveRun) -> None:
        seen = 0
        with self._store.signals.waiter(run_topic(live.run_id)) as waiter:
            while not live.is_over:
                try:
                    status, batches = await asyncio.to_thread(self._read, live.run_id, seen)
                    for batch in batches:
                        take_over(live, batch)
                        seen = batch.id
                    if status not in UNFINISHED:
                        await self._end(live)
                except StorageUnavailable:
                    await asyncio.sleep(PAUSE_S)
                    continue
                except NotFound as error:
                    # Its board was deleted for good.
                    live.failure, live.status = error, "failed"
                live.notify()
                if not live.is_over:
                    await waiter.wait(POLL_S)

    def _read(self, run_id: str, seen: int) -> tuple[RunStatus, list[EventBatch]]:
        # In this order: all events are stored before the run is over.
        status = self._store.runs.status(run_id)
        return status, self._store.run_events.after(run_id, seen)

    async def _end(self, live: LiveRun) -> None:
        run = await asyncio.to_thread(self._store.runs.get, live.run_id)
        if live.events:
            last = live.events[-1].id
            closing = enumerate(closing_events(run), start=last + 1)
            live.events += [RunEvent(number, name, data) for number, (name, data) in closing]
        else:
            live.events += replay(run)
        live.drafts, live.queue_position = {}, None
        live.status = run.status
