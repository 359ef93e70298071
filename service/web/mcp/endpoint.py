"""The route `/mcp`, and what answers it from the first message until the app stops.

It takes nothing but POST: without sessions there is nothing to listen to between two messages, and
nothing to end.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import cast

from fastapi import APIRouter
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from service.held import Held


class McpEndpoint:
    """Answers assistants by calling the REST API of `app`, with the key of each message.

    It starts at the first message, since most servers never get one and the library takes a second
    to import.
    """

    def __init__(self, app: ASGIApp, *, body_limit_bytes: int) -> None:
        self._app = app
        self._body_limit_bytes = body_limit_bytes
        self._handler = Held(self._serving)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        handler = await self._handler.get()
        await handler(scope, receive, send)

    async def close(self) -> None:
        """Ends the messages that are still being answered."""
        await self._handler.close()

    @asynccontextmanager
    async def _serving(self) -> AsyncIterator[ASGIApp]:
        serving = await asyncio.to_thread(_imported)
        async with serving(self._app, body_limit_bytes=self._body_limit_bytes) as handler:
            yield handler


class _Route:
    """Passes a request on to the endpoint of its app, as all apps of a process share the routes."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = cast(McpEndpoint, scope["app"].state.mcp)
        await endpoint.handle(scope, receive, send)


def _imported() -> Callable[..., AbstractAsyncContextManager[ASGIApp]]:
    from service.web.mcp.serving import serving

    return serving


router = APIRouter(routes=[Route("/mcp", _Route(), methods=["POST"], include_in_schema=False)])
