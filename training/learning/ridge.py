"""Ridge regression on standardised features, and what it is worth on groups it has not seen.

Plain linear algebra; knows no model and no notes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
PENALTIES = (200.0, 300.0, 500.0, 800.0, 1500.0, 3000.0)
FOLDS, INNER_FOLDS = 10, 5
# A feature that does not vary says nothing, and may not divide by zero.
LEAST_SCALE = 1e-8


@dataclass(frozen=True, slots=True)
class Ridge:
    """target = bias + weights · (x - mean) / scale, for each target."""

    mean: Floats
    scale: Floats
    weights: Floats
    bias: Floats

    def predict(self, x: Floats) -> Floats:
        result: Floats = self.bias + (x - self.mean) / self.scale @ self.weights.T
        return result


def fit(x: Floats, y: Floats, penalties: Sequence[float]) -> Ridge:
    """One penalty for each target."""
    plan = _Plan(x)
    columns = [plan.weights(y[:, index], penalty) for index, penalty in enumerate(penalties)]
    return Ridge(plan.mean, plan.scale, np.array(columns), y.mean(axis=0))


def choose(
    x: Floats,
    y: Floats,
    groups: ArrayLike,
    penalties: Sequence[float] = PENALTIES,
    *,
    seed: int = 0,
) -> tuple[float, ...]:
    """For each target the penalty with the least squared error on groups that were left out."""
    errors = np.zeros((len(penalties), y.shape[1]))
    for is_test in folds(groups, INNER_FOLDS, seed):
        plan = _Plan(x[~is_test])
        for index, penalty in enumerate(penalties):
            found = plan.predict(y[~is_test], x[is_test], penalty)
            errors[index] += ((found - y[is_test]) ** 2).sum(axis=0)
    return tuple(penalties[index] for index in errors.argmin(axis=0))


def cross_validated(
    x: Floats,
    y: Floats,
    groups: ArrayLike,
    penalties: Sequence[float] = PENALTIES,
    *,
    seed: int = 0,
) -> Floats:
    """What is predicted for each row by a fit on other groups, which chose its penalties itself."""
    groups = np.asarray(groups)
    predicted = np.zeros_like(y)
    for is_test in folds(groups, FOLDS, seed):
        kept = ~is_test
        best = choose(x[kept], y[kept], groups[kept], penalties, seed=seed)
        predicted[is_test] = fit(x[kept], y[kept], best).predict(x[is_test])
    return predicted


def folds(groups: ArrayLike, count: int, seed: int) -> Iterator[NDArray[np.bool_]]:
    """Which rows are left out each time; those of one group always together."""
    names, inverse = np.unique(np.asarray(groups), return_inverse=True)
    fold_of = np.random.default_rng(seed).permutation(len(names)) % min(count, len(names))
    for fold in range(min(count, len(names))):
        yield fold_of[inverse] == fold


class _Plan:
    """What all targets and penalties have in common: the rows' own geometry."""

    def __init__(self, x: Floats) -> None:
        self.mean = x.mean(axis=0)
        self.scale = np.maximum(x.std(axis=0), LEAST_SCALE)
        self._z = (x - self.mean) / self.scale
        values, self._vectors = np.linalg.eigh(self._z @ self._z.T)
        self._values = np.maximum(values, 0)

    def weights(self, y: Floats, penalty: float) -> Floats:
        turned = self._vectors.T @ (y - y.mean(axis=0))
        damped = (turned.T / (self._values + penalty)).T
        result: Floats = self._z.T @ (self._vectors @ damped)
        return result

    def predict(self, y: Floats, x: Floats, penalty: float) -> Floats:
        result: Floats = y.mean(axis=0) + (x - self.mean) / self.scale @ self.weights(y, penalty)
        return result
