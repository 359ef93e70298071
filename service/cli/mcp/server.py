"""`ideapool mcp`: serves the tools over stdio."""

import asyncio
from typing import Any

from mcp.server.mcpserver import MCPServer
from mcp.types import ToolAnnotations

from service.cli.connection.connect import be_quiet
from service.cli.connection.persistent import PersistentConnection
from service.cli.mcp.tools import Tools
from service.settings import Settings

INSTRUCTIONS = (
    "An idea board with its own small language models. Brainstorm returns suggestions. Add the good "
    "ones as ideas, then refine, evaluate and rank them. Calls to the models take seconds."
)
_READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
_ADDS = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=False)
_CHANGES = ToolAnnotations(read_only_hint=False, destructive_hint=True, open_world_hint=False)


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


def build(connection: PersistentConnection) -> MCPServer[Any]:
    tools = Tools(connection)
    server: MCPServer[Any] = MCPServer(
        "ideapool", title="Ideapool", instructions=INSTRUCTIONS, log_level="WARNING"
    )
    for tool, annotations in (
        (tools.brainstorm, _ADDS),
        (tools.refine, _CHANGES),
        (tools.evaluate, _ADDS),
        (tools.find_ideas, _READS),
        (tools.add_idea, _ADDS),
        (tools.update_idea, _CHANGES),
        (tools.rank_ideas, _ADDS),
        (tools.export_ideas, _READS),
    ):
        server.add_tool(tool, annotations=annotations)
    return server
