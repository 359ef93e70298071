"""Notices that the time of a writing round is up, so that open pages learn of it at once."""

import asyncio

from service.recurring import Recurring
from service.schemas.identity import now
from service.store import Store

EVERY_S = 5.0


class RoundEnding(Recurring):
    """Ideas are shown at the right time without it; this only records that the round has ended."""

    def __init__(self, store: Store, *, every_s: float = EVERY_S) -> None:
        super().__init__("The end of a writing round could not be recorded", every_s=every_s)
        self._store = store
        self._look_s = every_s

    async def work(self) -> None:
        next_end = await asyncio.to_thread(self._store.rounds.end_due)
        if next_end is None:
            return
        left = (next_end - now()).total_seconds()
        if left <= self._look_s:
            await self.pause(max(left, 0))
            await asyncio.to_thread(self._store.rounds.end_due)
