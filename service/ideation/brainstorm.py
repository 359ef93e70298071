"""A brainstorm: branches with an angle each draw ideas until there are n different ones.

From the top: `plan_brainstorm` reads the task, `brainstorm` performs it, and the last two functions
make a task for a run that is asked again.
"""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from service.errors import (
    AnswerUnusable,
    InvalidInput,
    ModelUnavailable,
    NotFound,
    RepeatedIdea,
)
from service.ideation.distinct_ideas import (
    BrainstormWork,
    DistinctIdeas,
    KnownIdeas,
    TitleInitials,
)
from service.ideation.events import DraftDropped, Suggested
from service.ideation.inspirations import MOST_INSPIRATIONS, Inspirations
from service.ideation.model_client import Ledger, attempt_seed
from service.ideation.use_case import Plan, PlanContext, RunContext
from service.messages import Text
from service.prompts.answers import partial_suggestion
from service.prompts.combine import combine_prompt
from service.prompts.methods import METHODS, Angle, draw_angles
from service.prompts.tasks import brainstorm_prompt
from service.schemas.brainstorm import SOURCES, BrainstormTask, IncompletePublic, SuggestionPublic
from service.schemas.fields import AVOIDED_CEILING
from service.schemas.ideas import IdeaPublic
from service.schemas.runs import RunPublic
from service.store import Store

# Most ideas of the standard model are usable at once; for an unusual topic, one in two is.
REDRAWS_PER_IDEA = 2
# Of a suggestion that no branch has drafted.
NO_BRANCH = -1
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Source:
    """The subject of a brainstorm. `idea` becomes the parent of the suggestions that are kept."""

    topic: str
    context: str = ""
    idea: IdeaPublic | None = None
    board_id: str | None = None
    combined: tuple[IdeaPublic, ...] = ()


def plan_brainstorm(context: PlanContext[BrainstormTask]) -> Plan[BrainstormTask, BrainstormWork]:
    task, store = context.task, context.store
    store.limits.check_suggestions(task.n)
    store.limits.check(topic=task.topic, context=task.context)
    draw_angles(task.method, 1, 0, task.angle)
    source = _source(task, store)
    board_id = task.board_id or source.board_id
    board = store.boards.default() if board_id is None else store.boards.get(board_id)
    background = [task.context, source.context, board.goal]
    combined = {idea.id for idea in source.combined}
    bank_n = _bank_n(context)
    # A run that is repeated with its seed gives the same ideas again.
    leaves_out_seen = bank_n > 0 and task.seed is None
    work = BrainstormWork(
        topic=source.topic,
        board_id=board.id,
        context="\n".join(part for part in background if part),
        method=task.method,
        n=task.n if "model" in task.sources else 0,
        creativity=task.creativity,
        known=tuple(
            (idea_id, f"{title}. {body}")
            for idea_id, title, body in store.ideas.texts(board.id)
            if idea_id not in combined
        ),
        avoids_known=task.avoid_board,
        combined=tuple((idea.title, idea.body) for idea in source.combined),
        avoided=tuple(text for text in task.avoid if text.strip()),
        siblings=_siblings(store, context.redraws),
        angle=task.angle,
        bank_n=bank_n,
        bank_seen=store.suggestions.inspired_titles(board.id) if leaves_out_seen else frozenset(),
    )
    return Plan(task, work, source.idea, board.id)


def _bank_n(context: PlanContext[BrainstormTask]) -> int:
    """The bank has topics only: nothing for an idea to branch from, or to replace a suggestion."""
    task = context.task
    if "bank" not in task.sources or task.topic is None or context.redraws is not None:
        return 0
    return min(task.n, MOST_INSPIRATIONS)


def _source(task: BrainstormTask, store: Store) -> Source:
    if sum(getattr(task, name) is not None for name in SOURCES) != 1:
        raise InvalidInput(
            Text("Give either a topic, an idea_id, two to five idea_ids or a suggestion_id."),
            pointer="/topic",
        )
    if task.idea_id is not None:
        idea = store.ideas.get(task.idea_id)
        return Source(idea.title, idea.body, idea, idea.board_id)
    if task.idea_ids is not None:
        return _combination(task.idea_ids, store)
    if task.suggestion_id is not None:
        return _suggestion(task.suggestion_id, store)
    return Source(task.topic or "")


def _combination(idea_ids: Sequence[str], store: Store) -> Source:
    if len(set(idea_ids)) < len(idea_ids):
        raise InvalidInput(
            Text("An idea is named twice. Name each idea once."), pointer="/idea_ids"
        )
    ideas = tuple(store.ideas.get(idea_id) for idea_id in idea_ids)
    topic = " + ".join(idea.title for idea in ideas)
    return Source(topic, "", ideas[0], ideas[0].board_id, ideas)


def _suggestion(suggestion_id: str, store: Store) -> Source:
    run_id, suggestion = store.suggestions.get(suggestion_id)
    run = store.runs.get(run_id)
    idea_id = suggestion.idea_id or run.idea_id
    return Source(suggestion.title, suggestion.text, _idea_if_there(idea_id, store), run.board_id)


def _idea_if_there(idea_id: str | None, store: Store) -> IdeaPublic | None:
    try:
        return None if idea_id is None else store.ideas.get(idea_id)
    except NotFound:
        return None


def _siblings(store: Store, redraws: str | None) -> tuple[SuggestionPublic, ...]:
    """The other suggestions of the run whose suggestion is redrawn."""
    if redraws is None:
        return ()
    run_id, _ = store.suggestions.get(redraws)
    return tuple(one for one in store.suggestions.of_run(run_id) if one.id != redraws)


async def brainstorm(context: RunContext, work: BrainstormWork) -> dict[str, Any]:
    """Reports each suggestion as it comes. The result only says what is missing, if anything is."""
    return await Brainstorm(context, work).perform()


def incomplete(reason: Literal["drafts", "deadline"], ledger: Ledger) -> dict[str, Any]:
    """The result of a brainstorm that has some of its ideas."""
    why = IncompletePublic(reason=reason, repeats=ledger.repeats, unusable=ledger.unusable)
    return {"incomplete": why.model_dump()}


class Brainstorm:
    """Runs as many branches at a time as the model has slots, each with an angle and a seed.

    A branch draws again under the next angle if its idea is unusable or too similar to another one,
    until the run has used up its attempts. The ideas made by then are the result.
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

    async def perform(self) -> dict[str, Any]:
        if self._vectors is not None:
            self._ideas.known = await asyncio.to_thread(
                KnownIdeas.read, self._vectors, self._work.known, self._work.topic
            )
        await self._offer_bank_ideas()
        try:
            async with asyncio.TaskGroup() as group:
                for branch in range(self._branches):
                    group.create_task(self._branch(branch))
        except* Exception as failures:
            # An engine error in one branch (queue full, model crashed) fails the run.
            raise _first(failures) from failures
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

    async def _offer_bank_ideas(self) -> None:
        """They come first: they need no model, and what the model writes must differ from them."""
        work = self._work
        if self._inspirations is None or not work.bank_n:
            return
        for suggestion in await asyncio.to_thread(self._from_bank, self._inspirations):
            await self._client.emit(Suggested(NO_BRANCH, suggestion))

    def _from_bank(self, inspirations: Inspirations) -> list[SuggestionPublic]:
        work, ideas = self._work, self._ideas
        try:
            for idea in inspirations.find(
                work.topic, self._client.language, board_id=work.board_id
            ):
                if len(ideas.made) == work.bank_n:
                    break
                if idea.title not in work.bank_seen:
                    with suppress(RepeatedIdea):
                        ideas.add_inspiration(idea)
        except ModelUnavailable as error:
            # The model's own ideas are better than no brainstorm.
            _log.warning("The idea bank gives no ideas: %s", error.detail)
        return list(ideas.made)

    @property
    def _branches(self) -> int:
        return min(self._work.n, self._client.model.slots)

    @property
    def _missing(self) -> int:
        """How many more ideas to begin. A draft in progress counts: its branch redraws if it fails."""
        return self._work.n - self._written - self._drawing

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
                self._written += 1
            except AnswerUnusable as unusable:
                self._note(unusable)
                await self._client.emit(DraftDropped(branch, unusable.detail))
                continue
            finally:
                self._drawing -= 1
                self._initials.give_back(branch)
            await self._client.emit(Suggested(branch, suggestion))

    def _note(self, unusable: AnswerUnusable) -> None:
        self._last_reason = unusable.detail
        if isinstance(unusable, RepeatedIdea):
            self._client.ledger.repeats += 1
        else:
            self._client.ledger.unusable += 1

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

        return await self._client.ask(prompt, view, branch=branch, angle=angle.name)

    def _barred_initials(self, branch: int) -> str:
        titles = [made.title for made in self._ideas.made]
        sharers = min(self._missing, self._branches - self._drawing)
        return self._initials.lend(branch, titles, sharers)


def _first(group: ExceptionGroup[Exception]) -> Exception:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, ExceptionGroup) else first


def renew_brainstorm(task: BrainstormTask, run: RunPublic, store: Store) -> BrainstormTask:
    """The run's task with a new seed, avoiding the suggestions that people asked to avoid."""
    avoid = _avoided(task, store, run.run_id)
    return task.model_copy(update={"seed": None, "avoid": avoid})


def redraw_task(suggestion_id: str, store: Store, seed: int | None = None) -> BrainstormTask:
    """A task for one more idea like those of the run, with the suggestion's angle but unlike it.

    The run need not be over.
    """
    run_id, suggestion = store.suggestions.get(suggestion_id)
    run = store.runs.get(run_id)
    task = BrainstormTask.model_validate(run.request)
    names = {angle.name for angle in METHODS[task.method].angles}
    avoid = [*_avoided(task, store, run.run_id), f"{suggestion.title}. {suggestion.text}"]
    return task.model_copy(
        update={
            "n": 1,
            "seed": seed,
            "angle": suggestion.angle if suggestion.angle in names else task.angle,
            "avoid": avoid[-AVOIDED_CEILING:],
        }
    )


def _avoided(task: BrainstormTask, store: Store, run_id: str) -> list[str]:
    avoided = [
        f"{one.title}. {one.text}"
        for one in store.suggestions.of_run(run_id)
        if one.state == "avoided"
    ]
    return list(dict.fromkeys([*task.avoid, *avoided]))[-AVOIDED_CEILING:]
