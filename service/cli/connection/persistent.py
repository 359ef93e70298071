"""A connection that lasts as long as its process, for assistants."""

import asyncio

from service.cli.connection.connect import connect
from service.cli.connection.rest import Rest
from service.errors import ServiceError
from service.settings import Settings


class PersistentConnection:
    """Connects at the first call, since assistants start every MCP server they know, and reconnects."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = asyncio.Lock()
        self._holder: asyncio.Task[None] | None = None
        self._rest: asyncio.Future[Rest] | None = None
        self._leaving = asyncio.Event()

    async def rest(self) -> Rest:
        async with self._lock:
            if self._rest is None:
                self._leaving.clear()
                self._rest = asyncio.get_running_loop().create_future()
                self._holder = asyncio.create_task(self._hold(self._rest))
        try:
            return await asyncio.shield(self._rest)
        except ServiceError:
            await self.close()
            raise

    async def close(self) -> None:
        async with self._lock:
            self._leaving.set()
            if self._holder is not None:
                await self._holder
            self._holder = self._rest = None

    async def _hold(self, ready: asyncio.Future[Rest]) -> None:
        # One task from beginning to end, because the server must be closed by the task that opened it.
        try:
            async with connect(self._settings, needs_models=True) as rest:
                ready.set_result(rest)
                await self._leaving.wait()
        except Exception as error:
            if ready.done():
                raise
            ready.set_exception(error)
