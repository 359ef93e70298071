"""Measures a score head on pairs, and with words that should not count.

It takes predicted scores; it knows no model and no fit.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.analysis.calibration.agreement import Scores
from service.analysis.calibration.notes import Note
from training.data.labelled import Pair, PraisedNote
from training.evaluation.statistics import Interval, wilson

FILLER = (
    " This note was written on a Tuesday afternoon and copied here by hand. "
    "There is another one on the next page."
)
"""Used only for tests, never for training."""


@dataclass(frozen=True, slots=True)
class Choices:
    """The number of pairs in the right order; `by_criterion` has the right ones and all."""

    right: int
    pairs: int
    share: Interval
    by_criterion: dict[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Shift:
    """The change of scores by added words that should not count.

    `mean` is by criterion, `overall` the mean of all. `largest` is the largest change of an overall
    score.
    """

    notes: int
    mean: dict[str, float]
    overall: float
    largest: float


@dataclass(frozen=True, slots=True)
class Checks:
    choices: Choices
    praise: Shift
    filler: Shift


def notes_to_check(pairs: Sequence[Pair], praised: Sequence[PraisedNote]) -> list[Note]:
    """The notes that `check` needs scores of, in its order."""
    bodies = [one.body for one in praised]
    bodies += [one.praised_body for one in praised]
    bodies += [one.body + FILLER for one in praised]
    titles = [one.title for one in praised] * 3
    return [note for pair in pairs for note in (pair.better, pair.worse)] + [
        Note(title=title, body=body) for title, body in zip(titles, bodies, strict=True)
    ]


def check(criteria: Sequence[str], scores: Scores, pairs: Sequence[Pair]) -> Checks:
    """`scores` has the scores of `notes_to_check`."""
    count = 2 * len(pairs)
    plain, praised, filled = np.split(scores[count:], 3)
    return Checks(
        choices=_choices(criteria, scores[:count].reshape(len(pairs), 2, -1), pairs),
        praise=_shift(criteria, praised - plain),
        filler=_shift(criteria, filled - plain),
    )


def _choices(
    criteria: Sequence[str], scores: NDArray[np.float64], pairs: Sequence[Pair]
) -> Choices:
    counts = dict.fromkeys(criteria, (0, 0))
    for pair, (better, worse) in zip(pairs, scores, strict=True):
        column = list(criteria).index(pair.criterion)
        right, total = counts[pair.criterion]
        counts[pair.criterion] = right + bool(better[column] > worse[column]), total + 1
    right = sum(one for one, _ in counts.values())
    return Choices(right, len(pairs), wilson(right, len(pairs)), counts)


def _shift(criteria: Sequence[str], moves: Scores) -> Shift:
    overall = moves.mean(axis=1)
    means = dict(zip(criteria, map(float, moves.mean(axis=0)), strict=True))
    return Shift(len(moves), means, float(overall.mean()), float(np.abs(overall).max()))
