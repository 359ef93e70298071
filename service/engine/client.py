"""Asks one model one question at a time: sends a request, follows its events, returns the outcome.

Knows no ideas and no runs. Whoever shows progress passes `observe`.
"""

import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TypeVar

from service.engine.backend import Backend
from service.engine.types import (
    Delta,
    Embedding,
    EmbedRequest,
    Event,
    Finished,
    FinishReason,
    GenerateRequest,
    Message,
    Outcome,
    Probabilities,
    ProbeRequest,
    Request,
    Scored,
    ScoreRequest,
    Usage,
)
from service.errors import EngineCrashed
from service.messages import Text

Observe = Callable[[Event], Awaitable[None]]
Expected = TypeVar("Expected", Finished, Probabilities, Embedding, Scored)


@dataclass(frozen=True, slots=True)
class Answer:
    """A generated text. `finish` is `length` if it was cut off at `max_tokens`."""

    text: str
    finish: FinishReason
    usage: Usage


async def ignore(_: Event) -> None:
    """Observes nothing."""


class EngineClient:
    """A model of a backend, asked on behalf of `client`; `observe` is called with every event.

    Requests count as admitted: they may have to wait, but are never refused for a full queue. The
    `id`, `model`, `client` and `is_admitted` of a request that is passed in are replaced.

    All methods raise what `Backend.submit` raises, and EngineCrashed if the events end early.
    """

    def __init__(
        self, backend: Backend, model: str, *, client: str = "", observe: Observe = ignore
    ) -> None:
        self._backend = backend
        self._model = model
        self._client = client
        self._observe = observe

    async def generate(self, request: GenerateRequest) -> Answer:
        text, end = await self._outcome(request, Finished)
        return Answer(text, end.reason, end.usage)

    async def probe(
        self, prompts: tuple[tuple[Message, ...], ...], choices: tuple[str, ...]
    ) -> Probabilities:
        return (await self._outcome(ProbeRequest("", "", prompts, choices), Probabilities))[1]

    async def embed(self, text: str) -> Embedding:
        return (await self._outcome(EmbedRequest("", "", text), Embedding))[1]

    async def score(self, request: ScoreRequest) -> Scored:
        return (await self._outcome(request, Scored))[1]

    async def events(self, request: Request) -> AsyncGenerator[Event, None]:
        """All events of a request, for callers that show its progress; the last is its outcome."""
        own = replace(
            request,
            id=uuid.uuid4().hex,
            model=self._model,
            client=self._client,
            is_admitted=True,
        )
        event: Event | None = None
        async with aclosing(self._backend.submit(own)) as events:
            async for event in events:
                await self._observe(event)
                yield event
        if not isinstance(event, Outcome):
            raise cut_off()

    async def _outcome(self, request: Request, expected: type[Expected]) -> tuple[str, Expected]:
        """The text that was generated on the way, and the last event."""
        pieces: list[str] = []
        outcome: Event | None = None
        async with aclosing(self.events(request)) as events:
            async for outcome in events:
                if isinstance(outcome, Delta):
                    pieces.append(outcome.text)
        if not isinstance(outcome, expected):
            raise cut_off()
        return "".join(pieces), outcome


def cut_off() -> EngineCrashed:
    """The events of a request ended before its outcome came."""
    return EngineCrashed(Text("The engine ended in the middle of an answer. Try again."))
