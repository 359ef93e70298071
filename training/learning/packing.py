"""Rows laid end to end in bins of one width, each blind to the others. Knows no model.

Neighbours that begin alike share their beginning, as in a tree: all rows of a task its instructions,
those about one topic that, too. A model reads it once, and since nothing in it sees what follows,
every row has the same loss as alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from training.learning.tokens import Tokens

IGNORED = -100
ATTENTION_WIDTH = 4096
"""Where attention takes about as long as the rest of a layer, in models of 0.1 to 2 B parameters."""
MOST_SPLITS = 4
"""How many more bins than the fewest are tried."""
Bins = list[list[int]]


@dataclass(frozen=True, slots=True)
class Batch:
    """All of shape bins × width. `labels` are the ids to be learnt, elsewhere `IGNORED`.

    A token is seen by itself and by those after it in its bin that are before the column `seen_to`.
    """

    input_ids: torch.Tensor
    position_ids: torch.Tensor
    labels: torch.Tensor
    seen_to: torch.Tensor

    def to(self, device: torch.device) -> "Batch":
        tensors = (self.input_ids, self.position_ids, self.labels, self.seen_to)
        return Batch(*(one.to(device) for one in tensors))

    def sees(self) -> torch.Tensor:
        """bins × 1 × width × width: whether the token of the row sees that of the column."""
        columns = torch.arange(self.seen_to.shape[1], device=self.seen_to.device)
        return torch.tril(columns[:, None] < self.seen_to[:, None, :])[:, None]


def fill_bins(rows: Sequence[Tokens], width: int) -> Bins:
    """Neighbours begin alike; what is longer than `width` has a bin of its own."""
    return _SortedRows(rows).cut(width) if rows else []


def choose_bins(rows: Sequence[Tokens], width: int | None) -> Bins:
    """As many bins of at most that width, about equally full, as cost least.

    Without a width each row has a bin, and all are padded to the longest.
    """
    if width is None:
        return [[index] for index in range(len(rows))]
    line = _SortedRows(rows)
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
    chosen = [rows[index] for index in members]
    return sum(map(len, chosen)) - sum(_shared(one, next_) for one, next_ in pairwise(chosen))


def tokens_in(rows: Sequence[Tokens], width: int | None) -> int:
    """How many a model reads of rows in bins of that width; padding is none of them."""
    return sum(width_of(rows, members) for members in choose_bins(rows, width))


def lay_out(rows: Sequence[Tokens], bins: Bins) -> Batch:
    """The rows of each bin as one row of the batch, padded to the widest bin."""
    widths = [width_of(rows, members) for members in bins]
    shape = (len(bins), max(widths))
    batch = Batch(
        torch.zeros(shape, dtype=torch.long),
        # What is left of a bin goes on for itself, and nothing looks at it.
        torch.arange(shape[1]).repeat(shape[0], 1),
        torch.full(shape, IGNORED),
        torch.full(shape, shape[1]),
    )
    for number, members in enumerate(bins):
        _lay_out_bin(batch, number, [rows[index] for index in members])
        batch.position_ids[number, widths[number] :] -= widths[number]
    return batch


def _lay_out_bin(batch: Batch, number: int, rows: Sequence[Tokens]) -> None:
    start = 0
    # The columns of the last row's tokens, shared ones included.
    path: NDArray[np.int64] = np.zeros(0, np.int64)
    for row, before in zip(rows, [None, *rows], strict=False):
        shared = _shared(before, row) if before is not None else 0
        ids = torch.from_numpy(row.ids[shared:].astype(np.int64))
        place = (number, slice(start, start + len(ids)))
        batch.input_ids[place] = ids
        batch.position_ids[place] = torch.arange(shared, len(row))
        learnt = torch.from_numpy(row.mask[shared:])
        batch.labels[place] = ids.masked_fill(~learnt, IGNORED)
        batch.seen_to[number, torch.from_numpy(path[shared:])] = start
        path = np.concatenate([path[:shared], np.arange(start, start + len(ids))])
        start += len(ids)
    batch.seen_to[number, torch.from_numpy(path)] = start


class _SortedRows:
    """Rows in an order in which those that begin alike are neighbours."""

    def __init__(self, rows: Sequence[Tokens]) -> None:
        self._order = sorted(range(len(rows)), key=lambda one: rows[one].ids.tobytes())
        self._lengths = [len(rows[index]) for index in self._order]
        self._shared = [0, *(_shared(rows[a], rows[b]) for a, b in pairwise(self._order))]

    def cut(self, width: int) -> Bins:
        """Into pieces of at most that width; a row that is longer is one by itself."""
        bins: Bins = []
        wide = 0
        for index, length, shared in zip(self._order, self._lengths, self._shared, strict=True):
            wide += length - shared
            if not bins or wide > width:
                bins.append([])
                wide = length
            bins[-1].append(index)
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


def _shared(one: Tokens, other: Tokens) -> int:
    """How many tokens both begin with, short of the last before either's answer."""
    limit = max(0, min(_first_label(one), _first_label(other)) - 1)
    differing = np.flatnonzero(one.ids[:limit] != other.ids[:limit])
    return int(differing[0]) if len(differing) else limit


def _first_label(row: Tokens) -> int:
    return int(row.mask.argmax()) if row.mask.any() else len(row)
