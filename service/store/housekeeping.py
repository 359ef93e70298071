"""Daily work of the running service: deletes old ideas and boards in the trash for good."""

import asyncio
import logging
from datetime import timedelta
from typing import Self

from service.errors import ServiceError
from service.schemas.identity import now
from service.store import Store
from service.store.trash import PAUSE_S

DAY_S = 24 * 3600.0
_log = logging.getLogger(__name__)


class Housekeeping:
    """Runs at the start and then every day, in short steps so that others can write in between.

    With `trash_days=0` nothing is deleted.
    """

    def __init__(self, store: Store, *, trash_days: int, every_s: float = DAY_S) -> None:
        self._store = store
        self._trash_days = trash_days
        self._every_s = every_s
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if self._trash_days:
            self._task = asyncio.create_task(self._work())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Waits for the current step to end, so that the database can be closed."""
        self._closing.set()
        if self._task is not None:
            await self._task

    async def _work(self) -> None:
        while not self._closing.is_set():
            try:
                await self._empty_trash()
            except ServiceError as error:
                _log.warning("The trash could not be emptied: %s", error.detail)
            except Exception:
                _log.exception("The trash could not be emptied")
            await self._pause(self._every_s)

    async def _empty_trash(self) -> None:
        before = now() - timedelta(days=self._trash_days)
        ideas = boards = 0
        while not self._closing.is_set():
            purged = await asyncio.to_thread(self._store.trash.purge_expired, before)
            ideas, boards = ideas + purged.ideas, boards + purged.boards
            if purged.is_last:
                break
            await self._pause(PAUSE_S)
        if ideas or boards:
            _log.info(
                "deleted for good after %d days in the trash: %d ideas, %d boards",
                self._trash_days,
                ideas,
                boards,
            )

    async def _pause(self, seconds: float) -> None:
        """Waits, but returns early when the service stops."""
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            return
