"""Streams a completion as server-sent events; how an event looks is the business of its frames.

With many clients the server spends most of its time in frames. So the constant bytes of an event
are made beforehand, only its text is escaped, and no task is scheduled for it.
"""

import json
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Protocol

from service.engine.types import Delta, Finished
from service.errors import ServiceError
from service.runs.completions import Piece
from service.web.sse import EventStream, Over

as_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_log = logging.getLogger(__name__)


class Frames(Protocol):
    """The bytes of one completion's events; each method returns whole events."""

    def opening(self) -> bytes: ...

    def of(self, index: int, piece: Delta | Finished) -> bytes: ...

    def closing(self) -> bytes: ...

    def failing(self, error: Exception) -> bytes:
        """What follows in place of `closing` if the completion fails."""


def event_stream(
    pieces: AsyncGenerator[Piece, None], frames: Frames, until: Over | None
) -> EventStream:
    """An error before the first piece becomes an HTTP error. `until` as in `EventStream`."""
    return EventStream(_events(pieces, frames), awaits_first=True, until=until)


async def _events(
    pieces: AsyncGenerator[Piece, None], frames: Frames
) -> AsyncGenerator[bytes, None]:
    async with aclosing(pieces):
        index, piece = await anext(pieces)
        yield frames.opening() + frames.of(index, piece)
        try:
            async for index, piece in pieces:
                yield frames.of(index, piece)
            yield frames.closing()
        except Exception as error:
            if not isinstance(error, ServiceError):
                _log.exception("a completion failed after it had started to answer")
            yield frames.failing(error)
