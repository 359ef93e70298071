"""Stops a call that an assistant takes back.

From the protocol's revision of 2026-07-28 on, clients close the connection, which stops the call
anyway. Before, they send a message of its own, `notifications/cancelled`, with the call's id. Such
ids are only unique within a session. There are none here, but a client takes the session's id that
it is offered and sends it with every message. So its calls are told from those of others, and
nothing has to be remembered that a restart would lose.
"""

import json
import uuid
from typing import Any

import anyio
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.streamable_http import MCP_SESSION_ID_HEADER, REQUEST_CANCELLED
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import MCP_PROTOCOL_VERSION_HEADER
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

TAKEN_BACK = "notifications/cancelled"


class Cancellation:
    def __init__(self) -> None:
        self._calls: dict[tuple[str, str], anyio.CancelScope] = {}

    async def answer(
        self, ctx: ServerRequestContext[Any, Any], call_next: CallNext
    ) -> HandlerResult:
        """Middleware of the server. Raises: MCPError for a call that was taken back."""
        request: Request | None = ctx.request
        session = request.headers.get(MCP_SESSION_ID_HEADER) if request is not None else None
        if session is None or ctx.request_id is None:
            return await call_next(ctx)
        call = (session, str(ctx.request_id))
        self._calls[call] = scope = anyio.CancelScope()
        try:
            with scope:
                return await call_next(ctx)
        finally:
            if self._calls.get(call) is scope:
                del self._calls[call]
        raise MCPError(code=REQUEST_CANCELLED, message="The call was taken back.")

    def around(self, app: ASGIApp) -> ASGIApp:
        """Offers a session to clients that can use one, and hears what they take back."""

        async def heard(scope: Scope, receive: Receive, send: Send) -> None:
            headers = Headers(scope=scope)
            session = headers.get(MCP_SESSION_ID_HEADER)
            needs_one = session is None and MCP_PROTOCOL_VERSION_HEADER not in headers

            async def receive_heard() -> Message:
                message = await receive()
                if session is not None and message["type"] == "http.request":
                    # The guard passes a body on in one piece.
                    self._take_back(session, message.get("body", b""))
                return message

            async def send_offer(message: Message) -> None:
                if needs_one and message["type"] == "http.response.start":
                    MutableHeaders(scope=message)[MCP_SESSION_ID_HEADER] = uuid.uuid4().hex
                await send(message)

            await app(scope, receive_heard, send_offer)

        return heard

    def _take_back(self, session: str, body: bytes) -> None:
        if TAKEN_BACK.encode() not in body:
            return
        try:
            message = json.loads(body)
            is_meant = message["method"] == TAKEN_BACK
            call = (session, str(message["params"]["requestId"]))
        except (ValueError, RecursionError, LookupError, TypeError):
            # The server says what is wrong with it.
            return
        if is_meant and call in self._calls:
            self._calls[call].cancel()
