"""Server-sent events (HTML standard, 9.2), and noticing clients that disconnect."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import aclosing, asynccontextmanager, suppress
from functools import partial
from typing import Any

from fastapi.sse import format_sse_event
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.errors import ClientLeft, Unauthorised
from service.messages import Text
from service.runs.recorder import RunEvent

HEARTBEAT_S = 15.0
# Proxies must neither cache nor buffer the stream.
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
HEARTBEAT = format_sse_event(comment="still here")
# Waits until something is over.
Over = Callable[[], Coroutine[Any, Any, None]]


class EventStream(Response):
    """Sends events as they come, and a heartbeat after `heartbeat_s` without one.

    When the client disconnects, `events` is closed. With `awaits_first` the response starts with
    the first event, so that an error before it becomes an HTTP error. The stream ends, too, when
    `until` returns. `closed` is called once, however the stream ends.
    """

    def __init__(
        self,
        events: AsyncGenerator[bytes, None],
        *,
        awaits_first: bool = False,
        until: Over | None = None,
        closed: Callable[[], None] | None = None,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        self.status_code = 200
        self.media_type = "text/event-stream"
        self.background = None
        self.init_headers(HEADERS)
        self._events = events
        self._awaits_first = awaits_first
        self._until = until
        self._has_started = False
        self._closed = closed
        self._heartbeat_s = heartbeat_s
        self._sent_at = 0.0

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with suppress(ClientLeft):
                async with while_connected(receive), aclosing(self._events):
                    async with _stopped_by(self._until):
                        await self._send_all(send)
                    await self._end(send)
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
        self._has_started = True
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

    async def _end(self, send: Send) -> None:
        if not self._has_started:
            raise Unauthorised(Text("You may not do this any more."))
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
    is_left = True
    async with _stopped_by(partial(_leaving, receive)):
        yield
        is_left = False
    if is_left:
        raise ClientLeft("The client disconnected.")


@asynccontextmanager
async def _stopped_by(over: Over | None) -> AsyncIterator[None]:
    """Cancels the code in its block when `over` returns, and goes on behind it."""
    if over is None:
        yield
        return
    scope = asyncio.timeout(None)
    try:
        async with scope:
            watcher = asyncio.create_task(_expire(over, scope))
            try:
                # It waits already when the block begins, so that it misses nothing.
                await asyncio.sleep(0)
                yield
            finally:
                watcher.cancel()
    except TimeoutError:
        if not scope.expired():
            raise


async def _expire(over: Over, scope: asyncio.Timeout) -> None:
    await over()
    scope.reschedule(asyncio.get_running_loop().time())


async def _leaving(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def json_events(events: AsyncGenerator[RunEvent, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(events):
        async for event in events:
            yield format_sse_event(
                event=event.name,
                data_str=json.dumps(event.data, ensure_ascii=False),
                id=str(event.id),
            )
