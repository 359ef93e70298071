"""A resource that is opened at its first use and kept open until it is closed."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Generic, TypeVar

Resource = TypeVar("Resource")


class Held(Generic[Resource]):
    """Enters the context manager that `open_` returns, and can do so again after `close`.

    One task enters and leaves it, whoever asks, because cancel scopes and servers must be closed by
    the task that opened them.
    """

    def __init__(self, open_: Callable[[], AbstractAsyncContextManager[Resource]]) -> None:
        self._open = open_
        self._lock = asyncio.Lock()
        self._holder: asyncio.Task[None] | None = None
        self._resource: asyncio.Future[Resource] | None = None
        self._leaving = asyncio.Event()

    async def get(self) -> Resource:
        """Raises: what opening it raises; the next call tries again."""
        async with self._lock:
            if self._resource is None:
                self._leaving = asyncio.Event()
                self._resource = asyncio.get_running_loop().create_future()
                self._holder = asyncio.create_task(self._hold(self._resource, self._leaving))
            resource = self._resource
        try:
            return await asyncio.shield(resource)
        except Exception:
            # Another caller may have opened it anew since.
            if self._resource is resource:
                await self.close()
            raise

    async def close(self) -> None:
        async with self._lock:
            holder, self._holder, self._resource = self._holder, None, None
            self._leaving.set()
            if holder is not None:
                await holder

    async def _hold(self, ready: asyncio.Future[Resource], leaving: asyncio.Event) -> None:
        try:
            async with self._open() as resource:
                ready.set_result(resource)
                await leaving.wait()
        except Exception as error:
            if ready.done():
                raise
            ready.set_exception(error)
