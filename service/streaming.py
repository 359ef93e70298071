"""A run's events as server-sent events, in the form of the HTML standard, section 9.2."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable

from fastapi.sse import format_sse_event
from starlette.responses import StreamingResponse

from service.run_events import RunEvent

HEARTBEAT_S = 15.0
# Proxies must neither keep nor collect the stream.
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


def event_stream(
    events: AsyncGenerator[bytes, None], *, closed: Callable[[], None] | None = None
) -> StreamingResponse:
    """Sends `events` with heartbeats in between; `closed` is called once however it ends."""
    return StreamingResponse(
        _with_heartbeat(events, closed), media_type="text/event-stream", headers=HEADERS
    )


async def json_events(events: AsyncGenerator[RunEvent, None]) -> AsyncGenerator[bytes, None]:
    async for event in events:
        yield format_sse_event(
            event=event.name,
            data_str=json.dumps(event.data, ensure_ascii=False),
            id=str(event.id),
        )


async def _with_heartbeat(
    events: AsyncGenerator[bytes, None], closed: Callable[[], None] | None
) -> AsyncGenerator[bytes, None]:
    pending: asyncio.Task[bytes] | None = None
    try:
        while True:
            pending = pending or asyncio.ensure_future(anext(events))
            done, _ = await asyncio.wait({pending}, timeout=HEARTBEAT_S)
            if not done:
                yield format_sse_event(comment="still here")
                continue
            finished, pending = pending, None
            try:
                yield finished.result()
            except StopAsyncIteration:
                return
    finally:
        # Nothing may be awaited here: the task is being cancelled when the client went away.
        if pending is not None:
            pending.cancel()
        if closed is not None:
            closed()
