"""Learns what the people of a board keep, from what they decided, in a fraction of a second.

Logistic regression on the mean word vector of an idea and its origin. Predictions start from what
readers found, and the weights have a normal prior around zero: so without any decision ideas keep their
order. The mode is found by Newton's method (C. M. Bishop, Pattern Recognition and Machine
Learning, 2006, sections 4.3.3 and 4.5). Whether it pays is measured on decisions that it has not seen.

Pure: knows texts and decisions, but not runs or boards.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from service.analysis.word_overlap import content_words
from service.analysis.word_vectors import WordVectors
from service.schemas.fields import SuggestionOrigin

Array = NDArray[np.float64]
# Log-odds that an idea of the bank is useful, by the cosine of the topics: fitted to 382 readings.
USEFUL_AT_LEAST_LIKENESS, LEAST_LIKENESS, USEFUL_BY_LIKENESS = -1.0, 0.6, 9.0
# Log-odds that an idea of the model is at least passable: 6 of 100 are.
PASSABLE_MODEL_IDEA = -2.5
# Prior variances, chosen on simulated people (docs/design/quality.md).
VECTOR_VARIANCE, ORIGIN_VARIANCE, BIAS_VARIANCE = 1.0, 0.5, 4.0
# Origin and bias come after the words.
_OTHER_FEATURES = 2
FOLDS = 5
# A word that speaks for or against an idea is in at least so many.
LEAST_IDEAS = 3
_STEPS, _CLOSE_ENOUGH = 30, 1e-6


@dataclass(frozen=True, slots=True)
class Subject:
    """An idea as the learner sees it. `likeness` is that of the topic it was written for, if any."""

    text: str
    origin: SuggestionOrigin
    likeness: float | None = None

    @property
    def prior(self) -> float:
        """Log-odds that people want it, before anything is learnt."""
        if self.origin == "model":
            return PASSABLE_MODEL_IDEA
        above = max(0.0, (self.likeness or 0.0) - LEAST_LIKENESS)
        return USEFUL_AT_LEAST_LIKENESS + USEFUL_BY_LIKENESS * above


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether people wanted an idea. Those of one `group` were decided on together."""

    subject: Subject
    is_wanted: bool
    weight: float
    group: str


@dataclass(frozen=True, slots=True)
class Choice:
    """Of two texts, `first` was put before `second`."""

    first: str
    second: str


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Of `pairs` of a wanted and an unwanted idea of one group, the share that is put the right way
    round: by what was learnt from other groups, and by the prior alone. A tie is half right.
    """

    pairs: int
    learnt: float
    prior: float

    @property
    def pays(self) -> bool:
        return self.learnt >= self.prior


class Taste:
    """What was learnt: the weights of the features in the log-odds."""

    def __init__(self, vectors: WordVectors, weights: Array) -> None:
        self._vectors = vectors
        self._weights = weights

    def probabilities(self, subjects: Sequence[Subject]) -> list[float]:
        """That people want them. Raises: ModelUnavailable"""
        if not subjects:
            return []
        prior = np.array([one.prior for one in subjects])
        log_odds = prior + features(self._vectors, subjects) @ self._weights
        return [float(one) for one in _sigmoid(log_odds)]

    def words(
        self, wanted: Sequence[str], unwanted: Sequence[str], most: int
    ) -> tuple[list[str], list[str]]:
        """The words that speak most for an idea, and those that speak most against one.

        The first occur more often in the wanted texts, the second in the unwanted ones.

        Raises: ModelUnavailable
        """
        words: dict[str, str] = {}
        shares: list[Counter[str]] = []
        total: Counter[str] = Counter()
        for texts in (wanted, unwanted):
            found = [dict(content_words(text)) for text in texts]
            words |= {stem: word for one in found for stem, word in one.items()}
            counts = Counter(stem for one in found for stem in one)
            total += counts
            shares.append(Counter({stem: count / len(texts) for stem, count in counts.items()}))
        stems = [stem for stem, count in total.items() if count >= LEAST_IDEAS]
        rows = self._vectors.embed([words[stem] for stem in stems])
        values = rows @ self._weights[: rows.shape[1]]
        order = [int(place) for place in np.argsort(-values, kind="stable")]

        def strongest(places: Sequence[int], side: int) -> list[str]:
            here, there = shares[side], shares[1 - side]
            return [words[stems[at]] for at in places if here[stems[at]] > there[stems[at]]][:most]

        return (
            strongest([place for place in order if values[place] > 0], 0),
            strongest([place for place in reversed(order) if values[place] < 0], 1),
        )


class TasteLearner:
    def __init__(
        self, vectors: WordVectors, decisions: Sequence[Decision], choices: Sequence[Choice] = ()
    ) -> None:
        self._vectors = vectors
        self._decisions = decisions
        self._choices = choices

    def fit(self) -> Taste:
        """Raises: ModelUnavailable if the file of the word vectors cannot be read."""
        return Taste(self._vectors, self._fit(np.ones(len(self._decisions), bool)))

    def accuracy(self) -> Accuracy:
        """By cross-validation over the groups, on decisions of full weight. Raises: ModelUnavailable"""
        group = np.array([one.group for one in self._decisions])
        is_sure = np.array([one.weight >= 1 for one in self._decisions])
        names = list(dict.fromkeys(group.tolist()))
        pairs, learnt, prior = 0, 0.0, 0.0
        for fold in range(min(FOLDS, len(names))):
            held_out = names[fold::FOLDS]
            log_odds = self._prior + self._rows @ self._fit(~np.isin(group, held_out))
            for name in held_out:
                wanted, unwanted = (
                    is_sure & (group == name) & (self._wanted == side) for side in (1, 0)
                )
                pairs += int(wanted.sum() * unwanted.sum())
                learnt += _right(log_odds[wanted], log_odds[unwanted])
                prior += _right(self._prior[wanted], self._prior[unwanted])
        return Accuracy(pairs, learnt / pairs, prior / pairs) if pairs else Accuracy(0, 0.5, 0.5)

    @cached_property
    def _rows(self) -> Array:
        return features(self._vectors, [one.subject for one in self._decisions])

    @cached_property
    def _differences(self) -> Array:
        """Of choices. Only the words count: which of two is better says nothing of how many are wanted."""
        sides = ([getattr(one, side) for one in self._choices] for side in ("first", "second"))
        first, second = (self._vectors.embed(texts) for texts in sides)
        words = (first - second).astype(float)
        return np.hstack([words, np.zeros((len(words), _OTHER_FEATURES))])

    @cached_property
    def _prior(self) -> Array:
        return np.array([one.subject.prior for one in self._decisions])

    @cached_property
    def _wanted(self) -> Array:
        return np.array([float(one.is_wanted) for one in self._decisions])

    def _fit(self, used: NDArray[np.bool_]) -> Array:
        weight = np.array([one.weight for one in self._decisions])
        choices = len(self._choices)
        return _mode(
            np.vstack([self._rows[used], self._differences]),
            np.concatenate([self._wanted[used], np.ones(choices)]),
            np.concatenate([weight[used], np.ones(choices)]),
            np.concatenate([self._prior[used], np.zeros(choices)]),
        )


def features(vectors: WordVectors, subjects: Sequence[Subject]) -> Array:
    """Shape: (subjects, 256 + 2). Raises: ModelUnavailable"""
    others = [(one.origin == "model", 1) for one in subjects]
    rows = vectors.embed([one.text for one in subjects]).astype(float)
    return np.hstack([rows, np.array(others, float).reshape(-1, _OTHER_FEATURES)])


def _mode(rows: Array, wanted: Array, weight: Array, offset: Array) -> Array:
    """The most probable weights."""
    others = (ORIGIN_VARIANCE, BIAS_VARIANCE)
    size = rows.shape[1]
    precision = 1 / np.concatenate([np.full(size - len(others), VECTOR_VARIANCE), others])
    weights = np.zeros(size)
    for _ in range(_STEPS):
        share = _sigmoid(rows @ weights + offset)
        gradient = rows.T @ (weight * (share - wanted)) + precision * weights
        curvature = (rows.T * (weight * share * (1 - share))) @ rows + np.diag(precision)
        step = np.linalg.solve(curvature, gradient)
        weights = weights - step
        if np.abs(step).max() < _CLOSE_ENOUGH:
            break
    return weights


def _sigmoid(values: Array) -> Array:
    result: Array = 1 / (1 + np.exp(-values))
    return result


def _right(wanted: Array, unwanted: Array) -> float:
    difference = wanted[:, None] - unwanted[None, :]
    return float((difference > 0).sum() + (difference == 0).sum() / 2)
