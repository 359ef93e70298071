"""Evaluating: scores by the rubric, then the model's reasons; of one idea or of many.

Of many, each idea is a small run of its own: what one fails at does not stop the others.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from service.analysis.scoring import Scorer
from service.errors import (
    DeadlineExceeded,
    EngineBusy,
    ModelUnavailable,
    ServiceError,
    StorageUnavailable,
    describe,
    record,
)
from service.ideation.events import Began, Evaluated, NotEvaluated, Reading, Scored, Step, Waiting
from service.ideation.model_client import ModelClient, attempt_seed
from service.ideation.plan import EvaluateAllWork, EvaluateWork
from service.messages import Text
from service.prompts.answers import parse_assessment
from service.prompts.tasks import evaluate_prompt
from service.schemas.evaluation import FailurePublic

# No idea after them would fare better.
FATAL = (ModelUnavailable, StorageUnavailable)


async def evaluate(
    asker: ModelClient, scorer: Scorer, work: EvaluateWork, seed: int
) -> dict[str, Any]:
    scores = await scorer.score(
        asker.model,
        work.title,
        work.body,
        work.criteria,
        client=asker.client,
        observe=asker.observe,
    )
    asker.ledger.usage += scores.usage
    asker.ledger.prompts += scores.prompts
    await asker.emit(Scored(scores.values, scores.spread))
    answer = await asker.insist(
        lambda attempt: evaluate_prompt(work.title, work.body, seed=attempt_seed(seed, attempt)),
        parse_assessment,
        lambda text: (None, text),
    )
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


class EvaluateAll:
    """A few ideas at a time, so that others find a slot of the model free, each with the run's seed
    and at most `each_s` seconds.
    """

    def __init__(
        self, asker: ModelClient, scorer: Scorer, work: EvaluateAllWork, seed: int, each_s: float
    ) -> None:
        self._asker = asker
        self._scorer = scorer
        self._work = work
        self._seed = seed
        self._each_s = each_s
        self._evaluated = 0
        self._last_failure: ServiceError | None = None

    async def perform(self) -> dict[str, Any]:
        ideas = iter(self._work.ideas)
        branches = min(len(self._work.ideas), max(1, self._asker.model.slots // 2))
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
            await self._asker.emit(step)

    async def _evaluate(self, branch: int, idea_id: str) -> Evaluated:
        idea = await asyncio.to_thread(self._work.read, idea_id)
        await self._asker.emit(Reading(branch, idea.title))
        work = EvaluateWork(idea.title, idea.body, self._work.criteria, self._work.rubric_id)
        try:
            async with asyncio.timeout(self._each_s):
                result = await self._when_free(work)
        except TimeoutError as error:
            seconds = f"{self._each_s:g}"
            raise DeadlineExceeded(
                Text(
                    "It was not evaluated after %(seconds)s seconds. Shorten its text, or raise "
                    "IDEAPOOL_RUN_DEADLINE_S.",
                    seconds=seconds,
                )
            ) from error
        return Evaluated(branch, idea_id, idea.version, result)

    async def _when_free(self, work: EvaluateWork) -> dict[str, Any]:
        """An engine that is full just now is no reason to leave an idea out."""
        asker = self._asker.told_less(_of_the_run)
        while True:
            try:
                return await evaluate(asker, self._scorer, work, self._seed)
            except EngineBusy as busy:
                await asyncio.sleep(busy.retry_after_s)


def _of_the_run(step: Step) -> bool:
    """Scores and drafts of one idea are not those of the run."""
    return isinstance(step, Waiting | Began)
