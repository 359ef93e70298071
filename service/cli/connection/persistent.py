"""A connection that lasts as long as its process, for assistants."""

from service.api_client.rest import Rest
from service.cli.connection.connect import connect
from service.held import Held
from service.settings import Settings


class PersistentConnection:
    """Connects at the first call, since assistants start every MCP server they know, and reconnects."""

    def __init__(self, settings: Settings) -> None:
        self._held = Held(lambda: connect(settings, needs_models=True))

    async def rest(self) -> Rest:
        return await self._held.get()

    async def close(self) -> None:
        await self._held.close()
