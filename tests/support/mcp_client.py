"""Reaches an MCP server as assistants do: as a child process, or over HTTP."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, TextContent

from service.settings import PROJECT_ROOT

PATIENCE_S = 240


def over_stdio(environment: dict[str, str]) -> StdioServerParameters:
    return StdioServerParameters(
        command=sys.executable,
        args=["-m", "service", "mcp"],
        cwd=PROJECT_ROOT,
        env=os.environ | environment,
    )


@asynccontextmanager
async def over_http(
    url: str, *, mode: str = "auto", key: str | None = None
) -> AsyncIterator[Client]:
    """`mode` is `legacy` for the protocol's revisions with a handshake, up to 2025-11-25."""
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=PATIENCE_S) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http), mode=mode) as client,
    ):
        yield client


def text_of(result: CallToolResult) -> str:
    return "".join(part.text for part in result.content if isinstance(part, TextContent))


async def use(client: Client, tool: str, **arguments: Any) -> Any:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, text_of(result)
    return result.structured_content


async def brainstormed(
    client: Client, n: int
) -> tuple[list[dict[str, Any]], list[tuple[float, float | None, str | None]]]:
    """The suggestions of a brainstorm, and the progress that was told of it."""
    told: list[tuple[float, float | None, str | None]] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, total, message))

    made = await client.call_tool(
        "brainstorm", {"topic": "a street party", "n": n}, progress_callback=on_progress
    )
    assert made.structured_content is not None
    return made.structured_content["suggestions"], told
