"""Evaluates one idea or many: scores by the rubric first, then the model's reasons.

With many ideas, each is evaluated separately: if one fails, the others go on.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from service.analysis.rubrics import board_candidates, chosen_rubric, criterion_of
from service.errors import (
    DeadlineExceeded,
    EngineBusy,
    InvalidInput,
    ModelUnavailable,
    ServiceError,
    StorageUnavailable,
    describe,
    record,
)
from service.ideation.events import Began, Evaluated, NotEvaluated, Reading, Scored, Step, Waiting
from service.ideation.model_client import attempt_seed
from service.ideation.use_case import Plan, PlanContext, RunContext, idea_or_text
from service.messages import Text
from service.prompts.answers import Assessment, parse_assessment
from service.prompts.languages import AS_WRITTEN
from service.prompts.tasks import DEFAULT_CRITERIA, Criterion, evaluate_prompt
from service.schemas.evaluation import EvaluateAllTask, EvaluateTask, FailurePublic
from service.schemas.ideas import IdeaPublic
from service.text.cleaning import has_words_of

# Errors that every other idea would meet too.
FATAL = (ModelUnavailable, StorageUnavailable)


@dataclass(frozen=True, slots=True)
class EvaluateWork:
    title: str
    body: str
    criteria: tuple[Criterion, ...]
    rubric_id: str | None = None


@dataclass(frozen=True, slots=True)
class EvaluateAllWork:
    """`ideas` are (id, title); `read` gets an idea when its turn comes."""

    ideas: tuple[tuple[str, str], ...]
    criteria: tuple[Criterion, ...]
    rubric_id: str | None
    read: Callable[[str], IdeaPublic]


def plan_evaluation(context: PlanContext[EvaluateTask]) -> Plan[EvaluateTask, EvaluateWork]:
    task, store = context.task, context.store
    idea, title, body = idea_or_text(task, store)
    if task.criteria is not None and task.rubric_id is not None:
        raise InvalidInput(Text("Give either criteria or a rubric_id."), pointer="/rubric_id")
    shapes = task.criteria
    if task.rubric_id is not None:
        rubric = store.rubrics.get(task.rubric_id)
        if idea is not None and rubric.board_id != idea.board_id:
            raise InvalidInput(
                Text("This rubric belongs to another board. Choose one of the idea's board."),
                pointer="/rubric_id",
            )
        shapes = list(rubric.criteria)
    criteria = DEFAULT_CRITERIA if shapes is None else tuple(map(criterion_of, shapes))
    if len({criterion.name.casefold() for criterion in criteria}) < len(criteria):
        raise InvalidInput(Text("Two criteria have the same name."), pointer="/criteria")
    return Plan(task, EvaluateWork(title, body, criteria, task.rubric_id), idea)


def plan_evaluations(
    context: PlanContext[EvaluateAllTask],
) -> Plan[EvaluateAllTask, EvaluateAllWork]:
    task, store = context.task, context.store
    store.boards.get(task.board_id)
    rubric = chosen_rubric(store, task.board_id, task.rubric_id)
    ideas = board_candidates(store, task, rubric)
    # Store the ideas that were found: progress needs a total, and a repeat must take the same ones.
    fields = {"idea_ids": [one.id for one in ideas], "q": "", "tags": [], "star": None}
    task = task.model_copy(update=fields | {"status": None})
    work = EvaluateAllWork(
        ideas=tuple((one.id, one.title) for one in ideas),
        criteria=tuple(map(criterion_of, rubric.criteria)),
        rubric_id=rubric.id,
        read=store.ideas.get,
    )
    return Plan(task, work, board_id=task.board_id)


async def evaluate(context: RunContext, work: EvaluateWork) -> dict[str, Any]:
    model_client, seed = context.client, context.seed
    scores = await context.scorer.score(
        model_client.model,
        work.title,
        work.body,
        work.criteria,
        client=model_client.client,
        observe=model_client.observe,
    )
    model_client.ledger.usage += scores.usage
    model_client.ledger.prompts += scores.prompts
    await model_client.emit(Scored(scores.values, scores.spread))
    # A translation shares no words with the note.
    note = f"{work.title} {work.body}" if model_client.language == AS_WRITTEN else None
    answer = await model_client.ask_until_usable(
        lambda attempt: evaluate_prompt(work.title, work.body, seed=attempt_seed(seed, attempt)),
        parse_assessment,
        lambda text: (None, text),
        lambda assessment: () if note is None else _about_nothing(assessment, note),
    )
    if note is not None:
        answer = _about(answer, note)
    return {
        "rubric_id": work.rubric_id,
        "criteria": [asdict(criterion) for criterion in work.criteria],
        "scores": scores.values,
        "spread": scores.spread,
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


def _about(assessment: Assessment, note: str) -> Assessment:
    """Without the points that name nothing of the note, unless no others are left."""
    strengths = tuple(one for one in assessment.strengths if has_words_of(one, note))
    concerns = tuple(one for one in assessment.concerns if has_words_of(one, note))
    return replace(
        assessment,
        strengths=strengths or assessment.strengths,
        concerns=concerns or assessment.concerns,
    )


def _about_nothing(assessment: Assessment, note: str) -> tuple[str, ...]:
    """The strengths or the concerns, if none of them names anything of the note."""
    lists = (assessment.strengths, assessment.concerns)
    idle = (one for one in lists if not any(has_words_of(point, note) for point in one))
    return tuple(point for one in idle for point in one)


async def evaluate_all(context: RunContext, work: EvaluateAllWork) -> dict[str, Any]:
    return await EvaluateAll(context, work).perform()


class EvaluateAll:
    """Evaluates a few ideas at a time, so that slots of the model stay free for others.

    Each idea gets the run's seed and at most `each_s` seconds.
    """

    def __init__(self, context: RunContext, work: EvaluateAllWork) -> None:
        self._context = context
        self._client = context.client
        self._work = work
        self._each_s = context.each_s
        self._evaluated = 0
        self._last_failure: ServiceError | None = None

    async def perform(self) -> dict[str, Any]:
        ideas = iter(self._work.ideas)
        branches = min(len(self._work.ideas), max(1, self._client.model.slots // 2))
        try:
            async with asyncio.TaskGroup() as group:
                for branch in range(branches):
                    group.create_task(self._branch(branch, ideas))
        except* Exception as failures:
            raise failures.exceptions[0] from failures
        if not self._evaluated and self._last_failure is not None:
            raise self._last_failure
        return {}

    async def _branch(self, branch: int, ideas: Iterator[tuple[str, str]]) -> None:
        for idea_id, title in ideas:
            try:
                step: Step = await self._evaluate(branch, idea_id)
                self._evaluated += 1
            except FATAL:
                raise
            except ServiceError as error:
                self._last_failure = error
                failure = FailurePublic(idea_id=idea_id, title=title, **record(describe(error)))
                step = NotEvaluated(branch, failure)
            await self._client.emit(step)

    async def _evaluate(self, branch: int, idea_id: str) -> Evaluated:
        idea = await asyncio.to_thread(self._work.read, idea_id)
        await self._client.emit(Reading(branch, idea.title))
        work = EvaluateWork(idea.title, idea.body, self._work.criteria, self._work.rubric_id)
        try:
            async with asyncio.timeout(self._each_s):
                result = await self._when_free(work)
        except TimeoutError as error:
            seconds = f"{self._each_s:g}"
            raise DeadlineExceeded(
                Text(
                    "The evaluation was stopped after %(seconds)s seconds. Shorten the idea, or raise "
                    "IDEAPOOL_RUN_DEADLINE_S.",
                    seconds=seconds,
                )
            ) from error
        return Evaluated(branch, idea_id, idea.version, result)

    async def _when_free(self, work: EvaluateWork) -> dict[str, Any]:
        """Evaluate the idea; wait and try again while the engine is full."""
        context = replace(self._context, client=self._client.reporting_only(_of_the_run))
        while True:
            try:
                return await evaluate(context, work)
            except EngineBusy as busy:
                await asyncio.sleep(busy.retry_after_s)


def _of_the_run(step: Step) -> bool:
    """Whether a step is about the run; scores and drafts are about one idea."""
    return isinstance(step, Waiting | Began)
