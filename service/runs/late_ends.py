"""Ends of runs that could not be stored when they came, as on a full disk: they are tried again."""

import asyncio
import logging
from collections.abc import Callable

from service.errors import LeaseLost, NotFound, StorageUnavailable
from service.recurring import Recurring
from service.schemas.runs import RunPublic
from service.store import Store
from service.store.runs import RunOutcome

RETRY_S = 5.0
_log = logging.getLogger(__name__)


class LateEnds(Recurring):
    """`stored` is called with each run whose end is stored at last."""

    def __init__(self, store: Store, stored: Callable[[RunPublic], None]) -> None:
        super().__init__("The ends of runs could not be stored", every_s=RETRY_S)
        self._store = store
        self._stored = stored
        self._waiting: dict[str, RunOutcome] = {}

    @property
    def run_ids(self) -> set[str]:
        return set(self._waiting)

    def keep(self, run_id: str, outcome: RunOutcome) -> None:
        _log.error("the end of run %s could not be stored; it is tried again", run_id)
        self._waiting[run_id] = outcome

    async def work(self) -> None:
        for run_id, outcome in list(self._waiting.items()):
            try:
                run = await asyncio.to_thread(self._finish, run_id, outcome)
            except StorageUnavailable:
                # The log says already what is wrong with the database.
                return
            except NotFound:
                # Its board was deleted for good meanwhile.
                del self._waiting[run_id]
                continue
            del self._waiting[run_id]
            _log.info("the end of run %s is stored", run_id)
            self._stored(run)

    def _finish(self, run_id: str, outcome: RunOutcome) -> RunPublic:
        try:
            return self._store.runs.finish(run_id, outcome)
        except LeaseLost:
            return self._store.runs.get(run_id)
