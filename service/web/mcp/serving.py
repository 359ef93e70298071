"""Serves the tools, resources and prompts over HTTP, each message by itself.

Apart from `endpoint`, because importing this takes a second.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

import httpx2
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.transport_security import TransportSecuritySettings
from sse_starlette.sse import AppStatus
from starlette.requests import Request
from starlette.types import ASGIApp

from service.api_client.rest import Rest
from service.mcp.server import build
from service.web.mcp.cancellation import Cancellation
from service.web.mcp.in_process import InProcessTransport

# For the message that the current task answers.
_REST: ContextVar[Rest] = ContextVar("rest")


@asynccontextmanager
async def serving(app: ASGIApp, *, body_limit_bytes: int) -> AsyncIterator[ASGIApp]:
    """The app that answers messages, as long as the block lasts."""
    # Streams end with the runs that they wait for, which get their time at a shutdown.
    AppStatus.disable_automatic_graceful_drain()  # type: ignore[no-untyped-call]
    connection = _InProcessConnection(app)
    cancellation = Cancellation()
    server = build(connection, middleware=[cancellation.answer, connection.open])
    server.streamable_http_app(
        stateless_http=True,
        max_request_body_size=body_limit_bytes,
        # The guard has checked host and origin.
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
    async with server.session_manager.run():
        yield cancellation.around(server.session_manager.handle_request)


class _InProcessConnection:
    """Calls the REST API of the same app as whoever sent the message, so all of its rules hold."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def rest(self) -> Rest:
        return _REST.get()

    async def close(self) -> None:
        """There is nothing to connect anew."""

    async def open(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Answers a message with a client that has its key and its address."""
        request: Request | None = ctx.request
        if request is None:
            raise RuntimeError("a message that did not come over HTTP")
        headers = {"Accept-Encoding": "identity"}
        if "authorization" in request.headers:
            headers["Authorization"] = request.headers["authorization"]
        async with httpx2.AsyncClient(
            transport=InProcessTransport(self._app, client=_address(request)),
            base_url="http://localhost",
            headers=headers,
            timeout=None,
            trust_env=False,
        ) as http:
            token = _REST.set(Rest(http, "This server"))
            try:
                return await call_next(ctx)
            finally:
                _REST.reset(token)


def _address(request: Request) -> tuple[str, int] | None:
    return None if request.client is None else (request.client.host, request.client.port)
