"""A brainstorm: n branches with an angle each, and what makes their ideas usable and different."""

import asyncio
from collections.abc import Iterator
from functools import partial
from typing import Any

from service.analysis.word_overlap import NEAR, SAME_IDEA, most_similar, resemblance
from service.analysis.word_vectors import WordVectors
from service.errors import AnswerUnusable
from service.ideation.brainstorm_plan import BrainstormWork
from service.ideation.events import DraftDropped, Suggested
from service.ideation.known_ideas import KnownIdeas
from service.ideation.model_client import ModelClient, attempt_seed
from service.ideation.title_initials import TitleInitials
from service.messages import Text
from service.prompts.answers import parse_suggestion, partial_suggestion
from service.prompts.combine import combine_prompt
from service.prompts.methods import Angle, draw_angles
from service.prompts.tasks import brainstorm_prompt
from service.schemas.brainstorm import SuggestionPublic
from service.schemas.identity import new_id

# Most ideas of the standard model pass at once; under an odd topic one in two does.
REDRAWS_PER_IDEA = 2
# Two cards under one title look like one idea twice, whatever stands below.
SAME_TITLE = 0.99
# A combination shares words with each of its parts; with more than these it is one of them.
COPY = 0.8


class Collection:
    """The ideas made so far: usable, unlike each other and unlike what the work says."""

    def __init__(self, work: BrainstormWork) -> None:
        self.made: list[SuggestionPublic] = []
        self.work = work
        self.known: KnownIdeas | None = None

    def add(self, answer: str, angle: str) -> SuggestionPublic:
        """Raises `AnswerUnusable` for an answer that is no idea or is like one that is there."""
        parsed = parse_suggestion(answer, topic=self.work.topic)
        whole = f"{parsed.title}. {parsed.text}"
        for made in (*self.work.beside, *self.made):
            if self._is_alike(parsed.title, whole, made):
                raise AnswerUnusable(
                    Text(
                        "“%(title)s” is too like “%(other)s”.",
                        title=parsed.title,
                        other=made.title,
                    )
                )
        self._check(parsed.title, whole)
        suggestion = SuggestionPublic(
            id=new_id(),
            angle=angle,
            title=parsed.title,
            text=parsed.text,
            similar_to=self._known_like(whole, parsed.title),
        )
        self.made.append(suggestion)
        return suggestion

    def _is_alike(self, title: str, whole: str, made: SuggestionPublic) -> bool:
        # The words of the topic say nothing: every idea has them.
        return (
            resemblance(title, made.title) >= SAME_TITLE
            or resemblance(whole, f"{made.title}. {made.text}", ignore=self.work.given) >= SAME_IDEA
        )

    def _check(self, title: str, whole: str) -> None:
        for text in self.work.avoided:
            if resemblance(whole, text, ignore=self.work.topic) >= NEAR:
                raise AnswerUnusable(
                    Text("“%(title)s” is like what shall be avoided.", title=title)
                )
        if self.work.combined:
            self._check_parts(title, whole)

    def _check_parts(self, title: str, whole: str) -> None:
        """A combination has something of two ideas at least, and is none of them again."""
        parts = {name: f"{name}. {body}" for name, body in self.work.combined}
        shares = {name: resemblance(whole, part) for name, part in parts.items()}
        nearest = max(shares, key=shares.__getitem__)
        if shares[nearest] >= COPY:
            raise AnswerUnusable(
                Text("“%(title)s” only repeats “%(name)s”.", title=title, name=nearest)
            )
        if resemblance(whole, " ".join(parts.values())) >= COPY:
            raise AnswerUnusable(Text("“%(title)s” only puts the ideas side by side.", title=title))
        if sum(share > 0 for share in shares.values()) < 2:
            raise AnswerUnusable(Text("“%(title)s” does not join the ideas.", title=title))

    def _known_like(self, whole: str, title: str) -> str | None:
        nearest = most_similar(whole, self.work.known, ignore=self.work.topic)
        if nearest is None or nearest[1] < NEAR:
            return None if self.known is None else self.known.like(whole)
        if nearest[1] >= SAME_IDEA and self.work.avoids_known:
            raise AnswerUnusable(Text("“%(title)s” is on the board already.", title=title))
        return nearest[0]


class Brainstorm:
    """n branches, as many at a time as the model has slots; each has an angle and a seed.

    A branch whose idea is unusable, or too like one already there, draws again under the next
    angle, until the run's budget is spent.
    """

    def __init__(
        self,
        asker: ModelClient,
        work: BrainstormWork,
        seed: int,
        vectors: WordVectors | None = None,
    ) -> None:
        self._asker = asker
        self._vectors = vectors
        self._work = work
        self._seed = seed
        budget = work.n * (1 + REDRAWS_PER_IDEA)
        self._attempts: Iterator[tuple[int, Angle]] = enumerate(
            draw_angles(work.method, budget, seed, work.angle)
        )
        self._ideas = Collection(work)
        self._initials = TitleInitials(work.topic, seed)
        self._reasons: list[str] = []
        self._drawing = 0

    async def perform(self) -> dict[str, Any]:
        if self._vectors is not None:
            self._ideas.known = await asyncio.to_thread(
                KnownIdeas.read, self._vectors, self._work.known, self._work.topic
            )
        try:
            async with asyncio.TaskGroup() as group:
                for branch in range(self._branches):
                    group.create_task(self._branch(branch))
        except* Exception as failures:
            # One branch's failure (a full queue, a dead model) ends the run for the same reason.
            raise _first(failures) from failures
        made = len(self._ideas.made)
        if made < self._work.n:
            raise AnswerUnusable(
                Text(
                    "The model made %(made)s of %(n)s usable, different ideas and then only such "
                    "that could not be used (the last: %(reason)s) What there is has been kept. Word "
                    "the topic differently, try another method, or ask for less.",
                    made=made,
                    n=self._work.n,
                    reason=self._reasons[-1],
                )
            )
        return {}

    @property
    def _branches(self) -> int:
        return min(self._work.n, self._asker.model.slots)

    @property
    def _missing(self) -> int:
        """What others are drawing counts as made: if theirs fails, they draw again themselves."""
        return self._work.n - len(self._ideas.made) - self._drawing

    async def _branch(self, branch: int) -> None:
        while self._missing > 0:
            attempt = next(self._attempts, None)
            if attempt is None:
                return
            number, angle = attempt
            barred = self._barred_initials(branch)
            self._drawing += 1
            try:
                answer = await self._draw(branch, number, angle, barred)
                suggestion = self._ideas.add(answer, angle.name)
            except AnswerUnusable as unusable:
                self._reasons.append(unusable.detail)
                await self._asker.emit(DraftDropped(branch, unusable.detail))
                continue
            finally:
                self._drawing -= 1
                self._initials.give_back(branch)
            await self._asker.emit(Suggested(branch, suggestion))

    async def _draw(self, branch: int, attempt: int, angle: Angle, barred: str) -> str:
        work = self._work
        ask = (
            partial(combine_prompt, work.combined)
            if work.combined
            else partial(brainstorm_prompt, work.topic)
        )
        prompt = ask(
            angle,
            context=work.context,
            barred_initials=barred,
            creativity=work.creativity,
            seed=attempt_seed(self._seed, attempt),
        )

        def view(text: str) -> tuple[str | None, str]:
            partial = partial_suggestion(text)
            if partial.title is not None:
                self._initials.settle(branch, partial.title)
            return partial.title, partial.text

        return await self._asker.ask(prompt, view, branch=branch, angle=angle.name)

    def _barred_initials(self, branch: int) -> str:
        titles = [made.title for made in self._ideas.made]
        sharers = min(self._missing, self._branches - self._drawing)
        return self._initials.lend(branch, titles, sharers)


def _first(group: ExceptionGroup[Exception]) -> Exception:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, ExceptionGroup) else first
