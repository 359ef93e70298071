"""Ranks items from pairwise comparisons: Bradley-Terry strengths, their uncertainty, the next pair.

The model is that of R. A. Bradley and M. E. Terry, Rank Analysis of Incomplete Block Designs I,
Biometrika 39 (1952): the first of a pair is put first with the probability sigmoid(a - b), a and b
being the two strengths. A tie counts as half a win for each. A normal prior with mean 0 keeps
items with few comparisons near the middle. The mode is found by Newton's method; the uncertainty
comes from the inverse of the Hessian there (Laplace's approximation).

Pure: knows ids and outcomes, but not ideas or judges.
"""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray

from service.schemas.fields import Outcome

# Weak: for two thirds of all items, the odds against an average one are between 1:7 and 7:1.
PRIOR_SD = 2.0
# Nine tenths of a normal distribution lie within this many standard deviations.
NINE_TENTHS = 1.645
# The next pair is chosen among at most this many items: those compared least.
MOST_CANDIDATES = 200
_STEPS, _CLOSE_ENOUGH = 100, 1e-9
_WINS: dict[Outcome, float] = {"first": 1.0, "tie": 0.5, "second": 0.0}
Array = NDArray[np.float64]
Pair = frozenset[str]


@dataclass(frozen=True, slots=True)
class Result:
    first: str
    second: str
    outcome: Outcome

    @property
    def pair(self) -> Pair:
        return frozenset((self.first, self.second))


@dataclass(frozen=True, slots=True)
class Strength:
    """`value` is in log-odds against an average item."""

    value: float
    standard_error: float
    comparisons: int

    @property
    def score(self) -> float:
        """How many of a hundred comparisons with an average item it is expected to win."""
        return _share(self.value)

    @property
    def low(self) -> float:
        """The score lies between this and `high` with a probability of nine tenths."""
        return _share(self.value - NINE_TENTHS * self.standard_error)

    @property
    def high(self) -> float:
        return _share(self.value + NINE_TENTHS * self.standard_error)


@dataclass(frozen=True, slots=True)
class Question:
    """The pair to ask next; `information` is the expected information of its answer, in nats."""

    first: str
    second: str
    information: float


class Ranking:
    """The strengths of `items` after `results`; results about other items are ignored.

    Neither the order of the results nor the order within a pair makes a difference.
    """

    def __init__(self, items: Sequence[str], results: Iterable[Result]) -> None:
        there = set(items)
        self._items = list(dict.fromkeys(items))
        self._results = [one for one in results if one.pair <= there and one.first != one.second]
        self._asked = Counter(result.pair for result in self._results)
        self._times = Counter(one for pair in self._asked.elements() for one in pair)
        compared = [item for item in self._items if self._times[item]]
        self._place = {item: place for place, item in enumerate(compared)}
        self._values, self._covariance = _fit(*self._games())
        self.strengths = {item: self._strength(item) for item in self._items}

    @property
    def comparisons(self) -> int:
        return len(self._results)

    @property
    def ranks(self) -> dict[str, int]:
        """1 is first. Equal strengths share a rank; items never compared have none."""
        ranks: dict[str, int] = {}
        before, rank = math.inf, 0
        for place, item in enumerate(sorted(self._place, key=self._downwards), start=1):
            value = self._rounded(item)
            if value < before:
                before, rank = value, place
            ranks[item] = rank
        return ranks

    @property
    def order(self) -> list[str]:
        """Strongest first, then the items never compared, in their given order."""
        compared = sorted(self._place, key=self._downwards)
        return compared + [item for item in self._items if item not in self._place]

    def next_question(self, *, seed: int = 0, without: Collection[Pair] = ()) -> Question | None:
        """The most informative pair that is not in `without`.

        That is a pair of uncertain items of about the same strength: its answer is worth
        ½ log(1 + p (1 - p) v), where p is the chance that one is put first and v the variance of
        the difference of their strengths. Among equals the pair asked least comes first, then the
        items compared least, then `seed` decides. It also decides which of the two comes first.
        """
        draw = Random(seed)
        shuffled = draw.sample(self._items, len(self._items))
        candidates = sorted(shuffled, key=lambda item: self._times[item])[:MOST_CANDIDATES]
        ones, others = np.triu_indices(len(candidates), k=1)
        gains = self._gains(candidates)[ones, others].round(9)
        times = np.array([self._times[item] for item in candidates])
        best = np.lexsort((times[ones] + times[others], -gains))
        found = self._least_asked(candidates, ones[best], others[best], gains[best], without)
        if found is None:
            return None
        pair, gain = found
        first, second = pair if draw.random() < 0.5 else reversed(pair)
        return Question(first, second, float(gain))

    def _least_asked(
        self,
        candidates: Sequence[str],
        ones: NDArray[np.intp],
        others: NDArray[np.intp],
        gains: Array,
        without: Collection[Pair],
    ) -> tuple[tuple[str, str], float] | None:
        """The pair asked least, of the allowed pairs with the largest gain."""
        best: tuple[tuple[str, str], float] | None = None
        for one, other, gain in zip(ones.tolist(), others.tolist(), gains.tolist(), strict=True):
            if best is not None and gain < best[1]:
                return best
            pair = candidates[one], candidates[other]
            if frozenset(pair) in without:
                continue
            if self._asked[frozenset(pair)] == 0:
                return pair, gain
            if best is None or self._asked[frozenset(pair)] < self._asked[frozenset(best[0])]:
                best = pair, gain
        return best

    def _gains(self, candidates: Sequence[str]) -> Array:
        size = len(candidates)
        values, covariance = np.zeros(size), np.eye(size) * PRIOR_SD**2
        places = [
            (row, self._place[one]) for row, one in enumerate(candidates) if one in self._place
        ]
        rows = [row for row, _ in places]
        known = [place for _, place in places]
        values[rows] = self._values[known]
        covariance[np.ix_(rows, rows)] = self._covariance[np.ix_(known, known)]
        variances = covariance.diagonal()
        spread = variances[:, None] + variances[None, :] - 2 * covariance
        chance = _sigmoid(values[:, None] - values[None, :])
        gains: Array = 0.5 * np.log1p(chance * (1 - chance) * spread)
        return gains

    def _games(self) -> tuple[Array, Array]:
        """How often each two items were compared, and how many wins each item has."""
        size = len(self._place)
        games, wins = np.zeros((size, size)), np.zeros(size)
        for result in self._results:
            first, second = self._place[result.first], self._place[result.second]
            games[first, second] += 1
            games[second, first] += 1
            wins[first] += _WINS[result.outcome]
            wins[second] += 1 - _WINS[result.outcome]
        return games, wins

    def _strength(self, item: str) -> Strength:
        place = self._place.get(item)
        if place is None:
            return Strength(0.0, PRIOR_SD, 0)
        error = math.sqrt(float(self._covariance[place, place]))
        return Strength(float(self._values[place]), error, self._times[item])

    def _rounded(self, item: str) -> float:
        # The last digits of Newton's method are noise: equal strengths must stay equal.
        return round(float(self._values[self._place[item]]), 6)

    def _downwards(self, item: str) -> float:
        return -self._rounded(item)


def _fit(games: Array, wins: Array) -> tuple[Array, Array]:
    """The mode of the posterior, and its covariance there."""
    values = np.zeros(len(wins))
    for _ in range(_STEPS):
        step = np.linalg.solve(_hessian(games, values), _gradient(games, wins, values))
        # The posterior is strictly concave: a short enough step upwards always gains.
        length, here = 1.0, _log_posterior(games, wins, values)
        while length > _CLOSE_ENOUGH and _log_posterior(games, wins, values + length * step) < here:
            length /= 2
        values = values + length * step
        if not len(step) or float(np.abs(step).max()) < _CLOSE_ENOUGH:
            break
    return values, np.linalg.inv(_hessian(games, values)).astype(np.float64)


def _gradient(games: Array, wins: Array, values: Array) -> Array:
    expected = (games * _sigmoid(values[:, None] - values[None, :])).sum(axis=1)
    gradient: Array = wins - expected - values / PRIOR_SD**2
    return gradient


def _hessian(games: Array, values: Array) -> Array:
    """The Hessian of the negative log posterior, which is positive definite."""
    chance = _sigmoid(values[:, None] - values[None, :])
    weights = games * chance * (1 - chance)
    hessian: Array = np.diag(weights.sum(axis=1) + 1 / PRIOR_SD**2) - weights
    return hessian


def _log_posterior(games: Array, wins: Array, values: Array) -> float:
    # Σ wins · value - ½ Σ games · log(eᵃ + eᵇ) - ½ Σ value² / variance
    together = np.logaddexp(values[:, None], values[None, :])
    return float(
        wins @ values - 0.5 * (games * together).sum() - 0.5 * (values @ values) / PRIOR_SD**2
    )


def _sigmoid(values: Array) -> Array:
    chance: Array = 0.5 * (1 + np.tanh(0.5 * values))
    return chance


def _share(value: float) -> float:
    return 50 * (1 + math.tanh(value / 2))
