"""Says which measured values can be told apart, and which places that leaves to each. It is pure.

A value whose error is not known can be told apart from no other.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.schemas.evaluation import CriterionShape, TablePublic
from service.schemas.ranking import StandingPublic

# Differences of rounded scores carry the noise of binary fractions.
_NOISE = 1e-9
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Measured:
    """A value, and how far off it usually is."""

    value: float
    error: float | None


@dataclass(frozen=True, slots=True)
class Place:
    """The best and the worst place that the errors allow. They are equal if the place is certain."""

    first: int
    last: int

    @property
    def is_shared(self) -> bool:
        return self.first != self.last

    def __str__(self) -> str:
        return f"{self.first}–{self.last}" if self.is_shared else str(self.first)


def is_higher(one: Measured, other: Measured) -> bool:
    """Whether `one` is higher by more than the usual error of the difference of two such values."""
    return bool(_higher(*_arrays([one, other]))[1, 0])


def places(measured: Sequence[Measured]) -> list[Place]:
    """Returns the places of values with errors, the highest value first."""
    return _places(_higher(*_arrays(measured)))


def places_by_range(ranges: Sequence[tuple[float, float]]) -> list[Place]:
    """Returns the places of values that lie between two bounds. Ranges that meet share a place."""
    low = np.array([low for low, _ in ranges], dtype=float)
    high = np.array([high for _, high in ranges], dtype=float)
    return _places(low[None, :] > high[:, None] + _NOISE)


def overall_error(
    spread: Mapping[str, float | None], criteria: Sequence[CriterionShape]
) -> float | None:
    """How far off the weighted mean of the scores usually is; None if that is not known.

    The errors of an idea's criteria have causes in common, so they are not taken to cancel each other.
    """
    weighed = 0.0
    for one in criteria:
        error = spread.get(one.name)
        if error is None:
            return None
        weighed += one.weight * error
    return weighed / sum(one.weight for one in criteria)


def table_places(table: TablePublic) -> dict[str, Place]:
    """Returns the places of the ideas that have an overall score, by id."""
    measured = {
        row.idea_id: Measured(row.overall, overall_error(row.spread, table.criteria))
        for row in table.ideas
        if row.overall is not None
    }
    return dict(zip(measured, places(list(measured.values())), strict=True))


def standing_places(standings: Sequence[StandingPublic]) -> dict[str, Place]:
    """Returns the places of the ideas that were compared, by id. They go by the likely ranges."""
    ranked = [one for one in standings if one.rank is not None]
    found = places_by_range([(one.low, one.high) for one in ranked])
    return {one.idea_id: place for one, place in zip(ranked, found, strict=True)}


def _arrays(measured: Sequence[Measured]) -> tuple[Array, Array]:
    values = np.array([one.value for one in measured], dtype=float)
    errors = [math.inf if one.error is None else one.error for one in measured]
    return values, np.array(errors, dtype=float)


def _higher(values: Array, errors: Array) -> NDArray[np.bool_]:
    """The entry at [i, j] says whether j is higher than i."""
    margin = np.hypot(errors[None, :], errors[:, None])
    found: NDArray[np.bool_] = values[None, :] - values[:, None] > margin + _NOISE
    return found


def _places(higher: NDArray[np.bool_]) -> list[Place]:
    above, below = higher.sum(axis=1), higher.sum(axis=0)
    return [
        Place(1 + int(up), len(higher) - int(down)) for up, down in zip(above, below, strict=True)
    ]
