"""Asks the database whether it works, in a thread of its own, so that no page is ahead of the question.

It does not know what else a server needs.
"""

import asyncio
import math
import time
from collections.abc import Sequence

from anyio import CapacityLimiter, to_thread

from service.errors import ServiceError
from service.store import Store
from service.store.replicas import SeenReplica

# All who ask within this time get one answer, unless somebody has met a failure since.
FRESH_S = 1.0
# While a busy server takes longer than this to ask again, an answer of this age will do.
PATIENCE_S, STALE_S = 0.1, 5.0


class Readiness:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._question: asyncio.Task[ServiceError | None] | None = None
        self._replicas: Sequence[SeenReplica] = ()
        self._worked_at = -STALE_S

    async def replicas(self) -> Sequence[SeenReplica]:
        """Returns the servers that share the database.

        Raises:
            StorageUnavailable: the database cannot be read and written.
        """
        age_s = math.inf if self._store.has_failed() else time.monotonic() - self._worked_at
        if age_s < FRESH_S:
            return self._replicas
        if self._question is None or self._question.done():
            self._question = asyncio.create_task(self._ask())
        patience_s = PATIENCE_S if age_s < STALE_S else None
        done, _ = await asyncio.wait([self._question], timeout=patience_s)
        error = next(iter(done)).result() if done else None
        if error is not None:
            raise error
        return self._replicas

    async def _ask(self) -> ServiceError | None:
        try:
            self._replicas = await to_thread.run_sync(self._look, limiter=CapacityLimiter(1))
        except ServiceError as error:
            self._worked_at = -STALE_S
            return error
        self._worked_at = time.monotonic()
        return None

    def _look(self) -> Sequence[SeenReplica]:
        self._store.boards.default()
        self._store.try_write()
        return self._store.replicas.seen() if self._store.is_shared else ()
