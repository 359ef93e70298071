"""Keeps this server's hold on its runs, and ends those of servers that are gone.

The store has the rules. Here is when they are applied: every few seconds, and at once when another
server asks for a run to be stopped.
"""

import asyncio
import logging
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Self

from service.errors import ServiceError
from service.recurring import Recurring
from service.runs.service import Runs
from service.store import Store
from service.store.announcements import replica_topic
from service.store.replicas import LEASE

# A lease outlasts some beats that fail.
BEAT_S = 3.0
PURGE_EVERY_S = 60.0
# A run is stored a moment before it is in memory, and out of memory a moment after it is over.
DIFFERS_FOR_S = 1.0
_log = logging.getLogger(__name__)


class RunLeases(Recurring):
    """`name` is what people call this server."""

    def __init__(self, store: Store, runs: Runs, *, name: str, every_s: float = BEAT_S) -> None:
        super().__init__("The lease of this server could not be renewed", every_s=every_s)
        self._store = store
        self._runs = runs
        self._name = name
        self._renewed_at = self._purged_at = time.monotonic()
        self._waits_until = 0.0
        self._lost, self._orphans = _Lasting(), _Lasting()

    async def __aenter__(self) -> Self:
        self._waiter = self._store.signals.waiter(replica_topic(self._store.replica_id))
        self._waiter.__enter__()
        return await super().__aenter__()

    async def __aexit__(self, *given: object) -> None:
        self._waiter.wake()
        await super().__aexit__(*given)
        self._waiter.__exit__()
        # Without the database, the lease ends by itself.
        with suppress(ServiceError):
            await asyncio.to_thread(self._store.replicas.leave)

    async def pause(self, seconds: float) -> None:
        await self._waiter.wait(seconds)

    async def work(self) -> None:
        performed = self._runs.unfinished
        held = await asyncio.to_thread(self._store.replicas.renew, self._name)
        self._note_gap()
        await self._settle(performed, held)
        if time.monotonic() >= self._waits_until:
            ended = await asyncio.to_thread(self._store.replicas.end_abandoned)
            if ended:
                _log.warning("%d runs were interrupted, because their server is gone", ended)
        if time.monotonic() >= self._purged_at + PURGE_EVERY_S:
            self._purged_at = time.monotonic()
            await asyncio.to_thread(self._store.run_events.purge_old)

    def _note_gap(self) -> None:
        """After the database was away, others get time to renew their leases before they are ended."""
        now, lease_s = time.monotonic(), LEASE.total_seconds()
        if now - self._renewed_at > lease_s / 2:
            self._waits_until = now + lease_s
        self._renewed_at = now

    async def _settle(self, performed: Collection[str], held: Mapping[str, bool]) -> None:
        for run_id, is_to_stop in held.items():
            if is_to_stop:
                self._runs.abandon(run_id)
        for run_id in self._lost.of(set(performed) - held.keys()):
            self._runs.give_up(run_id)
        orphans = self._orphans.of(held.keys() - self._runs.unfinished)
        if orphans:
            await asyncio.to_thread(self._store.runs.interrupt_own, sorted(orphans))


class _Lasting:
    """Tells ids that are given again and again from those that are given once."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def of(self, ids: Collection[str]) -> set[str]:
        now = time.monotonic()
        self._since = {one: self._since.get(one, now) for one in ids}
        return {one for one, since in self._since.items() if now - since >= DIFFERS_FOR_S}
