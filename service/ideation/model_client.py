"""Asks one model for one run: passes its steps on, keeps the books, asks again within a budget."""

import uuid
from collections.abc import Callable, Sequence
from typing import TypeVar

from service.engine.backend import Backend
from service.engine.types import (
    Delta,
    Event,
    Finished,
    GenerateRequest,
    Message,
    ModelInfo,
    Probabilities,
    ProbeRequest,
    Queued,
    Started,
)
from service.errors import AnswerUnusable, EngineCrashed
from service.ideation.events import Began, DraftDropped, Drafted, Emit, Ledger, Step, Waiting
from service.messages import Text
from service.prompts.languages import AS_WRITTEN
from service.prompts.tasks import Prompt, in_language

ATTEMPTS_FOR_A_TEXT = 3
View = Callable[[str], tuple[str | None, str]]
Parsed = TypeVar("Parsed")


class ModelClient:
    """Asks one model and reports to one run."""

    def __init__(
        self, backend: Backend, model: ModelInfo, client: str, ledger: Ledger, emit: Emit
    ) -> None:
        self._backend = backend
        self.model = model
        self.client = client
        self.ledger = ledger
        self.emit = emit
        self.language = AS_WRITTEN

    @property
    def is_shared(self) -> bool:
        """Whether others use the model or wait for it; to be asked between calls of one's own."""
        stats = self._backend.stats()
        return stats.running + stats.waiting > 0

    def told_less(self, is_told: Callable[[Step], bool]) -> "ModelClient":
        """One that passes on only some of its steps."""

        async def emit(step: Step) -> None:
            if is_told(step):
                await self.emit(step)

        other = ModelClient(self._backend, self.model, self.client, self.ledger, emit)
        other.language = self.language
        return other

    async def observe(self, event: Event) -> None:
        if isinstance(event, Queued):
            await self.emit(Waiting(event.position))
        elif isinstance(event, Started):
            await self.emit(Began(self.model))

    async def insist(
        self,
        prompt: Callable[[int], Prompt],
        parse: Callable[[str], Parsed],
        view: View,
        lacks: Callable[[Parsed], Sequence[str]] = lambda _: (),
    ) -> Parsed:
        """Ask until the answer can be used, `ATTEMPTS_FOR_A_TEXT` times at most.

        One that lacks something is asked for once more; of the two that which lacks less counts.
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
                            "The model's answer could not be used in %(attempts)s attempts. The "
                            "last time: %(detail)s Try again, or shorten the text.",
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
            detail = Text("The new text leaves out: %(facts)s.", facts=", ".join(lacking))
            await self.emit(DraftDropped(0, detail))
        raise AssertionError

    async def ask(self, prompt: Prompt, view: View, *, branch: int = 0, angle: str = "") -> str:
        """The whole answer, also when it was cut at `max_tokens`: the parsers judge that."""
        prompt = in_language(prompt, self.language)
        request = GenerateRequest(
            id=uuid.uuid4().hex,
            model=self.model.name,
            messages=prompt.messages,
            max_tokens=prompt.max_tokens,
            sampling=prompt.sampling,
            stop=prompt.stop,
            grammar=prompt.grammar,
            client=self.client,
            is_admitted=True,
        )
        self.ledger.prompts.append(prompt.messages)
        answer = ""
        async for event in self._backend.submit(request):
            await self.observe(event)
            if isinstance(event, Delta):
                answer += event.text
                title, body = view(answer)
                await self.emit(Drafted(branch, angle, event.text, title, body))
            elif isinstance(event, Finished):
                self.ledger.usage += event.usage
                return answer
        raise EngineCrashed(Text("The engine ended in the middle of an answer. Try again."))

    async def choose(
        self, prompts: tuple[tuple[Message, ...], ...], choices: tuple[str, ...]
    ) -> tuple[tuple[float, ...], ...]:
        """How likely each choice is after each prompt; see `ProbeRequest`."""
        self.ledger.prompts += prompts
        request = ProbeRequest(
            uuid.uuid4().hex, self.model.name, prompts, choices, self.client, is_admitted=True
        )
        async for event in self._backend.submit(request):
            await self.observe(event)
            if isinstance(event, Probabilities):
                self.ledger.usage += event.usage
                return event.rows
        raise EngineCrashed(Text("The engine ended without probabilities. Try again."))


def attempt_seed(seed: int, attempt: int) -> int:
    """A run's seed for each of its calls, so that a redraw differs and a repeat does not."""
    return (seed + 7919 * attempt) % 2**31
