"""Intervals and tests for comparing two systems on the same prompts: what we choose of SciPy's.

The unit is the prompt: values of several answers to a prompt are averaged before.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, sqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from scipy.stats import binomtest, bootstrap, norm

Floats = NDArray[np.float64]
CONFIDENCE = 0.95
DRAWS = 10_000
LEAST_PAIRS = 6
"""The fewest pairs with an interval and a p. For five pairs the least p of an exact sign-flip test is
2 / 2^5, which is above 0.05.
"""
# 10,000 draws of thousands of rows would not fit into memory at a time.
_BATCH = 500


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
    drawn = _bootstrap((gaps,), np.mean, seed)
    interval = _interval(float(gaps.mean()), drawn.confidence_interval)
    p = _p_value(drawn.bootstrap_distribution)
    return Difference(float(a.mean()), float(b.mean()), interval, p, len(gaps))


def relative_change(base: ArrayLike, tuned: ArrayLike, *, seed: int = 0) -> Interval:
    """The relative change of the sum of `tuned` against that of `base` (0.1 is 10 % more).

    For summed likelihoods of the same texts it is the change per token and also per byte.
    """
    a, b = _paired(base, tuned)
    if not len(a) or a.sum() == 0:
        return _alone(np.nan)
    value = float(_change_of_sums(a, b))
    if len(a) < LEAST_PAIRS:
        return _alone(value)
    return _interval(value, _bootstrap((a, b), _change_of_sums, seed).confidence_interval)


def change_over_seeds(base: ArrayLike, tuned: ArrayLike, *, seed: int = 0) -> Interval:
    """`relative_change` for arrays of seeds × prompts; both are resampled."""
    a, b = np.asarray(base, dtype=float), np.asarray(tuned, dtype=float)
    random = np.random.default_rng(seed)
    draws = np.empty(DRAWS)
    for number in range(DRAWS):
        seeds, prompts = (random.integers(0, n, size=n) for n in a.shape)
        chosen = np.ix_(seeds, prompts)
        draws[number] = _change_of_sums(a[chosen].ravel(), b[chosen].ravel())
    outside = (1 - CONFIDENCE) / 2
    value = float(_change_of_sums(a.ravel(), b.ravel()))
    return _interval(value, np.quantile(draws, [outside, 1 - outside]))


def wilson(hits: int, n: int) -> Interval:
    if n == 0:
        return Interval(np.nan, 0.0, 1.0)
    return _interval(hits / n, binomtest(hits, n).proportion_ci(CONFIDENCE, method="wilson"))


def sign_test(wins: int, losses: int) -> float:
    """The exact two-sided p of this split, or a more uneven one, under equal chances."""
    n = wins + losses
    return float(binomtest(wins, n).pvalue) if n else 1.0


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """The p values adjusted by Holm, in the order of the mapping. NaN is left out and stays NaN."""
    family = [name for name, p in p_values.items() if isfinite(p)]
    adjusted: dict[str, float] = {}
    highest = 0.0
    for rank, name in enumerate(sorted(family, key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(family) - rank) * p_values[name]))
        adjusted[name] = highest
    return {name: adjusted.get(name, np.nan) for name in p_values}


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
        p = expit(x @ weights)
        hessian = x.T @ (x * (p * (1 - p))[:, None]) + penalty
        weights = weights + np.linalg.solve(hessian, x.T @ (target - p) - penalty @ weights)
    error = sqrt(float(np.linalg.inv(hessian)[0, 0]))
    ends = norm.interval(CONFIDENCE, loc=weights[0], scale=error)
    return _interval(float(expit(weights[0])), expit(ends))


def _paired(base: ArrayLike, tuned: ArrayLike) -> tuple[Floats, Floats]:
    a, b = np.asarray(base, dtype=float), np.asarray(tuned, dtype=float)
    if a.shape != b.shape:
        raise ValueError(f"{len(a)} values cannot be paired with {len(b)}")
    is_known = np.isfinite(a) & np.isfinite(b)
    return a[is_known], b[is_known]


def _alone(value: float) -> Interval:
    return Interval(value, np.nan, np.nan)


def _interval(value: float, ends: Iterable[float]) -> Interval:
    low, high = ends
    return Interval(value, float(low), float(high))


def _change_of_sums(a: Floats, b: Floats, axis: int = -1) -> Floats:
    change: Floats = b.sum(axis) / a.sum(axis) - 1
    return change


def _bootstrap(samples: tuple[Floats, ...], statistic: Callable[..., Any], seed: int) -> Any:
    """Resamples prompts, the same ones in every sample. Returns SciPy's `BootstrapResult`."""
    return bootstrap(
        samples,
        statistic,
        n_resamples=DRAWS,
        batch=_BATCH,
        vectorized=True,
        paired=True,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(seed),
    )


def _p_value(draws: Floats) -> float:
    """Two-sided: twice the share of resampled differences on the other side of zero."""
    at_most, at_least = float((draws <= 0).mean()), float((draws >= 0).mean())
    return min(1.0, max(2 * min(at_most, at_least), 1 / len(draws)))
