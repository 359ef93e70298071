"""Does the work: asks the model, reads its answers as they come, asks again where one is unusable.

Every answer must pass its parser. How often is asked again is bounded; past that the run fails and
says what was wrong, and what was made until then is kept.
"""

from typing import Any

from service.answers import parse_assessment
from service.engine.backend import Backend
from service.ideation.asking import Asker, attempt_seed
from service.ideation.brainstorm import Brainstorm
from service.ideation.brainstorm_plan import BrainstormWork
from service.ideation.plan import ROLES, EvaluateWork, RankWork, RefineWork, Work
from service.ideation.rank import rank
from service.ideation.refine import refine
from service.ideation.steps import Emit, Ledger, Scored
from service.prompts import evaluate_prompt
from service.scoring import Scorer


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
        asker = Asker(self._backend, model, client, ledger, emit)
        if isinstance(work, BrainstormWork):
            return await Brainstorm(asker, work, seed).perform()
        if isinstance(work, RefineWork):
            return await refine(asker, work, seed)
        if isinstance(work, RankWork):
            return await rank(asker, work, seed)
        return await self._evaluate(asker, work, seed)

    async def _evaluate(self, asker: Asker, work: EvaluateWork, seed: int) -> dict[str, Any]:
        scores = await self._scorer.score(
            asker.model,
            work.title,
            work.body,
            work.criteria,
            client=asker.client,
            observe=asker.observe,
        )
        asker.ledger.usage += scores.usage
        asker.ledger.prompts += scores.prompts
        await asker.emit(Scored(scores.values))
        answer = await asker.insist(
            lambda attempt: evaluate_prompt(
                work.title, work.body, seed=attempt_seed(seed, attempt)
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
