"""Work that the running service does again and again: at its start, and then after every pause."""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from typing import Any, Self

from service.errors import ServiceError

_log = logging.getLogger(__name__)


class Recurring(ABC):
    """A context manager; leaving it waits for the current step, so that the database can be closed.

    `failure` is logged when the work fails. It is tried again after the next pause.
    """

    def __init__(self, failure: str, *, every_s: float) -> None:
        self._failure = failure
        self._every_s = every_s
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @abstractmethod
    async def work(self) -> None:
        """In short steps, which go on only while the service is not `closing`."""

    @property
    def closing(self) -> bool:
        return self._closing.is_set()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._repeat())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing.set()
        if self._task is not None:
            await self._task

    async def pause(self, seconds: float) -> None:
        """Waits, but returns early when the service stops."""
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            return

    async def pause_until(self, event: Coroutine[Any, Any, object]) -> None:
        """Waits for the event, but returns early when the service stops."""
        waiting = [asyncio.ensure_future(event), asyncio.ensure_future(self._closing.wait())]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def _repeat(self) -> None:
        while not self.closing:
            try:
                await self.work()
            except ServiceError as error:
                _log.warning("%s: %s", self._failure, error.detail)
            except Exception:
                _log.exception(self._failure)
            await self.pause(self._every_s)
