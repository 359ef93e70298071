"""`ideapool mcp`: serves the tools, resources and prompts over stdio."""

import asyncio

from service.cli.connection.connect import be_quiet
from service.cli.connection.persistent import PersistentConnection
from service.mcp.server import build
from service.settings import Settings


def serve(settings: Settings) -> int:
    async def whole() -> None:
        connection = PersistentConnection(settings)
        try:
            await build(connection).run_stdio_async()
        finally:
            await connection.close()

    be_quiet(settings)
    asyncio.run(whole())
    return 0
