"""Does the work: asks the model, reads its answers as they come, asks again where one is unusable.

Every answer must pass its parser. How often is asked again is bounded; past that the run fails and
says what was wrong, and what was made until then is kept.
"""

from typing import Any

from service.analysis.scoring import Scorer
from service.analysis.word_vectors import WordVectors
from service.engine.backend import Backend
from service.ideation.brainstorm import Brainstorm
from service.ideation.brainstorm_plan import BrainstormWork
from service.ideation.evaluate import EvaluateAll, evaluate
from service.ideation.events import Emit, Ledger
from service.ideation.model_client import ModelClient
from service.ideation.plan import ROLES, EvaluateAllWork, RankWork, RefineWork, Work
from service.ideation.rank import rank
from service.ideation.refine import refine


class Ideation:
    """`each_s` is what each idea of a run over a board may take; other runs are timed outside. With
    `vectors`, suggestions are compared with the board by what they mean, too.
    """

    def __init__(
        self, backend: Backend, vectors: WordVectors | None = None, *, each_s: float
    ) -> None:
        self._backend = backend
        self._vectors = vectors
        self._each_s = each_s
        self._scorer = Scorer(backend)

    async def perform(
        self, work: Work, *, seed: int, client: str, ledger: Ledger, emit: Emit
    ) -> dict[str, Any]:
        """Returns the answer's own fields as the API gives them.

        Raises: EngineError of any kind; AnswerUnusable when the budget of redraws is spent.
        """
        model = self._backend.model_for(ROLES[type(work)])
        asker = ModelClient(self._backend, model, client, ledger, emit)
        if isinstance(work, RankWork):
            return await rank(asker, work, seed)
        asker.language = work.language
        if isinstance(work, BrainstormWork):
            return await Brainstorm(asker, work, seed, self._vectors).perform()
        if isinstance(work, RefineWork):
            return await refine(asker, work, seed)
        if isinstance(work, EvaluateAllWork):
            return await EvaluateAll(asker, self._scorer, work, seed, self._each_s).perform()
        return await evaluate(asker, self._scorer, work, seed)
