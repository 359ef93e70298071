"""Notices that somebody may not read any more what a stream sends."""

import asyncio
from collections.abc import Awaitable, Callable

from service.errors import StorageUnavailable
from service.signals import PEOPLE, Signals
from service.store.rights import Claim, RightStore

# How often the right is asked for without a signal, which may be lost, and after the database could
# not be asked. A stream ends at most five seconds after its right.
RECHECK_S, RETRY_S = 4.0, 1.0
# All streams ask at the same moment, and those that ask within this time are answered together.
GATHER_S = 0.01
MayStillRead = Callable[[], Awaitable[bool]]


class RightChecks:
    """Asks the database once for all streams that want to know at the same time."""

    def __init__(self, store: RightStore) -> None:
        self._store = store
        self._claims: set[Claim] = set()
        self._batch: asyncio.Task[set[Claim]] | None = None

    async def holds(self, claim: Claim) -> bool:
        """Raises: StorageUnavailable."""
        if claim.is_empty:
            return True
        self._claims.add(claim)
        if self._batch is None:
            self._batch = asyncio.create_task(self._ask())
        # One that is cancelled must not take the answer from the others.
        return claim in await asyncio.shield(self._batch)

    async def _ask(self) -> set[Claim]:
        try:
            await asyncio.sleep(GATHER_S)
        finally:
            claims, self._claims, self._batch = self._claims, set(), None
        return await asyncio.to_thread(self._store.held, claims)


async def until_lost(signals: Signals, may_still_read: MayStillRead) -> None:
    """Returns when the reader has lost the right. It is asked for when people, roles or keys have
    changed, and every few seconds.
    """
    patience_s = RECHECK_S
    with signals.waiter(PEOPLE) as waiter:
        while True:
            await waiter.wait(patience_s)
            try:
                if not await may_still_read():
                    return
                patience_s = RECHECK_S
            except StorageUnavailable:
                patience_s = RETRY_S
