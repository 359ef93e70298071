"""Ridge regression on standardised features, with cross-validation over groups.

Besides the rows, it learns from differences that should count (of two rows on one subject) and moves
that should not. Knows no model and no notes.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
PENALTIES = (200.0, 400.0, 800.0, 1500.0, 3000.0)
FOLDS, INNER_FOLDS = 10, 5
# The weights of a difference and of a move; a row weighs 1.
DIFFERENCE_WEIGHT, MOVE_WEIGHT = 0.3, 0.5
# Errors above about this size count linearly, not by their square, because labels have outliers.
ROBUST_FROM, ROBUST_STEPS = 1.0, 4
# Avoids a division by zero for a feature that does not vary.
LEAST_SCALE = 1e-8


@dataclass(frozen=True, slots=True)
class Examples:
    """`differences` has pairs of positions. `moves` are changes of the rows at `moved` that should not
    change a prediction. Rows of one group stay in one fold.
    """

    x: Floats
    y: Floats
    groups: Integers
    differences: Integers
    moves: Floats
    moved: Integers

    def only(self, is_kept: NDArray[np.bool_]) -> "Examples":
        """The examples of the rows in the mask."""
        position = np.cumsum(is_kept) - 1
        differences = self.differences[is_kept[self.differences].all(axis=1)]
        has_move = is_kept[self.moved]
        return replace(
            self,
            x=self.x[is_kept],
            y=self.y[is_kept],
            groups=self.groups[is_kept],
            differences=position[differences],
            moves=self.moves[has_move],
            moved=position[self.moved[has_move]],
        )

    def folds(self, count: int, seed: int) -> Iterator[NDArray[np.bool_]]:
        """Yields a mask of the rows to leave out for each fold."""
        names, inverse = np.unique(self.groups, return_inverse=True)
        count = min(count, len(names))
        fold_of = np.random.default_rng(seed).permutation(len(names)) % count
        for fold in range(count):
            yield fold_of[inverse] == fold


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


def fit(examples: Examples, penalties: Sequence[float]) -> Ridge:
    """Fits all targets; `penalties` has one penalty for each."""
    equations = _Equations(examples)
    found = [equations.robust(index, penalty) for index, penalty in enumerate(penalties)]
    weights, bias = zip(*found, strict=True)
    return Ridge(equations.mean, equations.scale, np.array(weights), np.array(bias))


def choose(
    examples: Examples, penalties: Sequence[float] = PENALTIES, *, seed: int = 0
) -> tuple[float, ...]:
    """For each target, the penalty with the least squared error on left-out groups."""
    errors = np.zeros((len(penalties), examples.y.shape[1]))
    for is_test in examples.folds(INNER_FOLDS, seed):
        equations = _Equations(examples.only(~is_test))
        for index, ridge in enumerate(equations.plain(penalties)):
            errors[index] += ((ridge.predict(examples.x[is_test]) - examples.y[is_test]) ** 2).sum(
                0
            )
    return tuple(penalties[index] for index in errors.argmin(axis=0))


def cross_validated(
    examples: Examples,
    penalties: Sequence[float] = PENALTIES,
    *,
    seed: int = 0,
    go_on: Callable[[], None] = lambda: None,
) -> Floats:
    """The prediction for each row by a fit to other groups, which also chose its penalties.

    `go_on` is called before each fold; what it raises ends the work.
    """
    predicted = np.zeros_like(examples.y)
    for is_test in examples.folds(FOLDS, seed):
        go_on()
        kept = examples.only(~is_test)
        ridge = fit(kept, choose(kept, penalties, seed=seed))
        predicted[is_test] = ridge.predict(examples.x[is_test])
    return predicted


class _Equations:
    """The standardised, weighted rows, differences and moves as one system of equations.

    It is solved for the features or, where there are fewer, for the equations; the answer is the same.
    """

    def __init__(self, examples: Examples) -> None:
        self.mean = examples.x.mean(axis=0)
        self.scale = np.maximum(examples.x.std(axis=0), LEAST_SCALE)
        self._means = examples.y.mean(axis=0)
        z, y = (examples.x - self.mean) / self.scale, examples.y - self._means
        first, second = examples.differences.reshape(-1, 2).T
        strength = DIFFERENCE_WEIGHT**0.5
        self._rows = len(z)
        self._left = np.vstack(
            [
                z,
                strength * (z[first] - z[second]),
                MOVE_WEIGHT**0.5 * examples.moves / self.scale,
            ]
        )
        still = np.zeros((len(examples.moves), y.shape[1]))
        self._right = np.vstack([y, strength * (y[first] - y[second]), still])
        self._is_wide = self._left.shape[1] > len(self._left)
        self._gram = self._left @ self._left.T if self._is_wide else self._left.T @ self._left

    def plain(self, penalties: Sequence[float]) -> Iterator[Ridge]:
        """Fits by squared errors, with the same penalty for all targets."""
        for penalty in penalties:
            if self._is_wide:
                weights = self._left.T @ _solved(self._gram, self._right, penalty)
            else:
                weights = _solved(self._gram, self._left.T @ self._right, penalty)
            yield Ridge(self.mean, self.scale, weights.T, self._means)

    def robust(self, target: int, penalty: float) -> tuple[Floats, float]:
        """The weights and the bias of one target, with less weight for large errors."""
        right, bias = self._right[:, target].copy(), 0.0
        importance = np.ones(len(right))
        weights = self._solve(importance, right, penalty)
        for _ in range(ROBUST_STEPS):
            rows = importance[: self._rows]
            errors = right[: self._rows] - self._left[: self._rows] @ weights
            shift = float(np.average(errors, weights=rows))
            right[: self._rows] -= shift
            bias += shift
            rows[:] = 1 / np.sqrt(1 + ((errors - shift) / ROBUST_FROM) ** 2)
            rows /= rows.mean()
            weights = self._solve(importance, right, penalty)
        return weights, float(self._means[target]) + bias

    def _solve(self, importance: Floats, right: Floats, penalty: float) -> Floats:
        root = np.sqrt(importance)
        if self._is_wide:
            gram = root[:, None] * self._gram * root
            result: Floats = self._left.T @ (root * _solved(gram, right * root, penalty))
            return result
        left = self._left * root[:, None]
        return _solved(left.T @ left, left.T @ (right * root), penalty)


def _solved(gram: Floats, right: Floats, penalty: float) -> Floats:
    """Solves (gram + penalty · identity) · x = right."""
    penalised = gram.copy()
    penalised[np.diag_indices_from(penalised)] += penalty
    return np.asarray(np.linalg.solve(penalised, right), dtype=np.float64)
