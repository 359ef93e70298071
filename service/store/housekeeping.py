"""Daily work of the running service: deletes what was kept for long enough."""

import asyncio
import logging
from datetime import timedelta

from service.recurring import Recurring
from service.schemas.identity import now
from service.store import Store
from service.store.activity import ACTIVITY_LIFE
from service.store.attachments import DELETED_LIFE as DELETED_FILE_LIFE
from service.store.comments import DELETED_LIFE
from service.store.deliveries import DELIVERY_LIFE
from service.store.file_imports import IMPORT_LIFE
from service.store.keys import ENDED_SESSION_LIFE
from service.store.trash import PAUSE_S

DAY_S = 24 * 3600.0
_log = logging.getLogger(__name__)


class Housekeeping(Recurring):
    """Deletes old answers to requests, activities, deliveries, ended sessions, deleted comments and files, and
    for good what was long in the trash.

    Pauses between its steps so that others can write. With `trash_days=0` the trash is kept. Of
    several servers on a database, one does it at a time.
    """

    def __init__(self, store: Store, *, trash_days: int, every_s: float = DAY_S) -> None:
        super().__init__("Old data could not be deleted", every_s=every_s)
        self._store = store
        self._trash_days = trash_days

    async def work(self) -> None:
        async with self._store.locks.held("housekeeping") as is_ours:
            if is_ours:
                await self._tidy()

    async def _tidy(self) -> None:
        await asyncio.to_thread(self._store.keyed_answers.purge_expired)
        await asyncio.to_thread(self._store.file_imports.purge_before, now() - IMPORT_LIFE)
        await asyncio.to_thread(self._store.activity.purge_before, now() - ACTIVITY_LIFE)
        await asyncio.to_thread(self._store.comments.purge_before, now() - DELETED_LIFE)
        await asyncio.to_thread(self._store.attachments.purge_before, now() - DELETED_FILE_LIFE)
        await asyncio.to_thread(self._store.keys.purge_sessions, now() - ENDED_SESSION_LIFE)
        await asyncio.to_thread(self._store.deliveries.purge_before, now() - DELIVERY_LIFE)
        if self._trash_days:
            await self._empty_trash()

    async def _empty_trash(self) -> None:
        before = now() - timedelta(days=self._trash_days)
        ideas = boards = 0
        while not self.closing:
            purged = await asyncio.to_thread(self._store.trash.purge_expired, before)
            ideas, boards = ideas + purged.ideas, boards + purged.boards
            if purged.is_last:
                break
            await self.pause(PAUSE_S)
        if ideas or boards:
            _log.info(
                "deleted for good after %d days in the trash: %d ideas, %d boards",
                self._trash_days,
                ideas,
                boards,
            )
