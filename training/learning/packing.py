"""Packs rows into bins of one width so that no row sees another. Knows no model.

Neighbours that begin with the same tokens share them, as in a prefix tree: all rows of a task share
its instructions, and rows about one topic share the topic as well. The model reads a shared
beginning once. No token sees what follows it, so every row has the same loss as on its own.
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
"""The width at which attention takes as long as the rest of a layer (0.1 to 2 B parameters)."""
MOST_SPLITS = 4
"""The number of bins to try beyond the fewest possible."""
Bins = list[list[int]]


@dataclass(frozen=True, slots=True)
class Batch:
    """Tensors of shape bins × width. `labels` has the ids to learn, and `IGNORED` elsewhere.

    A token is seen by itself and by later tokens of its bin up to, but not at, column `seen_to`.
    """

    input_ids: torch.Tensor
    position_ids: torch.Tensor
    labels: torch.Tensor
    seen_to: torch.Tensor

    def to(self, device: torch.device) -> "Batch":
        tensors = (self.input_ids, self.position_ids, self.labels, self.seen_to)
        return Batch(*(one.to(device) for one in tensors))

    def attention_mask(self) -> torch.Tensor:
        """Shape bins × 1 × width × width: whether the token of a row sees that of a column."""
        columns = torch.arange(self.seen_to.shape[1], device=self.seen_to.device)
        return torch.tril(columns[:, None] < self.seen_to[:, None, :])[:, None]


def fill_bins(rows: Sequence[Tokens], width: int) -> Bins:
    """Packs rows that begin alike next to each other. A row longer than `width` gets its own bin."""
    return _SortedRows(rows).cut(width) if rows else []


def choose_bins(rows: Sequence[Tokens], width: int | None) -> Bins:
    """Chooses the number of bins that costs least; they are about equally full.

    Without a width every row gets its own bin, which is padded to the longest row.
    """
    if width is None:
        return [[index] for index in range(len(rows))]
    line = _SortedRows(rows)
    few = len(line.cut(width))
    choices = [
        line.cut_evenly(count) for count in range(few, min(len(rows), few + MOST_SPLITS) + 1)
    ]
    longest = max(map(len, rows))

    def cost(bins: Bins) -> tuple[bool, float]:
        widest = max(width_of(rows, members) for members in bins)
        area = len(bins) * widest * (1 + widest / ATTENTION_WIDTH)
        return widest > max(width, longest), area

    return min(choices, key=cost)


def width_of(rows: Sequence[Tokens], members: Sequence[int]) -> int:
    """The number of tokens in a bin with these rows."""
    chosen = [rows[index] for index in members]
    return sum(map(len, chosen)) - sum(_shared(one, next_) for one, next_ in pairwise(chosen))


def tokens_in(rows: Sequence[Tokens], width: int | None) -> int:
    """The number of tokens that a model reads of these rows, without padding."""
    return sum(width_of(rows, members) for members in choose_bins(rows, width))


def lay_out(rows: Sequence[Tokens], bins: Bins) -> Batch:
    """Makes a batch with one row for each bin, padded to the widest bin."""
    widths = [width_of(rows, members) for members in bins]
    shape = (len(bins), max(widths))
    batch = Batch(
        torch.zeros(shape, dtype=torch.long),
        # Padding gets positions of its own; no learnt token sees it.
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
    # The columns of the tokens of the previous row, shared ones included.
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
    """Rows sorted so that those that begin alike are neighbours."""

    def __init__(self, rows: Sequence[Tokens]) -> None:
        self._order = sorted(range(len(rows)), key=lambda one: rows[one].ids.tobytes())
        self._lengths = [len(rows[index]) for index in self._order]
        self._shared = [0, *(_shared(rows[a], rows[b]) for a, b in pairwise(self._order))]

    def cut(self, width: int) -> Bins:
        """Cuts the rows into bins of at most that width; a longer row gets its own bin."""
        bins: Bins = []
        wide = 0
        for index, length, shared in zip(self._order, self._lengths, self._shared, strict=True):
            wide += length - shared
            if not bins or wide > width:
                bins.append([])
                wide = length
            bins[-1].append(index)
        return bins

    def cut_evenly(self, count: int) -> Bins:
        """Cuts the rows into at most `count` bins; the widest is as narrow as possible."""
        low, high = max(self._lengths), sum(self._lengths)
        while low < high:
            middle = (low + high) // 2
            if len(self.cut(middle)) <= count:
                high = middle
            else:
                low = middle + 1
        return self.cut(low)


def _shared(one: Tokens, other: Tokens) -> int:
    """The number of tokens that both rows begin with.

    It ends before the last token of either prompt, because that one predicts the answer.
    """
    limit = max(0, min(_first_label(one), _first_label(other)) - 1)
    differing = np.flatnonzero(one.ids[:limit] != other.ids[:limit])
    return int(differing[0]) if len(differing) else limit


def _first_label(row: Tokens) -> int:
    return int(row.mask.argmax()) if row.mask.any() else len(row)
