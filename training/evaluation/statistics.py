"""Intervals and tests for comparing two systems on the same prompts.

The unit is the prompt: values of several answers to a prompt are averaged before.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import comb, exp, isfinite, log, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
DRAWS = 10_000
Z_95 = 1.959964
LEAST_PAIRS = 6
"""The fewest pairs with an interval and a p. For five pairs the least p of an exact sign-flip test is
2 / 2^5, which is above 0.05.
"""
# Draws are made in chunks, because 10,000 draws of thousands of rows would not fit into memory.
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Interval:
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True)
class Difference:
    """The means of base and tuned and their difference, paired by prompt.

    `p` is NaN for fewer than `LEAST_PAIRS` pairs.
    """

    base: float
    tuned: float
    difference: Interval
    p: float
    n: int


def paired_difference(base: ArrayLike, tuned: ArrayLike, *, seed: int = 0) -> Difference:
    """The difference of means, with an interval and p from a paired bootstrap over prompts.

    Prompts with NaN for one of the two systems are left out.
    """
    a, b = _paired(base, tuned)
    if not len(a):
        return Difference(np.nan, np.nan, _alone(np.nan), np.nan, 0)
    gaps = b - a
    if len(gaps) < LEAST_PAIRS:
        alone = _alone(float(gaps.mean()))
        return Difference(float(a.mean()), float(b.mean()), alone, np.nan, len(gaps))
    means = np.concatenate([gaps[index].mean(axis=1) for index in _resampled(len(gaps), seed)])
    interval = _percentiles(float(gaps.mean()), means)
    return Difference(float(a.mean()), float(b.mean()), interval, _p_value(means), len(gaps))


def relative_change(base: ArrayLike, tuned: ArrayLike, *, seed: int = 0) -> Interval:
    """The relative change of the sum of `tuned` against that of `base` (0.1 is 10 % more).

    For summed likelihoods of the same texts it is the change per token and also per byte.
    """
    a, b = _paired(base, tuned)
    if not len(a) or a.sum() == 0:
        return _alone(np.nan)
    value = float(b.sum() / a.sum() - 1)
    if len(a) < LEAST_PAIRS:
        return _alone(value)
    ratios = np.concatenate(
        [b[index].sum(axis=1) / a[index].sum(axis=1) - 1 for index in _resampled(len(a), seed)]
    )
    return _percentiles(value, ratios)


def change_over_seeds(base: ArrayLike, tuned: ArrayLike, *, seed: int = 0) -> Interval:
    """`relative_change` for arrays of seeds × prompts; both are resampled."""
    a, b = np.asarray(base, dtype=float), np.asarray(tuned, dtype=float)
    random = np.random.default_rng(seed)
    draws = np.empty(DRAWS)
    for number in range(DRAWS):
        seeds, prompts = (random.integers(0, n, size=n) for n in a.shape)
        chosen = np.ix_(seeds, prompts)
        draws[number] = b[chosen].sum() / a[chosen].sum() - 1
    return _percentiles(float(b.sum() / a.sum() - 1), draws)


def wilson(hits: float, n: int) -> Interval:
    if n == 0:
        return Interval(np.nan, 0.0, 1.0)
    share, z2 = hits / n, Z_95 * Z_95
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z_95 / (1 + z2 / n) * sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return Interval(share, max(0.0, centre - half), min(1.0, centre + half))


def sign_test(wins: int, losses: int) -> float:
    """The exact two-sided p of this split, or a more uneven one, under equal chances."""
    n = wins + losses
    tail = sum(comb(n, k) for k in range(min(wins, losses) + 1))
    return min(1.0, 2 * tail / (1 << n))


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """The p values adjusted by Holm, in the order of the mapping. NaN is left out and stays NaN."""
    family = [name for name, p in p_values.items() if isfinite(p)]
    adjusted: dict[str, float] = {}
    highest = 0.0
    for rank, name in enumerate(sorted(family, key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(family) - rank) * p_values[name]))
        adjusted[name] = highest
    return {name: adjusted.get(name, np.nan) for name in p_values}


def spearman(a: ArrayLike, b: ArrayLike) -> float:
    """Spearman's rank correlation; NaN if one of the two does not vary."""
    ranks = [_ranks(np.asarray(values, dtype=float)) for values in (a, b)]
    centred = [rank - rank.mean() for rank in ranks]
    scale = sqrt(float((centred[0] ** 2).sum() * (centred[1] ** 2).sum()))
    return float((centred[0] * centred[1]).sum() / scale) if scale else float("nan")


def bradley_terry(wins: Mapping[tuple[str, str], float]) -> dict[str, float]:
    """Log-strengths with mean 0; `wins` counts how often the first of a pair beat the second.

    Half a win each way is added to every pair that met, which keeps all strengths finite.
    """
    names = sorted({name for pair in wins for name in pair})
    index = {name: i for i, name in enumerate(names)}
    table, met = np.zeros((2, len(names), len(names)))
    for (winner, loser), count in wins.items():
        table[index[winner], index[loser]] += count
        met[index[winner], index[loser]] = met[index[loser], index[winner]] = 0.5
    table = table + met
    games, won = table + table.T, table.sum(axis=1)
    strengths = np.ones(len(names))
    for _ in range(2000):
        meetings = games / (strengths[:, None] + strengths[None, :])
        updated = won / meetings.sum(axis=1)
        updated /= np.exp(np.log(updated).mean())
        is_settled = np.allclose(updated, strengths, rtol=1e-10)
        strengths = updated
        if is_settled:
            break
    return {name: log(float(strengths[index[name]])) for name in names}


def rate_at_equal_length(wins: Sequence[float], length_gaps: Sequence[float]) -> Interval:
    """The win rate that a logistic fit predicts for texts of equal length.

    `wins` has 1, 0, or 0.5 for a tie; `length_gaps` says how much longer the tuned text was. The
    interval is that of the intercept.
    """
    target, gaps = np.asarray(wins, dtype=float), np.asarray(length_gaps, dtype=float)
    if len(target) < 3:
        return Interval(np.nan, 0.0, 1.0)
    scale = float(gaps.std()) or 1.0
    x = np.column_stack([np.ones(len(gaps)), np.tanh(gaps / scale)])
    # Without a little ridge, a judge that always prefers the longer text has no finite fit.
    penalty = np.diag([1e-3, 1e-1])
    weights = np.zeros(2)
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ weights))
        hessian = x.T @ (x * (p * (1 - p))[:, None]) + penalty
        weights = weights + np.linalg.solve(hessian, x.T @ (target - p) - penalty @ weights)
    spread = Z_95 * sqrt(float(np.linalg.inv(hessian)[0, 0]))
    middle = float(weights[0])
    return Interval(_logistic(middle), _logistic(middle - spread), _logistic(middle + spread))


def _logistic(x: float) -> float:
    return 1 / (1 + exp(-x)) if x > -700 and isfinite(x) else 0.0


def _paired(base: ArrayLike, tuned: ArrayLike) -> tuple[Floats, Floats]:
    a, b = np.asarray(base, dtype=float), np.asarray(tuned, dtype=float)
    if a.shape != b.shape:
        raise ValueError(f"{len(a)} values cannot be paired with {len(b)}")
    is_known = np.isfinite(a) & np.isfinite(b)
    return a[is_known], b[is_known]


def _resampled(n: int, seed: int) -> Iterator[NDArray[np.int64]]:
    random = np.random.default_rng(seed)
    return (random.integers(0, n, size=(_CHUNK, n)) for _ in range(DRAWS // _CHUNK))


def _alone(value: float) -> Interval:
    return Interval(value, np.nan, np.nan)


def _percentiles(value: float, draws: Floats) -> Interval:
    low, high = np.percentile(draws, [2.5, 97.5])
    return Interval(value, float(low), float(high))


def _p_value(draws: Floats) -> float:
    """Two-sided: twice the share of resampled differences on the other side of zero."""
    at_most, at_least = float((draws <= 0).mean()), float((draws >= 0).mean())
    return min(1.0, max(2 * min(at_most, at_least), 1 / len(draws)))


def _ranks(values: Floats) -> Floats:
    """Ranks from 1; equal values share their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    middles: Floats = ends - (counts - 1) / 2
    return middles[inverse]
