"""Does the work: asks the model, reads its answers as they come, asks again where one is unusable.

Every answer must pass its parser. How often is asked again is bounded; past that the run fails and
says what was wrong, and what was made until then is kept.
"""

import asyncio
import uuid
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from service.answers import (
    Refinement,
    parse_assessment,
    parse_refinement,
    parse_suggestion,
    partial_refinement,
    partial_suggestion,
)
from service.engine.backend import Backend
from service.engine.types import Delta, Event, Finished, GenerateRequest, ModelInfo, Queued, Started
from service.errors import AnswerUnusable, EngineCrashed
from service.ideation.plan import ROLES, BrainstormWork, EvaluateWork, RefineWork, Work
from service.ideation.steps import (
    Began,
    DraftDropped,
    Drafted,
    Emit,
    Ledger,
    Scored,
    Suggested,
    Waiting,
)
from service.methods import Angle, draw_angles
from service.models import new_id
from service.prompts import Prompt, brainstorm_prompt, evaluate_prompt, refine_prompt
from service.scoring import Scorer
from service.shapes import SuggestionPublic
from service.similarity import NEAR, SAME_IDEA, most_similar, resemblance

# Measured on the starter models: the standard one needs about one redraw in ten ideas.
REDRAWS_PER_IDEA = 2
ATTEMPTS_FOR_A_TEXT = 3
# Two cards under one title look like one idea twice, whatever stands below.
SAME_TITLE = 0.99
View = Callable[[str], tuple[str | None, str]]
Parsed = TypeVar("Parsed")


class Ideation:
    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._scorer = Scorer(backend)

    async def perform(
        self, work: Work, *, seed: int, client: str, ledger: Ledger, emit: Emit
    ) -> dict[str, Any]:
        """Returns the answer's own fields as the API gives them.

        Raises: EngineError of any kind; AnswerUnusable when the budget of redraws is spent.
        """
        model = self._backend.model_for(ROLES[type(work)])
        asker = _Asker(self._backend, model, client, ledger, emit)
        if isinstance(work, BrainstormWork):
            return await _Brainstorm(asker, work, seed).perform()
        if isinstance(work, RefineWork):
            return await _refine(asker, work, seed)
        return await self._evaluate(asker, work, seed)

    async def _evaluate(self, asker: "_Asker", work: EvaluateWork, seed: int) -> dict[str, Any]:
        scores = await self._scorer.score(
            asker.model,
            work.title,
            work.body,
            work.criteria,
            client=asker.client,
            observe=asker.observe,
        )
        asker.ledger.usage += scores.usage
        await asker.emit(Scored(scores.values))
        answer = await asker.insist(
            lambda attempt: evaluate_prompt(
                work.title, work.body, seed=_attempt_seed(seed, attempt)
            ),
            parse_assessment,
            lambda text: (None, text),
        )
        return {
            "scores": scores.values,
            "overall": scores.overall,
            "scoring": {
                "method": scores.method,
                "calibrated": not scores.uncalibrated,
                "uncalibrated": list(scores.uncalibrated),
            },
            "strengths": list(answer.strengths),
            "concerns": list(answer.concerns),
            "next_step": answer.next_step,
        }


async def _refine(asker: "_Asker", work: RefineWork, seed: int) -> dict[str, Any]:
    def parse(text: str) -> Refinement:
        refined = parse_refinement(text)
        if (refined.title, refined.body) == (work.title, work.body):
            raise AnswerUnusable("The model gave the text back unchanged.")
        return refined

    def view(text: str) -> tuple[str | None, str]:
        partial = partial_refinement(text)
        return partial.title, partial.body

    refined = await asker.insist(
        lambda attempt: refine_prompt(
            work.title,
            work.body,
            instruction=work.instruction,
            seed=_attempt_seed(seed, attempt),
        ),
        parse,
        view,
    )
    return {"title": refined.title, "body": refined.body, "changes": list(refined.changes)}


class _Brainstorm:
    """n branches, as many at a time as the model has slots; each has an angle and a seed.

    A branch whose idea is unusable, or too like one already there, draws again under the next
    angle, until the run's budget is spent.
    """

    def __init__(self, asker: "_Asker", work: BrainstormWork, seed: int) -> None:
        self._asker = asker
        self._work = work
        self._seed = seed
        budget = work.n * (1 + REDRAWS_PER_IDEA)
        self._attempts: Iterator[tuple[int, Angle]] = enumerate(
            draw_angles(work.method, budget, seed)
        )
        self._made: list[SuggestionPublic] = []
        self._reasons: list[str] = []
        self._drawing = 0

    async def perform(self) -> dict[str, Any]:
        try:
            async with asyncio.TaskGroup() as group:
                for branch in range(min(self._work.n, self._asker.model.slots)):
                    group.create_task(self._branch(branch))
        except* Exception as failures:
            # One branch's failure (a full queue, a dead model) ends the run for the same reason.
            raise _first(failures) from failures
        missing = self._work.n - len(self._made)
        if missing:
            raise AnswerUnusable(
                f"The model made {len(self._made)} of {self._work.n} usable, different ideas and "
                f"then only such that could not be used (the last: {self._reasons[-1]}) What there "
                "is has been kept. Word the topic differently, try another method, or ask for less."
            )
        return {}

    async def _branch(self, branch: int) -> None:
        # What others are drawing counts as made: if theirs fails, they draw again themselves.
        while len(self._made) + self._drawing < self._work.n:
            attempt = next(self._attempts, None)
            if attempt is None:
                return
            number, angle = attempt
            self._drawing += 1
            try:
                suggestion = await self._draw(branch, number, angle)
            except AnswerUnusable as unusable:
                self._reasons.append(unusable.detail)
                await self._asker.emit(DraftDropped(branch, unusable.detail))
                continue
            finally:
                self._drawing -= 1
            self._made.append(suggestion)
            await self._asker.emit(Suggested(branch, suggestion))

    async def _draw(self, branch: int, attempt: int, angle: Angle) -> SuggestionPublic:
        work = self._work
        prompt = brainstorm_prompt(
            work.topic,
            angle,
            context=work.context,
            creativity=work.creativity,
            seed=_attempt_seed(self._seed, attempt),
        )

        def view(text: str) -> tuple[str | None, str]:
            partial = partial_suggestion(text)
            return partial.title, partial.text

        answer = await self._asker.ask(prompt, view, branch=branch, angle=angle.name)
        parsed = parse_suggestion(answer, topic=work.topic)
        whole = f"{parsed.title}. {parsed.text}"
        for made in self._made:
            if self._is_alike(parsed.title, whole, made):
                raise AnswerUnusable(f"“{parsed.title}” is too like “{made.title}”.")
        return SuggestionPublic(
            id=new_id(),
            angle=angle.name,
            title=parsed.title,
            text=parsed.text,
            similar_to=self._known_like(whole, parsed.title),
        )

    def _is_alike(self, title: str, whole: str, made: SuggestionPublic) -> bool:
        # The words of the topic say nothing: every idea has them.
        topic = self._work.topic
        return (
            resemblance(title, made.title) >= SAME_TITLE
            or resemblance(whole, f"{made.title}. {made.text}", ignore=topic) >= SAME_IDEA
        )

    def _known_like(self, whole: str, title: str) -> str | None:
        nearest = most_similar(whole, self._work.known, ignore=self._work.topic)
        if nearest is None or nearest[1] < NEAR:
            return None
        if nearest[1] >= SAME_IDEA:
            raise AnswerUnusable(f"“{title}” is on the board already.")
        return nearest[0]


def _first(group: ExceptionGroup[Exception]) -> Exception:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, ExceptionGroup) else first


class _Asker:
    """Asks one model and reports to one run."""

    def __init__(
        self, backend: Backend, model: ModelInfo, client: str, ledger: Ledger, emit: Emit
    ) -> None:
        self._backend = backend
        self.model = model
        self.client = client
        self.ledger = ledger
        self.emit = emit

    async def observe(self, event: Event) -> None:
        if isinstance(event, Queued):
            await self.emit(Waiting(event.position))
        elif isinstance(event, Started):
            await self.emit(Began(self.model))

    async def insist(
        self, prompt: Callable[[int], Prompt], parse: Callable[[str], Parsed], view: View
    ) -> Parsed:
        """Ask until the answer can be used, `ATTEMPTS_FOR_A_TEXT` times at most."""
        for attempt in range(ATTEMPTS_FOR_A_TEXT):
            answer = await self.ask(prompt(attempt), view)
            try:
                return parse(answer)
            except AnswerUnusable as unusable:
                if attempt == ATTEMPTS_FOR_A_TEXT - 1:
                    raise AnswerUnusable(
                        f"The model's answer could not be used in {ATTEMPTS_FOR_A_TEXT} attempts. "
                        f"The last time: {unusable.detail} Try again, or shorten the text."
                    ) from unusable
                await self.emit(DraftDropped(0, unusable.detail))
        raise AssertionError

    async def ask(self, prompt: Prompt, view: View, *, branch: int = 0, angle: str = "") -> str:
        """The whole answer, also when it was cut at `max_tokens`: the parsers judge that."""
        request = GenerateRequest(
            id=uuid.uuid4().hex,
            model=self.model.name,
            messages=prompt.messages,
            max_tokens=prompt.max_tokens,
            sampling=prompt.sampling,
            stop=prompt.stop,
            grammar=prompt.grammar,
            client=self.client,
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
        raise EngineCrashed("The engine ended in the middle of an answer. Try again.")


def _attempt_seed(seed: int, attempt: int) -> int:
    """A run's seed for each of its calls, so that a redraw differs and a repeat does not."""
    return (seed + 7919 * attempt) % 2**31
