"""How far predicted scores agree with labels, and whether they are worth more than one fixed score."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from service.analysis.calibration.notes import Note

Scores = NDArray[np.float64]
"""One row for each note, one column for each criterion."""

# An advantage of so many standard errors is not chance.
CLEAR = 2.0


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The agreement with labels on notes whose subject was left out of the fit, by criterion.

    `length` is the rank correlation of the prediction error with the number of words.
    """

    notes: int
    spearman: dict[str, float]
    error: dict[str, float]
    length: float


def held_out(
    criteria: Sequence[str], predicted: Scores, labels: Scores, notes: Sequence[Note]
) -> HeldOut:
    columns = list(enumerate(criteria))
    errors = predicted - labels
    return HeldOut(
        notes=len(labels),
        spearman={name: spearman(predicted[:, i], labels[:, i]) for i, name in columns},
        error={name: float(np.abs(errors[:, i]).mean()) for i, name in columns},
        length=spearman(errors.mean(axis=1), [len(note.body.split()) for note in notes]),
    )


def spearman(a: ArrayLike, b: ArrayLike) -> float:
    """Spearman's rank correlation; NaN if one of the two does not vary."""
    ranks = [_ranks(np.asarray(values, dtype=float)) for values in (a, b)]
    centred = [rank - rank.mean() for rank in ranks]
    scale = sqrt(float((centred[0] ** 2).sum() * (centred[1] ** 2).sum()))
    return float((centred[0] * centred[1]).sum() / scale) if scale else float("nan")


def fixed_errors(criteria: Sequence[str], labels: Scores) -> dict[str, float]:
    """The mean error of always giving the same score, by criterion.

    The score is the median of the labels: no other fixed score, such as their mean, has a smaller error.
    """
    errors = _fixed_errors(labels).mean(axis=0)
    return dict(zip(criteria, map(float, errors), strict=True))


def better_than_fixed(
    criteria: Sequence[str], predicted: Scores, labels: Scores
) -> tuple[str, ...]:
    """The criteria whose predictions have a clearly smaller mean error than one fixed score."""
    gains = _fixed_errors(labels) - np.abs(predicted - labels)
    least = CLEAR * gains.std(axis=0, ddof=1) / sqrt(len(gains))
    is_better = gains.mean(axis=0) > least
    return tuple(name for name, good in zip(criteria, is_better, strict=True) if good)


def _fixed_errors(labels: Scores) -> Scores:
    result: Scores = np.abs(labels - np.median(labels, axis=0))
    return result


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 1; equal values share their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    middles: NDArray[np.float64] = ends - (counts - 1) / 2
    return middles[inverse]
