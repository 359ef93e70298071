"""Scores an idea from 1 to 10 by the criteria of a rubric. All scores come from here.

If there is a score head for the model, scores are a linear function of the model's own embedding of
the idea, fitted to labelled ideas. For criteria that the head does not know, scores come from the
probabilities of the digits that the model would answer: a weaker signal, marked as uncalibrated and
called rough to people. Nothing is sampled, so the same text gets the same scores. The spread of a score is
the head's error on ideas that it was not fitted to, or the standard deviation over the digits.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from service.analysis.score_heads import ScoreHead, ScoreHeads, rounded
from service.engine.backend import Backend
from service.engine.client import EngineClient, Observe
from service.engine.types import Message, ModelInfo, Usage
from service.errors import ModelUnavailable
from service.messages import Text
from service.prompts.tasks import (
    DEFAULT_CRITERIA,
    PROBE_CHOICES,
    Criterion,
    embedding_text,
    probe_messages,
)
from service.schemas.evaluation import weighted_mean


@dataclass(frozen=True, slots=True)
class Scores:
    """`values` are in the order of the criteria; `uncalibrated` names those scored by digits.

    `spread` is the expected error of each score, None if it is unknown; `prompts` are the chats that
    asked for the digits.
    """

    values: dict[str, float]
    spread: dict[str, float | None]
    weights: dict[str, float]
    uncalibrated: tuple[str, ...]
    usage: Usage
    prompts: tuple[tuple[Message, ...], ...]

    @property
    def overall(self) -> float:
        return weighted_mean(self.values, self.weights)

    @property
    def method(self) -> Literal["head", "digits", "mixed"]:
        if not self.uncalibrated:
            return "head"
        return "digits" if len(self.uncalibrated) == len(self.values) else "mixed"


class Scorer:
    def __init__(self, backend: Backend, heads: ScoreHeads | None = None) -> None:
        self._backend = backend
        self._heads = heads or ScoreHeads()

    async def score(
        self,
        model: ModelInfo,
        title: str,
        body: str,
        criteria: Sequence[Criterion],
        *,
        client: str,
        observe: Observe,
    ) -> Scores:
        """Raises: EngineError of any kind. There is no score without the model."""
        engine = EngineClient(self._backend, model.name, client=client, observe=observe)
        text = embedding_text(title, body)
        embedding = None
        if model.identity == "" and self._heads.may_have(model):
            # Once the model has answered, its identity is known.
            embedding = await engine.embed(text)
        head = self._heads.of(self._now(model))
        found: dict[str, tuple[float, float | None]] = {}
        usage = Usage()
        known = [one for one in criteria if head is not None and _is_known(head, one)]
        if head is not None and known:
            embedding = embedding or await engine.embed(text)
            scores = head.scores(embedding.vector)
            for one in known:
                name = one.name.casefold()
                found[one.name] = scores[name], head.errors.get(name)
        if embedding is not None:
            usage += embedding.usage
        unknown = [one for one in criteria if one not in known]
        prompts = tuple(probe_messages(title, body, criterion) for criterion in unknown)
        if prompts:
            probed = await engine.probe(prompts, PROBE_CHOICES)
            usage += probed.usage
            for one, row in zip(unknown, probed.rows, strict=True):
                found[one.name] = _expected(row)
        return Scores(
            values={one.name: found[one.name][0] for one in criteria},
            spread={one.name: found[one.name][1] for one in criteria},
            weights={one.name: one.weight for one in criteria},
            uncalibrated=tuple(one.name for one in unknown),
            usage=usage,
            prompts=prompts,
        )

    def _now(self, model: ModelInfo) -> ModelInfo:
        return next((one for one in self._backend.models() if one.name == model.name), model)


def _is_known(head: ScoreHead, criterion: Criterion) -> bool:
    """Whether the head was trained on the criterion. With another description, it was not."""
    name = criterion.name.casefold()
    usual = {one.name: one.description for one in DEFAULT_CRITERIA}
    return name in head.criteria and criterion.description in ("", usual.get(name, ""))


def _expected(row: Sequence[float]) -> tuple[float, float]:
    """The mean over the digits 0-9, mapped to 1-10, and the standard deviation. Probabilities are
    normalised to the digits first.
    """
    total = sum(row)
    if total <= 0:
        raise ModelUnavailable(Text("This model cannot score: it gives no digit any probability."))
    mean = sum(digit * value for digit, value in enumerate(row)) / total
    variance = sum((digit - mean) ** 2 * value for digit, value in enumerate(row)) / total
    return rounded(1 + mean), round(math.sqrt(variance), 2)
