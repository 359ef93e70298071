"""Streams a completion as server-sent events in OpenAI's format.

With many clients the server spends most of its time here. So the constant bytes of a chunk are made
beforehand, only its text is escaped, and no task is scheduled for it.
"""

import json
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

from service.engine.types import Delta, Finished, Usage
from service.errors import ServiceError
from service.runs.completions import Piece
from service.web.errors import openai_error
from service.web.openai.responses import logprobs_of, timings_of, usage_of

_as_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_log = logging.getLogger(__name__)


async def events_of(
    pieces: AsyncGenerator[Piece, None], frames: "Frames"
) -> AsyncGenerator[bytes, None]:
    """An error before the first piece is raised; a later one becomes the last event."""
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
            yield f"data: {_as_json(openai_error(error)[1])}\n\n".encode()


class Frames:
    """Builds the bytes of one completion's events."""

    def __init__(
        self, completion_id: str, created: int, model: str, count: int, *, has_usage: bool
    ) -> None:
        self._has_usage = has_usage
        self._usages = [Usage()] * count
        self._head = (
            f'data: {{"id":{_as_json(completion_id)},"object":"chat.completion.chunk",'
            f'"created":{created},"model":{_as_json(model)},"choices":['
        )
        self._tail = ',"usage":null}\n\n' if has_usage else "}\n\n"
        self._befores = [
            f'{self._head}{{"index":{index},"delta":{{"content":'.encode() for index in range(count)
        ]
        self._after = f'}},"finish_reason":null}}]{self._tail}'.encode()

    def opening(self) -> bytes:
        return b"".join(
            before + b'"","role":"assistant","refusal":null' + self._after
            for before in self._befores
        )

    def of(self, index: int, piece: Delta | Finished) -> bytes:
        if isinstance(piece, Finished):
            return self._end(index, piece)
        return self._text(index, piece)

    def _text(self, index: int, delta: Delta) -> bytes:
        text = _as_json(delta.text).encode()
        if not delta.logprobs:
            return self._befores[index] + text + self._after
        logprobs = logprobs_of(delta.logprobs).model_dump_json().encode()
        return self._befores[index] + text + b'},"logprobs":' + logprobs + self._after[1:]

    def _end(self, index: int, finished: Finished) -> bytes:
        self._usages[index] = finished.usage
        timings = timings_of(self._usages)
        extra = "" if timings is None else f',"timings":{timings.model_dump_json()}'
        return (
            f'{self._head}{{"index":{index},"delta":{{}},"finish_reason":"{finished.reason}"}}]'
            f"{extra}{self._tail}"
        ).encode()

    def closing(self) -> bytes:
        if not self._has_usage:
            return b"data: [DONE]\n\n"
        usage = usage_of(self._usages).model_dump_json()
        return f'{self._head}],"usage":{usage}}}\n\n'.encode() + b"data: [DONE]\n\n"
