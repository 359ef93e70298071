"""Sends HTTP requests to an ASGI app of the same process and yields the answer as it comes.

httpx2's own transport returns an answer when all of it is there, which is too late for events.
"""

import asyncio
from collections.abc import AsyncIterator

import anyio
import httpx2
from starlette.types import ASGIApp, Message, Scope


class InProcessTransport(httpx2.AsyncBaseTransport):
    """`client` is the address that the app sees. Closing an answer disconnects from the app."""

    def __init__(self, app: ASGIApp, *, client: tuple[str, int] | None) -> None:
        self._app = app
        self._client = client

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Raises: httpx2.ReadError if the app breaks off."""
        exchange = _Exchange(await request.aread())
        exchange.start(self._app, self._scope(request))
        try:
            status, headers = await exchange.head()
        except BaseException:
            await exchange.aclose()
            raise
        return httpx2.Response(status, headers=headers, stream=exchange)

    def _scope(self, request: httpx2.Request) -> Scope:
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method,
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "scheme": request.url.scheme,
            "path": request.url.path,
            "raw_path": request.url.raw_path.partition(b"?")[0],
            "query_string": request.url.query,
            "server": (request.url.host, request.url.port),
            "client": self._client,
            "root_path": "",
        }


class _Exchange(httpx2.AsyncByteStream):
    """One request and its answer."""

    def __init__(self, body: bytes) -> None:
        self._body: bytes | None = body
        self._sent: asyncio.Queue[Message | None] = asyncio.Queue()
        self._left = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self, app: ASGIApp, scope: Scope) -> None:
        self._task = asyncio.create_task(self._answer(app, scope))

    async def head(self) -> tuple[int, list[tuple[bytes, bytes]]]:
        message = await self._next()
        return message["status"], list(message["headers"])

    async def __aiter__(self) -> AsyncIterator[bytes]:
        has_more = True
        while has_more:
            message = await self._next()
            has_more = message.get("more_body", False)
            if message.get("body"):
                yield message["body"]

    async def aclose(self) -> None:
        """Waits until the app has noticed, so that nothing of the request is left."""
        self._left.set()
        if self._task is not None:
            with anyio.CancelScope(shield=True):
                await asyncio.wait([self._task])

    async def _next(self) -> Message:
        message = await self._sent.get()
        if message is None:
            raise httpx2.ReadError("the answer broke off")
        return message

    async def _answer(self, app: ASGIApp, scope: Scope) -> None:
        try:
            await app(scope, self._receive, self._send)
        except Exception:
            # The app has logged it. What was sent of the answer is not whole.
            pass
        finally:
            self._sent.put_nowait(None)

    async def _receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if not self._left.is_set():
            self._sent.put_nowait(message)
