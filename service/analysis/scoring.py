"""Scores an idea from 1 to 10 by the criteria of a rubric. All scores come from here.

If the catalog names a score head for the model, scores are a linear function of the model's own
embedding of the idea, fitted to labelled ideas. For criteria that the head does not know, scores
come from the probabilities of the digits that the model would answer: a weaker signal, marked as
uncalibrated. Nothing is sampled, so the same text gets the same scores. The spread of a score is
the head's error on ideas that it was not fitted to, or the standard deviation over the digits.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

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

LOWEST, HIGHEST = 1.0, 10.0
Vector = NDArray[np.float32]


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


@dataclass(frozen=True, slots=True)
class ScoreHead:
    """score = bias + weights · (embedding - mean) / scale, for each criterion.

    Shapes: `mean` and `scale` (embedding,), `weights` (criteria, embedding), `bias` (criteria,).
    `identity` is that of the model it was fitted to. `errors` has the mean error by criterion on
    ideas that were left out of the fit, if the file of figures beside the head has it.
    """

    identity: str
    criteria: tuple[str, ...]
    mean: Vector
    scale: Vector
    weights: Vector
    bias: Vector
    errors: dict[str, float] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> "ScoreHead":
        """Raises: ModelUnavailable if the file is missing or is not a score head."""
        try:
            with np.load(path, allow_pickle=False) as file:
                head = cls(
                    identity=str(file["identity"]),
                    criteria=tuple(str(name) for name in file["criteria"]),
                    mean=file["mean"],
                    scale=file["scale"],
                    weights=file["weights"],
                    bias=file["bias"],
                )
            return replace(head, errors=_errors(path.with_suffix(".json"), head))
        except (OSError, ValueError, KeyError) as error:
            raise ModelUnavailable(
                Text(
                    "The score head %(path)s cannot be read (%(error)s). Restore the file, or take "
                    "`score_head` out of the catalog to score without it.",
                    path=path,
                    error=error,
                )
            ) from error

    def save(self, path: Path) -> None:
        with path.open("wb") as file:
            np.savez(
                file,
                identity=np.array(self.identity),
                criteria=np.array(self.criteria),
                mean=self.mean,
                scale=self.scale,
                weights=self.weights,
                bias=self.bias,
            )

    def scores(self, vector: Sequence[float]) -> dict[str, float]:
        """Raises: ModelUnavailable if the sizes of embedding and head differ."""
        if len(vector) != len(self.mean):
            raise ModelUnavailable(
                Text(
                    "The score head belongs to another model: it expects %(count)s numbers, and this "
                    "model gives %(given)s.",
                    count=len(self.mean),
                    given=len(vector),
                )
            )
        standardised = (np.asarray(vector, dtype=np.float32) - self.mean) / self.scale
        raw = self.bias + self.weights @ standardised
        return {
            name: _rounded(float(value)) for name, value in zip(self.criteria, raw, strict=True)
        }


class Scorer:
    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._heads: dict[str, ScoreHead] = {}

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
        head = None if model.score_head is None else self._head(model.score_head)
        found: dict[str, tuple[float, float | None]] = {}
        usage = Usage()
        known = [one for one in criteria if head is not None and _is_known(head, one)]
        if head is not None and known:
            embedding = await engine.embed(embedding_text(title, body))
            self._check(head, model.name)
            scores, usage = head.scores(embedding.vector), embedding.usage
            for one in known:
                name = one.name.casefold()
                found[one.name] = scores[name], head.errors.get(name)
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

    def _head(self, path: str) -> ScoreHead:
        if path not in self._heads:
            self._heads[path] = ScoreHead.load(Path(path))
        return self._heads[path]

    def _check(self, head: ScoreHead, name: str) -> None:
        """Call it once the model has answered: before that its weights may be unknown."""
        model = next(one for one in self._backend.models() if one.name == name)
        if head.identity != model.identity:
            raise ModelUnavailable(
                Text(
                    "The score head %(score_head)s was trained for other weights than those of "
                    "%(name)s, so its scores would mean nothing. Name the right head in the "
                    "catalog, or none.",
                    score_head=model.score_head,
                    name=model.name,
                )
            )


def _is_known(head: ScoreHead, criterion: Criterion) -> bool:
    """Whether the head was trained on the criterion. With another description, it was not."""
    name = criterion.name.casefold()
    usual = {one.name: one.description for one in DEFAULT_CRITERIA}
    return name in head.criteria and criterion.description in ("", usual.get(name, ""))


def _errors(path: Path, head: ScoreHead) -> dict[str, float]:
    """The errors measured in training, if their file is beside the head and of the same model."""
    if not path.exists():
        return {}
    figures = json.loads(path.read_text())
    if figures.get("identity") != head.identity:
        return {}
    errors = figures.get("agreement", {}).get("error", {})
    return {name: round(float(value), 2) for name, value in errors.items()}


def _expected(row: Sequence[float]) -> tuple[float, float]:
    """The mean over the digits 0-9, mapped to 1-10, and the standard deviation. Probabilities are
    normalised to the digits first.
    """
    total = sum(row)
    if total <= 0:
        raise ModelUnavailable(Text("This model cannot score: it gives no digit any probability."))
    mean = sum(digit * value for digit, value in enumerate(row)) / total
    variance = sum((digit - mean) ** 2 * value for digit, value in enumerate(row)) / total
    return _rounded(1 + mean), round(math.sqrt(variance), 2)


def _rounded(value: float) -> float:
    return round(min(max(value, LOWEST), HIGHEST), 1)
