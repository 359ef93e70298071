"""Performs a brainstorm: offers ideas that exist, then draws drafts until there are `n` good ones.

Where ideas for related topics are known, the model writes short lists that follow those, several
lists side by side. Otherwise it writes one idea at a time under an angle of the method.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, suppress
from functools import partial
from typing import Any, Literal

from service.analysis.idea_bank import NearIdea
from service.analysis.taste import Subject, Taste
from service.errors import AnswerUnusable, ModelUnavailable, RepeatedIdea
from service.ideation.distinct_ideas import (
    BrainstormWork,
    DistinctIdeas,
    KnownIdeas,
    TitleInitials,
)
from service.ideation.events import DraftDropped, Suggested
from service.ideation.inspirations import Inspirations
from service.ideation.model_client import Ledger, attempt_seed
from service.ideation.use_case import RunContext
from service.messages import Text
from service.prompts.answers import partial_suggestion
from service.prompts.combine import combine_prompt
from service.prompts.idea_lists import RelatedIdeas, list_prompt, split_list
from service.prompts.methods import Angle, draw_angles
from service.prompts.tasks import Prompt, brainstorm_prompt, brainstorm_sampling
from service.schemas.brainstorm import IncompletePublic, SuggestionPublic

# Most ideas of the standard model are usable at once; for an unusual topic, one in two is.
REDRAWS_PER_IDEA = 2
# In a longer list, a small model says one idea again and again with another noun.
IN_A_LIST = 2
NO_ANGLE = Angle("", "")
# Of a suggestion that no branch has drafted.
NO_BRANCH = -1
_log = logging.getLogger(__name__)


async def brainstorm(context: RunContext, work: BrainstormWork) -> dict[str, Any]:
    """Reports each suggestion as it comes. The result only says what is missing, if anything is."""
    return await Brainstorm(context, work).perform()


def incomplete(reason: Literal["drafts", "deadline"], ledger: Ledger) -> dict[str, Any]:
    """The result of a brainstorm that has some of its ideas."""
    why = IncompletePublic(reason=reason, repeats=ledger.repeats, unusable=ledger.unusable)
    return {"incomplete": why.model_dump()}


class Brainstorm:
    """Runs as many branches at a time as the model has slots, each with its own seed.

    A branch draws again if an idea is unusable or too similar to another one, until the run has used
    up its attempts. The ideas made by then are the result. The first list begins alone, so that its
    first idea is there soon; the others share what it has read of the prompt.
    """

    def __init__(self, context: RunContext, work: BrainstormWork) -> None:
        self._client = context.client
        self._vectors = context.vectors
        self._work = work
        self._seed = seed = context.seed
        budget = work.n * (1 + REDRAWS_PER_IDEA)
        self._attempts: Iterator[tuple[int, Angle]] = enumerate(
            draw_angles(work.method, budget, seed, work.angle)
        )
        self._ideas = DistinctIdeas(work)
        self._initials = TitleInitials(work.topic, seed)
        self._last_reason = ""
        self._drawing = 0
        self._written = 0
        self._inspirations = context.inspirations
        self._tastes = context.tastes
        self._related: list[RelatedIdeas] = []
        self._has_begun = asyncio.Event()
        self._has_idea = asyncio.Event()

    async def perform(self) -> dict[str, Any]:
        if self._vectors is not None:
            self._ideas.known = await asyncio.to_thread(
                KnownIdeas.read, self._vectors, self._work.known, self._work.topic
            )
        await self._learn()
        await self._offer_inspirations()
        if not await self._draw_in_time():
            return incomplete("deadline", self._client.ledger)
        if self._work.n and not self._ideas.made:
            raise AnswerUnusable(
                Text(
                    "None of the model's drafts could be used. The last one was refused: %(reason)s Word the "
                    "topic differently, or try another method.",
                    reason=self._last_reason,
                )
            )
        if self._written < self._work.n:
            return incomplete("drafts", self._client.ledger)
        return {}

    async def _draw_in_time(self) -> bool:
        """False if the time was up, which needs at least one idea."""
        drawing = asyncio.create_task(self._draw_all())
        try:
            await asyncio.wait({drawing}, timeout=self._work.most_s)
            if not drawing.done():
                has_idea = asyncio.create_task(self._has_idea.wait())
                await asyncio.wait({drawing, has_idea}, return_when=asyncio.FIRST_COMPLETED)
                has_idea.cancel()
            if not drawing.done():
                return False
            await drawing
            return True
        finally:
            drawing.cancel()
            await asyncio.wait({drawing})

    async def _draw_all(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for branch in range(self._branches):
                    group.create_task(self._branch(branch))
        except* Exception as failures:
            # An engine error in one branch (queue full, model crashed) fails the run.
            raise _first(failures) from failures

    async def _learn(self) -> None:
        if self._tastes is not None and self._work.learns:
            try:
                self._ideas.taste = await asyncio.to_thread(self._tastes.of, self._work.board_id)
            except ModelUnavailable as error:
                # Ideas in any order are better than no brainstorm.
                _log.warning("Suggestions are not ordered by taste: %s", error.detail)

    async def _offer_inspirations(self) -> None:
        """They come first: they need no model, and what the model writes must differ from them."""
        work = self._work
        if work.bank_n and self._inspirations is not None:
            for suggestion in await asyncio.to_thread(self._find_inspirations, self._inspirations):
                await self._client.emit(Suggested(NO_BRANCH, suggestion))
        if work.n and work.writes_lists:
            if self._inspirations is not None:
                self._related = await asyncio.to_thread(self._find_related, self._inspirations)
            self._related += work.liked
            self._ideas.related = [
                f"{title}. {text}" for one in self._related for title, text in one.ideas
            ]

    def _find_inspirations(self, inspirations: Inspirations) -> list[SuggestionPublic]:
        work, ideas = self._work, self._ideas
        try:
            found = inspirations.find(work.topic, self._client.language, board_id=work.board_id)
            for idea in found if ideas.taste is None else best_first(ideas.taste, list(found)):
                if len(ideas.made) == work.bank_n:
                    break
                if idea.title not in work.bank_seen:
                    with suppress(RepeatedIdea):
                        ideas.add_inspiration(idea)
        except ModelUnavailable as error:
            # The model's own ideas are better than no brainstorm.
            _log.warning("The idea bank gives no ideas: %s", error.detail)
        return list(ideas.made)

    def _find_related(self, inspirations: Inspirations) -> list[RelatedIdeas]:
        work = self._work
        try:
            return inspirations.related(work.topic, self._client.language, board_id=work.board_id)
        except ModelUnavailable:
            # The log has said so already.
            return []

    @property
    def _at_once(self) -> int:
        """How many ideas a branch draws with one prompt."""
        return IN_A_LIST if self._related else 1

    @property
    def _branches(self) -> int:
        return min(-(-self._work.n // self._at_once), self._client.model.slots)

    @property
    def _missing(self) -> int:
        """How many more ideas to begin. A draft in progress counts: its branch redraws if it fails."""
        return self._work.n - self._written - self._drawing

    async def _branch(self, branch: int) -> None:
        if self._related and branch > 0:
            await self._has_begun.wait()
        while self._missing > 0:
            attempt = next(self._attempts, None)
            if attempt is None:
                return
            number, angle = attempt
            if self._related:
                angle = NO_ANGLE
            wanted = min(self._missing, self._at_once)
            barred = self._barred_initials(branch)
            self._drawing += wanted
            try:
                async with aclosing(self._draw(branch, number, angle, barred, wanted)) as answers:
                    async for answer in answers:
                        await self._take(branch, answer, angle.name)
                        self._has_begun.set()
                        self._drawing -= 1
                        wanted -= 1
            finally:
                self._drawing -= wanted
                self._initials.give_back(branch)

    async def _take(self, branch: int, answer: str, angle: str) -> None:
        try:
            suggestion = self._ideas.add(answer, angle)
        except AnswerUnusable as unusable:
            self._note(unusable)
            await self._client.emit(DraftDropped(branch, unusable.detail))
            return
        self._written += 1
        self._has_idea.set()
        await self._client.emit(Suggested(branch, suggestion))

    def _note(self, unusable: AnswerUnusable) -> None:
        self._last_reason = unusable.detail
        if isinstance(unusable, RepeatedIdea):
            self._client.ledger.repeats += 1
        else:
            self._client.ledger.unusable += 1

    async def _draw(
        self, branch: int, attempt: int, angle: Angle, barred: str, wanted: int
    ) -> AsyncGenerator[str, None]:
        """Yields each idea as soon as it is complete."""
        seed = attempt_seed(self._seed, attempt)
        if self._related:
            prompt = self._list_prompt(barred, seed, wanted)
        else:
            prompt = self._prompt(angle, barred, seed)

        def view(text: str) -> tuple[str | None, str]:
            partial = partial_suggestion(split_list(text)[1] if self._related else text)
            if partial.title is not None:
                self._initials.settle(branch, partial.title)
            return partial.title, partial.text

        made, last = 0, ""
        async with aclosing(
            self._client.follow(prompt, view, branch=branch, angle=angle.name)
        ) as answers:
            async for text in answers:
                complete, last = split_list(text) if self._related else ([], text)
                for answer in complete[made:]:
                    made += 1
                    yield answer
        yield last

    def _list_prompt(self, barred: str, seed: int, wanted: int) -> Prompt:
        work = self._work
        return list_prompt(
            work.topic,
            self._related,
            wanted,
            context=work.context,
            barred_initials=barred,
            sampling=brainstorm_sampling(work.creativity, seed),
        )

    def _prompt(self, angle: Angle, barred: str, seed: int) -> Prompt:
        work = self._work
        ask = (
            partial(combine_prompt, work.combined)
            if work.combined
            else partial(brainstorm_prompt, work.topic)
        )
        return ask(
            angle,
            context=work.context,
            barred_initials=barred,
            creativity=work.creativity,
            seed=seed,
        )

    def _barred_initials(self, branch: int) -> str:
        titles = [made.title for made in self._ideas.made]
        prompts = -(-self._missing // self._at_once)
        idle = self._branches - -(-self._drawing // self._at_once)
        sharers = max(1, min(prompts, idle))
        return self._initials.lend(branch, titles, sharers)


def best_first(taste: Taste, found: Sequence[NearIdea]) -> list[NearIdea]:
    """Those that people of the board are most likely to keep come first."""
    chances = taste.probabilities([Subject(one.whole, one.origin, one.likeness) for one in found])
    order = sorted(range(len(found)), key=lambda place: -chances[place])
    return [found[place] for place in order]


def _first(group: ExceptionGroup[Exception]) -> Exception:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, ExceptionGroup) else first
