"""Server-sent events (HTML standard, 9.2), and noticing clients that disconnect."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, suppress

from fastapi.sse import format_sse_event
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.errors import ClientLeft
from service.runs.recorder import RunEvent

HEARTBEAT_S = 15.0
# Proxies must neither cache nor buffer the stream.
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
HEARTBEAT = format_sse_event(comment="still here")


class EventStream(Response):
    """Sends events as they come, and a heartbeat after `heartbeat_s` without one.

    When the client disconnects, `events` is closed. With `awaits_first` the response starts with
    the first event, so that an error before it becomes an HTTP error. `closed` is called once,
    however the stream ends.
    """

    def __init__(
        self,
        events: AsyncGenerator[bytes, None],
        *,
        awaits_first: bool = False,
        closed: Callable[[], None] | None = None,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        self.status_code = 200
        self.media_type = "text/event-stream"
        self.background = None
        self.init_headers(HEADERS)
        self._events = events
        self._awaits_first = awaits_first
        self._closed = closed
        self._heartbeat_s = heartbeat_s
        self._sent_at = 0.0

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with suppress(ClientLeft):
                async with while_connected(receive), aclosing(self._events):
                    await self._send_all(send)
        finally:
            if self._closed is not None:
                self._closed()

    async def _send_all(self, send: Send) -> None:
        clock = asyncio.get_running_loop().time
        first = await anext(self._events) if self._awaits_first else b""
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        if first:
            await send({"type": "http.response.body", "body": first, "more_body": True})
        self._sent_at = clock()
        heartbeat = asyncio.create_task(self._beat(send))
        try:
            async for event in self._events:
                await send({"type": "http.response.body", "body": event, "more_body": True})
                self._sent_at = clock()
        finally:
            heartbeat.cancel()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _beat(self, send: Send) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            rest_s = self._sent_at + self._heartbeat_s - clock()
            if rest_s > 0:
                await asyncio.sleep(rest_s)
            else:
                await send({"type": "http.response.body", "body": HEARTBEAT, "more_body": True})
                self._sent_at = clock()


@asynccontextmanager
async def while_connected(receive: Receive) -> AsyncIterator[None]:
    """Cancels the code in its block when the client disconnects.

    The request's body must have been read before.

    Raises: ClientLeft.
    """
    scope = asyncio.timeout(None)
    try:
        async with scope:
            watcher = asyncio.create_task(_expire_on_leaving(receive, scope))
            try:
                yield
            finally:
                watcher.cancel()
    except TimeoutError as error:
        if not scope.expired():
            raise
        raise ClientLeft("The client disconnected.") from error


async def _expire_on_leaving(receive: Receive, scope: asyncio.Timeout) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.reschedule(asyncio.get_running_loop().time())


async def json_events(events: AsyncGenerator[RunEvent, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(events):
        async for event in events:
            yield format_sse_event(
                event=event.name,
                data_str=json.dumps(event.data, ensure_ascii=False),
                id=str(event.id),
            )
