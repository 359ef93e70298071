"""Places ideas on a map by their vectors, each group as a block of its own. Knows neither ideas nor
pixels: the unit is the room of one card.

The same vectors and groups always give the same places. Groups begin at fixed directions of the space
of meanings, not at those of this board, and are then moved until their distances suit their likeness.
So another idea only moves them a little. Within a group, an idea is on the side of the groups that it
is also like.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Indices = NDArray[np.intp]
# The name of a group needs this much room above its cards.
NAME_HEIGHT, NAME_WIDTH = 0.42, 0.95
# Half a card and what is around it in a group, and the room between groups.
_HALF, GAP = 0.56, 0.16
_LONE = np.array([1.0, 1.0])
# So many of the oldest ideas are compared with each other, and the others with them.
_LANDMARKS = 256
# How many steps the places take, and how much each is held back to where they began.
_STEPS, _HOLD = 60, 0.06
# How near the groups begin, how much a crowd is spread out, and how few others pull an idea.
_DENSITY, _EVENNESS, _SHARPNESS = 0.9, 0.5, 12.0
# How often groups push each other, after how many steps they look who is near, within what reach,
# and how much they are drawn together before.
_PUSHES, _LOOKS, _MARGIN, _DRAW = 160, 8, 1.5, 0.04


@dataclass(frozen=True, slots=True)
class Layout:
    """`places` has the middle of each card. `corner` is the top left corner of everything."""

    places: Points
    corner: Points
    width: float
    height: float

    def shares(self, points: Points) -> list[tuple[float, float]]:
        """The points as shares of the width and of the height."""
        if not len(points):
            return []
        inside = np.clip((points - self.corner) / [self.width, self.height], 0, 1)
        return [(round(float(x), 5), round(float(y), 5)) for x, y in inside]


def lay_out(vectors: Points, axes: Points, groups: Sequence[Sequence[int]]) -> Layout:
    """`vectors` have length 1. Each is in one group at most, and `axes` are the two directions in which
    they begin.

    No two cards overlap, and no outline of a group has a card of another one in it.
    """
    if not len(vectors):
        return Layout(np.zeros((0, 2)), np.zeros(2), 1.0, 1.0)
    points = _even(_spread(vectors, axes))
    taken = {member for group in groups for member in group}
    alone = [[number] for number in range(len(vectors)) if number not in taken]
    named = [list(group) for group in groups if group]
    blocks = [block(len(group)) for group in named] + [np.zeros((1, 2))] * len(alone)
    sizes = np.stack([_size(each) for each in blocks[: len(named)]] + [_LONE] * len(alone))
    middles = np.stack([points[group].mean(axis=0) for group in named + alone])
    # As far apart as the groups need, were they spread evenly.
    room = float(np.sqrt(sizes.prod(axis=1).sum()))
    scale = room / max(float(np.sqrt((points**2).sum(axis=1).mean())), 1e-9) * _DENSITY
    centres = _apart(middles * scale, sizes)
    places = np.zeros((len(vectors), 2))
    for group, seats, middle, centre in zip(named + alone, blocks, middles, centres, strict=True):
        places[group] = centre + _seated(seats, points[group] - middle)
    low, high = (centres - sizes / 2).min(axis=0), (centres + sizes / 2).max(axis=0)
    return Layout(places, low, float(high[0] - low[0]), float(high[1] - low[1]))


def block(size: int) -> Points:
    """The places of so many cards around (0, 0), in rows of about the same length."""
    found, best = np.zeros((1, 2)), np.inf
    for rows in range(1, 2 * isqrt(size) + 2):
        cells = _rows(size, rows)
        width, height = np.ptp(cells, axis=0) + 1
        if (badness := max(width, height) + 0.25 * width * height) < best - 1e-9:
            found, best = cells, badness
    corners = outline(found)
    centred: Points = found - (corners.min(axis=0) + corners.max(axis=0)) / 2
    return centred


def _rows(size: int, rows: int) -> Points:
    """Rows around a common middle. The last ones may lack a card."""
    lengths = [size // rows + (row < size % rows) for row in range(rows)]
    return np.array(
        [
            (column - (length - 1) / 2, float(row))
            for row, length in enumerate(lengths)
            for column in range(length)
        ]
    )


def outline(places: Points) -> Points:
    """The corners of the hull around the cards of a group and the name above them."""
    corners = [places + np.array([x, y]) for x in (-_HALF, _HALF) for y in (-_HALF, _HALF)]
    x, y = name_place(places)
    corners.append(np.array([[x - NAME_WIDTH / 2, y], [x + NAME_WIDTH / 2, y]]))
    return _hull(np.concatenate(corners))


def name_place(places: Points) -> tuple[float, float]:
    """The middle of the upper edge of the name, which is above the highest row."""
    top = float(places[:, 1].min())
    row = places[places[:, 1] < top + 0.25, 0]
    return float((row.min() + row.max()) / 2), top - 0.5 - NAME_HEIGHT


def _size(places: Points) -> Points:
    corners = outline(places)
    size: Points = corners.max(axis=0) - corners.min(axis=0) + GAP
    return size


def _hull(points: Points) -> Points:
    """Andrew's monotone chain."""
    ordered = sorted({(round(float(x), 6), round(float(y), 6)) for x, y in points})
    halves: list[list[tuple[float, float]]] = []
    for sweep in (ordered, ordered[::-1]):
        half: list[tuple[float, float]] = []
        for point in sweep:
            while len(half) > 1 and _turn(half[-2], half[-1], point) <= 0:
                half.pop()
            half.append(point)
        halves.append(half[:-1])
    return np.array(halves[0] + halves[1])


def _turn(
    first: tuple[float, float], second: tuple[float, float], third: tuple[float, float]
) -> float:
    return (second[0] - first[0]) * (third[1] - first[1]) - (second[1] - first[1]) * (
        third[0] - first[0]
    )


def _spread(vectors: Points, axes: Points) -> Points:
    """A point for each vector, so that distances suit the likeness of the oldest ones. The others
    stand where those are that they are like.
    """
    known = vectors[:_LANDMARKS]
    points = _majorized(known, known @ axes)
    if len(vectors) <= _LANDMARKS:
        return points
    weights = np.exp(_SHARPNESS * (vectors[_LANDMARKS:] @ known.T))
    weights /= weights.sum(axis=1, keepdims=True)
    return np.concatenate([points, weights @ points])


def _even(points: Points) -> Points:
    """Spreads crowds out: a point's place among all others counts as much as its distance to them."""
    ranks = points.argsort(axis=0, kind="stable").argsort(axis=0) / max(1, len(points) - 1) - 0.5
    reach = np.maximum(np.abs(points).max(axis=0), 1e-9)
    even = (1 - _EVENNESS) * points + _EVENNESS * 2 * ranks * reach
    scaled: Points = even / reach.max()
    return scaled


def _majorized(vectors: Points, start: Points) -> Points:
    """Stress majorization that is held back to where it began, so that little changes it."""
    count = len(vectors)
    wanted = np.clip(1 - vectors @ vectors.T, 0, None) ** 2
    np.fill_diagonal(wanted, 0)
    start = start - start.mean(axis=0)
    start = start * wanted.sum() / max(float(_distances(start).sum()), 1e-9)
    points = start
    for _ in range(_STEPS):
        ratio = wanted / np.maximum(_distances(points), 1e-6)
        np.fill_diagonal(ratio, 0)
        points = (ratio.sum(axis=1)[:, None] * points - ratio @ points) / count
        points = (1 - _HOLD) * points + _HOLD * start
        points = points - points.mean(axis=0)
    return points


def _distances(places: Points) -> Points:
    squares = (places**2).sum(axis=1)
    squared = squares[:, None] + squares[None, :] - 2 * places @ places.T
    distances: Points = np.sqrt(np.maximum(squared, 0))
    return distances


def _apart(places: Points, sizes: Points) -> Points:
    """Draws the groups together, and pushes those apart that overlap."""
    count = len(places)
    looks = _LOOKS + count // 120
    draw = 1 - _DRAW * min(1, 60 / count)
    for step in range(_PUSHES):
        if step % looks == 0:
            if step < _PUSHES * 0.7:
                places = places * draw
            one, other, needed = _near(places, sizes)
        between = places[one] - places[other]
        push = np.maximum(1 / _closeness(between, needed) - 1, 0) * 0.4
        move = between * push[:, None]
        for axis in (0, 1):
            places[:, axis] += np.bincount(one, move[:, axis], len(places))
            places[:, axis] -= np.bincount(other, move[:, axis], len(places))
    # Whatever still overlaps goes away as the whole is spread out.
    one, other, needed = _near(places, sizes)
    closest = float(_closeness(places[one] - places[other], needed).min(initial=1))
    return places / closest


def _closeness(between: Points, needed: Points) -> Points:
    """Below 1 for pairs that overlap."""
    closeness: Points = np.maximum((np.abs(between) / needed).max(axis=1), 0.05)
    return closeness


def _near(places: Points, sizes: Points) -> tuple[Indices, Indices, Points]:
    """The pairs that overlap or soon may, and how far apart they must be."""
    order = places[:, 0].argsort(kind="stable")
    x, width = places[order, 0], sizes[order, 0]
    # From left to right, only those within reach of the widest one are compared.
    ends = np.searchsorted(x, x + (width + width.max()) / 2 + _MARGIN)
    counts = ends - np.arange(len(x)) - 1
    first = np.repeat(np.arange(len(x)), counts)
    steps = np.arange(len(first)) - np.repeat(counts.cumsum() - counts, counts)
    one, other = order[first], order[first + steps + 1]
    needed = (sizes[one] + sizes[other]) / 2
    is_near = (np.abs(places[one] - places[other]) < needed + _MARGIN).all(axis=1)
    return one[is_near], other[is_near], needed[is_near]


def _seated(cells: Points, pulls: Points) -> Points:
    """Gives each card a cell near where it is pulled to; the first ones choose first."""
    if len(cells) == 1:
        return cells
    offsets = pulls - pulls.mean(axis=0)
    scale = np.hypot(*offsets.T).max()
    wished = offsets / max(scale, 1e-9) * np.hypot(*cells.T).max()
    is_free = np.ones(len(cells), dtype=bool)
    seats = np.zeros_like(cells)
    for number, wish in enumerate(wished):
        away = np.where(is_free, np.hypot(*(cells - wish).T).round(6), np.inf)
        seat = int(away.argmin())
        is_free[seat] = False
        seats[number] = cells[seat]
    return seats
