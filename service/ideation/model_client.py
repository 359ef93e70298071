"""Asks one model on behalf of one run: reports steps, counts tokens, retries unusable answers."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TypeVar

from service.engine.backend import Backend
from service.engine.client import EngineClient, Observe, ignore
from service.engine.types import (
    Delta,
    Event,
    Finished,
    GenerateRequest,
    Message,
    ModelInfo,
    Queued,
    Started,
    Usage,
)
from service.errors import AnswerUnusable
from service.ideation.events import Began, DraftDropped, Drafted, Emit, Step, Waiting
from service.messages import Text
from service.prompts.languages import AS_WRITTEN
from service.prompts.tasks import Prompt, in_language

ATTEMPTS_FOR_A_TEXT = 3
View = Callable[[str], tuple[str | None, str]]
Parsed = TypeVar("Parsed")


@dataclass(slots=True)
class Ledger:
    """The prompts and tokens of a run. Filled in as it goes, so a failed run has them too.

    `repeats` and `unusable` count the drafts of a brainstorm that were left out.
    """

    prompts: list[tuple[Message, ...]] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    repeats: int = 0
    unusable: int = 0

    @property
    def tokens(self) -> dict[str, int]:
        names = ("prompt_tokens", "cached_tokens", "completion_tokens")
        return {name: getattr(self.usage, name) for name in names}


class ModelClient:
    """Asks `model` in `language`, reports steps to `emit` and fills in `ledger`."""

    def __init__(
        self,
        backend: Backend,
        model: ModelInfo,
        client: str,
        ledger: Ledger,
        emit: Emit,
        language: str = AS_WRITTEN,
    ) -> None:
        self._backend = backend
        self.model = model
        self.client = client
        self.ledger = ledger
        self.emit = emit
        self.language = language

    @property
    def is_shared(self) -> bool:
        """Whether others use the engine or wait for it. Ask between requests, not during one."""
        stats = self._backend.stats()
        return stats.running + stats.waiting > 0

    def reporting_only(self, is_reported: Callable[[Step], bool]) -> "ModelClient":
        """The same client, which reports only some steps."""

        async def emit(step: Step) -> None:
            if is_reported(step):
                await self.emit(step)

        return ModelClient(self._backend, self.model, self.client, self.ledger, emit, self.language)

    async def observe(self, event: Event) -> None:
        if isinstance(event, Queued):
            await self.emit(Waiting(event.position))
        elif isinstance(event, Started):
            await self.emit(Began(self.model))

    async def ask_until_usable(
        self,
        prompt: Callable[[int], Prompt],
        parse: Callable[[str], Parsed],
        view: View,
        lacks: Callable[[Parsed], Sequence[str]] = lambda _: (),
    ) -> Parsed:
        """Ask until the answer is usable, at most `ATTEMPTS_FOR_A_TEXT` times.

        If `lacks` finds something missing, the model is asked once more, and the better answer counts.
        """
        first: Parsed | None = None
        for attempt in range(ATTEMPTS_FOR_A_TEXT):
            answer = await self.ask(prompt(attempt), view)
            try:
                found = parse(answer)
            except AnswerUnusable as unusable:
                if first is not None:
                    return first
                if attempt == ATTEMPTS_FOR_A_TEXT - 1:
                    raise AnswerUnusable(
                        Text(
                            "None of the model's %(attempts)s answers was usable. The last one: "
                            "%(detail)s Try again, or shorten the text.",
                            attempts=ATTEMPTS_FOR_A_TEXT,
                            detail=unusable.detail,
                        )
                    ) from unusable
                await self.emit(DraftDropped(0, unusable.detail))
                continue
            if first is not None:
                return min(first, found, key=lambda one: len(lacks(one)))
            if not (lacking := lacks(found)) or attempt == ATTEMPTS_FOR_A_TEXT - 1:
                return found
            first = found
            detail = Text("The new text lacks: %(facts)s.", facts=", ".join(lacking))
            await self.emit(DraftDropped(0, detail))
        raise AssertionError

    async def ask(self, prompt: Prompt, view: View, *, branch: int = 0, angle: str = "") -> str:
        """The whole answer. It may be cut off at `max_tokens`; the parsers decide if it is usable."""
        answer = ""
        async with aclosing(self.follow(prompt, view, branch=branch, angle=angle)) as answers:
            async for so_far in answers:
                answer = so_far
        return answer

    async def follow(
        self, prompt: Prompt, view: View, *, branch: int = 0, angle: str = ""
    ) -> AsyncGenerator[str, None]:
        """Yields the answer so far whenever it has grown. Closing it stops the model."""
        prompt = in_language(prompt, self.language)
        self.ledger.prompts.append(prompt.messages)
        answer = ""
        async with aclosing(self._engine().events(request_for(prompt))) as events:
            async for event in events:
                await self.observe(event)
                if isinstance(event, Delta):
                    answer += event.text
                    title, body = view(answer)
                    await self.emit(Drafted(branch, angle, event.text, title, body))
                    yield answer
                elif isinstance(event, Finished):
                    self.ledger.usage += event.usage

    async def choose(
        self, prompts: tuple[tuple[Message, ...], ...], choices: tuple[str, ...]
    ) -> tuple[tuple[float, ...], ...]:
        """The probability of each choice after each prompt; see `ProbeRequest`."""
        self.ledger.prompts += prompts
        answer = await self._engine(self.observe).probe(prompts, choices)
        self.ledger.usage += answer.usage
        return answer.rows

    def _engine(self, observe: Observe = ignore) -> EngineClient:
        return EngineClient(self._backend, self.model.name, client=self.client, observe=observe)


def request_for(prompt: Prompt) -> GenerateRequest:
    """The request without id and model, which `EngineClient` fills in."""
    return GenerateRequest(
        id="",
        model="",
        messages=prompt.messages,
        max_tokens=prompt.max_tokens,
        sampling=prompt.sampling,
        stop=prompt.stop,
        grammar=prompt.grammar,
    )


def attempt_seed(seed: int, attempt: int) -> int:
    """The seed of one request of a run: retries differ, and repeating the run gives the same ones."""
    return (seed + 7919 * attempt) % 2**31
