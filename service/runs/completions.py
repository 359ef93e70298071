"""Completions: a chat or raw prompts, answered by one or more engine requests in one stream.

Knows no HTTP. Unlike a run, a completion belongs to its caller: nothing is stored, and closing its
stream cancels it.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Literal

from service.engine.backend import Backend
from service.engine.client import cut_off
from service.engine.types import Delta, Event, Finished, GenerateRequest, Usage
from service.errors import EngineBusy, EngineError, PromptTooLong
from service.runs.refusals import stopping

# `max_tokens` is not halved below this: refusing is better than such a short answer.
LEAST_TOKENS = 16
Kind = Literal["chat", "text"]
Status = Literal["done", "failed", "cancelled", "refused"]
# The index of the request, and an event of its answer.
Piece = tuple[int, Delta | Finished]


@dataclass(frozen=True, slots=True)
class CompletionEnd:
    """`usage` counts finished answers only; `first_s` is None if no text came.

    The kind is `text` for raw prompts.
    """

    kind: Kind
    status: Status
    usage: Usage
    first_s: float | None
    total_s: float


class Completions:
    """Streams completions, and calls `ended` with the end of each one."""

    def __init__(self, backend: Backend, *, ended: Callable[[CompletionEnd], None]) -> None:
        self._backend = backend
        self._ended = ended
        self._open: set[str] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._is_closing = False

    async def stream(
        self, requests: Sequence[GenerateRequest], *, may_shorten: bool = False
    ) -> AsyncGenerator[Piece, None]:
        """Stream the answers side by side, once every request has been admitted.

        With `may_shorten`, `max_tokens` is halved until prompt and answer fit the context.

        Raises:
            ServiceError: as `Backend.submit` does; also EngineBusy if the server is stopping.
        """
        tally = _Tally("chat" if requests[0].prompt is None else "text")
        ids = {request.id for request in requests}
        self._open |= ids
        self._idle.clear()
        try:
            if self._is_closing:
                raise stopping()
            async with aclosing(self._shortened_to_fit(requests, may_shorten)) as pieces:
                async for piece in pieces:
                    tally.add(piece[1])
                    yield piece
            if tally.finished < len(requests):
                raise self._cut_off()
            tally.status = "done"
        except Exception as error:
            tally.fail(error)
            raise
        finally:
            self._open -= ids
            if not self._open:
                self._idle.set()
            self._ended(tally.end())

    async def close(self, drain_s: float) -> None:
        """Refuse new completions, wait `drain_s` for those under way, then cancel the rest."""
        self._is_closing = True
        try:
            async with asyncio.timeout(drain_s):
                await self._idle.wait()
        except TimeoutError:
            for request_id in tuple(self._open):
                await self._backend.cancel(request_id)

    def _cut_off(self) -> EngineError:
        if self._is_closing:
            return stopping()
        return cut_off()

    async def _shortened_to_fit(
        self, requests: Sequence[GenerateRequest], may_shorten: bool
    ) -> AsyncGenerator[Piece, None]:
        has_begun = False
        while True:
            try:
                async with aclosing(self._stream_all(requests)) as pieces:
                    async for piece in pieces:
                        has_begun = True
                        yield piece
                return
            except PromptTooLong:
                tokens = requests[0].max_tokens // 2
                if has_begun or not may_shorten or tokens < LEAST_TOKENS:
                    raise
                requests = [replace(request, max_tokens=tokens) for request in requests]

    def _stream_all(self, requests: Sequence[GenerateRequest]) -> AsyncGenerator[Piece, None]:
        return self._stream_one(requests[0]) if len(requests) == 1 else self._stream_many(requests)

    async def _stream_one(self, request: GenerateRequest) -> AsyncGenerator[Piece, None]:
        async with aclosing(self._backend.submit(request)) as events:
            async for event in events:
                if isinstance(event, (Delta, Finished)):
                    yield 0, event

    async def _stream_many(
        self, requests: Sequence[GenerateRequest]
    ) -> AsyncGenerator[Piece, None]:
        inbox: asyncio.Queue[tuple[int, Event | Exception | None]] = asyncio.Queue()
        tasks = [
            asyncio.create_task(self._relay(index, request, inbox))
            for index, request in enumerate(requests)
        ]
        waiting, running = set(range(len(requests))), len(requests)
        buffered: list[Piece] = []
        try:
            while running:
                index, event = await inbox.get()
                waiting.discard(index)
                if isinstance(event, Exception):
                    raise event
                if event is None:
                    running -= 1
                elif isinstance(event, (Delta, Finished)):
                    buffered.append((index, event))
                if not waiting:
                    for piece in buffered:
                        yield piece
                    buffered.clear()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _relay(
        self,
        index: int,
        request: GenerateRequest,
        inbox: asyncio.Queue[tuple[int, Event | Exception | None]],
    ) -> None:
        try:
            async with aclosing(self._backend.submit(request)) as events:
                async for event in events:
                    inbox.put_nowait((index, event))
            inbox.put_nowait((index, None))
        except Exception as error:
            inbox.put_nowait((index, error))


class _Tally:
    """Measures a completion for its `CompletionEnd`."""

    def __init__(self, kind: Kind) -> None:
        self._kind: Kind = kind
        self.status: Status = "cancelled"
        self.finished = 0
        self._usage = Usage()
        self._began = time.monotonic()
        self._first: float | None = None

    def add(self, piece: Delta | Finished) -> None:
        if self._first is None:
            self._first = time.monotonic()
        if isinstance(piece, Finished):
            self.finished += 1
            self._usage += piece.usage

    def fail(self, error: Exception) -> None:
        is_refused = isinstance(error, EngineBusy) and self._first is None
        self.status = "refused" if is_refused else "failed"

    def end(self) -> CompletionEnd:
        first_s = None if self._first is None else self._first - self._began
        total_s = time.monotonic() - self._began
        return CompletionEnd(self._kind, self.status, self._usage, first_s, total_s)
