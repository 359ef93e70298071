"""Rows laid end to end in bins of one width, each blind to the others. Knows no model.

Neighbours whose prompts begin alike, as those of a task of ours do, share that beginning: a model
reads it once, and since nothing in it sees what follows, every row has the same loss as alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from training.learning.tokens import Tokens

IGNORED = -100
ATTENTION_WIDTH = 4096
"""Where attention takes about as long as the rest of a layer, in models of 0.1 to 2 B parameters."""
SHORTEST_SHARED = 32
MOST_SPLITS = 4
"""How many more bins than the fewest are tried."""
Bins = list[list[int]]


@dataclass(frozen=True, slots=True)
class Batch:
    """All of shape bins × width. `labels` are the ids to be learnt, elsewhere `IGNORED`.

    A token sees those before it in its own segment and in the one that its own goes on from.
    """

    input_ids: torch.Tensor
    position_ids: torch.Tensor
    labels: torch.Tensor
    segments: torch.Tensor
    parents: torch.Tensor

    def to(self, device: torch.device) -> "Batch":
        return Batch(*(one.to(device) for one in self._parts()))

    def sees(self) -> torch.Tensor:
        """bins × 1 × width × width: whether the token of the row sees that of the column."""
        of, seen = self.segments[:, :, None], self.segments[:, None, :]
        is_own = (of == seen) | (self.parents[:, :, None] == seen)
        return torch.tril(is_own)[:, None]

    def _parts(self) -> tuple[torch.Tensor, ...]:
        return self.input_ids, self.position_ids, self.labels, self.segments, self.parents


@dataclass(frozen=True, slots=True)
class _Run:
    """Neighbours in a bin that share their first `shared` tokens."""

    members: list[int]
    shared: int


def fill_bins(rows: Sequence[Tokens], width: int) -> Bins:
    """Neighbours begin alike; what is longer than `width` has a bin of its own."""
    return _Line(rows).cut(width) if rows else []


def choose_bins(rows: Sequence[Tokens], width: int | None) -> Bins:
    """As many bins of at most that width, about equally full, as cost least.

    Without a width each row has a bin, and all are padded to the longest.
    """
    if width is None:
        return [[index] for index in range(len(rows))]
    line = _Line(rows)
    few = len(line.cut(width))
    choices = [line.evenly(count) for count in range(few, min(len(rows), few + MOST_SPLITS) + 1)]
    longest = max(map(len, rows))

    def cost(bins: Bins) -> tuple[bool, float]:
        widest = max(width_of(rows, members) for members in bins)
        area = len(bins) * widest * (1 + widest / ATTENTION_WIDTH)
        return widest > max(width, longest), area

    return min(choices, key=cost)


def width_of(rows: Sequence[Tokens], members: Sequence[int]) -> int:
    """How many tokens a bin with these rows has."""
    return sum(
        sum(len(rows[index]) for index in run.members) - run.shared * (len(run.members) - 1)
        for run in _runs(rows, members)
    )


def lay_out(
    rows: Sequence[Tokens], bins: Bins, *, height: int | None = None, width: int | None = None
) -> Batch:
    """`height` and `width` ask for more bins or a greater width than the rows need."""
    widths = [width_of(rows, members) for members in bins]
    shape = (max(height or 0, len(bins)), max(width or 0, *widths))
    ids, positions, segments, parents = (torch.zeros(shape, dtype=torch.long) for _ in range(4))
    labels = torch.full(shape, IGNORED)
    # What is left of a bin is a segment of its own, so that nothing looks at it.
    positions[:] = torch.arange(shape[1])
    for number, members in enumerate(bins):
        for segment, piece in enumerate(_pieces(rows, members), start=1):
            place = (number, slice(piece.start, piece.start + len(piece.ids)))
            ids[place] = torch.from_numpy(piece.ids)
            positions[place] = torch.arange(piece.position, piece.position + len(piece.ids))
            learnt = torch.from_numpy(piece.mask)
            labels[place] = ids[place].masked_fill(~learnt, IGNORED)
            segments[place] = segment
            parents[place] = piece.parent or segment
        positions[number, widths[number] :] -= widths[number]
    return Batch(ids, positions, labels, segments, parents)


def lay_out_parts(parts: Sequence[Sequence[Tokens]], width: int | None) -> Batch:
    """One part below the other, all of them filled up to as many bins of one width."""
    bins = [choose_bins(rows, width) for rows in parts]
    height = max(map(len, bins))
    widest = max(
        width_of(rows, members) for rows, own in zip(parts, bins, strict=True) for members in own
    )
    return stack(
        [
            lay_out(rows, own, height=height, width=widest)
            for rows, own in zip(parts, bins, strict=True)
        ]
    )


def stack(batches: Sequence[Batch]) -> Batch:
    columns = zip(*(one._parts() for one in batches), strict=True)
    return Batch(*(torch.cat(column) for column in columns))


class _Line:
    """Rows in an order in which those that begin alike are neighbours."""

    def __init__(self, rows: Sequence[Tokens]) -> None:
        self._order = sorted(range(len(rows)), key=lambda one: rows[one].ids.tobytes())
        self._lengths = [len(rows[index]) for index in self._order]
        self._shared = [0, *(_shared(rows[a], rows[b]) for a, b in pairwise(self._order))]

    def cut(self, width: int) -> Bins:
        """Into pieces of at most that width; a row that is longer is one by itself."""
        bins: Bins = []
        closed = opened = count = common = 0
        for index, length, shared in zip(self._order, self._lengths, self._shared, strict=True):
            joined = min(common, shared) if count > 1 else shared
            if shared:
                wide = closed + opened + length - joined * count
            else:
                wide = closed + opened - common * max(0, count - 1) + length
            if not bins or wide > width:
                bins.append([index])
                closed, opened, count, common = 0, length, 1, 0
                continue
            bins[-1].append(index)
            if shared:
                opened, count, common = opened + length, count + 1, joined
            else:
                closed += opened - common * max(0, count - 1)
                opened, count, common = length, 1, 0
        return bins

    def evenly(self, count: int) -> Bins:
        """Into at most so many pieces, the widest of them as narrow as can be."""
        low, high = max(self._lengths), sum(self._lengths)
        while low < high:
            middle = (low + high) // 2
            if len(self.cut(middle)) <= count:
                high = middle
            else:
                low = middle + 1
        return self.cut(low)


@dataclass(frozen=True, slots=True)
class _Piece:
    """A segment: `parent` is the number of the one it goes on from, 0 for none."""

    start: int
    position: int
    parent: int
    ids: np.ndarray
    mask: np.ndarray


def _pieces(rows: Sequence[Tokens], members: Sequence[int]) -> Iterator[_Piece]:
    start = segment = 0
    for run in _runs(rows, members):
        parent = 0
        if run.shared:
            first = rows[run.members[0]]
            yield _Piece(start, 0, 0, first.ids[: run.shared], first.mask[: run.shared])
            start += run.shared
            segment += 1
            parent = segment
        for index in run.members:
            ids, mask = rows[index].ids[run.shared :], rows[index].mask[run.shared :]
            yield _Piece(start, run.shared, parent, ids, mask)
            start += len(ids)
            segment += 1


def _runs(rows: Sequence[Tokens], members: Sequence[int]) -> list[_Run]:
    runs: list[_Run] = []
    for index in members:
        shared = _shared(rows[runs[-1].members[-1]], rows[index]) if runs else 0
        if not shared:
            runs.append(_Run([index], 0))
            continue
        last = runs[-1]
        common = min(last.shared, shared) if len(last.members) > 1 else shared
        runs[-1] = _Run([*last.members, index], common)
    return runs


def _shared(one: Tokens, other: Tokens) -> int:
    """How many tokens both begin with, short of the last before either's answer."""
    limit = min(_first_label(one), _first_label(other)) - 1
    if limit < SHORTEST_SHARED:
        return 0
    differing = np.flatnonzero(one.ids[:limit] != other.ids[:limit])
    shared = int(differing[0]) if len(differing) else limit
    return shared if shared >= SHORTEST_SHARED else 0


def _first_label(row: Tokens) -> int:
    return int(row.mask.argmax()) if row.mask.any() else len(row)
