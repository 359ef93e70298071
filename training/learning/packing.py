"""Rows laid end to end in bins of one width, each blind to the others. Knows no model.

transformers keeps rows of a bin apart where positions start again at 0, as long as it is given no
attention mask and no cache.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from training.learning.tokens import Tokens

IGNORED = -100
ATTENTION_WIDTH = 4096
"""Where attention takes about as long as the rest of a layer, in models of 0.1 to 2 B parameters."""
Bins = list[list[int]]


@dataclass(frozen=True, slots=True)
class Batch:
    """All of shape bins × width. `labels` are the ids to be learnt, elsewhere `IGNORED`."""

    input_ids: torch.Tensor
    position_ids: torch.Tensor
    labels: torch.Tensor

    def to(self, device: torch.device) -> "Batch":
        return Batch(
            self.input_ids.to(device), self.position_ids.to(device), self.labels.to(device)
        )


def fill_bins(lengths: Sequence[int], width: int) -> Bins:
    """Best fit, the longest first; what is longer than `width` has a bin of its own."""
    bins: Bins = []
    room: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda one: (-lengths[one], one)):
        fits = [number for number, free in enumerate(room) if free >= lengths[index]]
        if fits:
            chosen = min(fits, key=lambda number: (room[number], number))
        else:
            chosen = len(bins)
            bins.append([])
            room.append(width)
        bins[chosen].append(index)
        room[chosen] -= lengths[index]
    return bins


def lay_out(
    rows: Sequence[Tokens], bins: Bins, *, height: int | None = None, width: int | None = None
) -> Batch:
    """`height` and `width` ask for more bins or a greater width than the rows need."""
    widths = [sum(len(rows[index]) for index in one) for one in bins]
    shape = (max(height or 0, len(bins)), max(width or 0, *widths))
    ids = torch.zeros(shape, dtype=torch.long)
    # What is left of a bin is a row of its own, so that nothing looks at it.
    positions = torch.arange(shape[1]).repeat(shape[0], 1)
    labels = torch.full(shape, IGNORED)
    for number, members in enumerate(bins):
        start = 0
        for index in members:
            row = rows[index]
            end = start + len(row)
            ids[number, start:end] = torch.from_numpy(row.ids)
            positions[number, start:end] = torch.arange(len(row))
            mask = torch.from_numpy(row.mask)
            labels[number, start:end] = ids[number, start:end].masked_fill(~mask, IGNORED)
            start = end
        positions[number, start:] -= start
    return Batch(ids, positions, labels)


def choose_bins(rows: Sequence[Tokens], width: int | None) -> Bins:
    """As many bins of at most that width, equally full, as cost least.

    Without a width each row has a bin, and all are padded to the longest.
    """
    lengths = [len(row) for row in rows]
    if width is None:
        return [[index] for index in range(len(rows))]
    few = min(len(rows), math.ceil(sum(lengths) / width))
    choices = [_balanced(lengths, count) for count in range(few, len(rows) + 1)]
    return min(choices, key=lambda bins: _cost(lengths, bins, width))


def _balanced(lengths: Sequence[int], count: int) -> Bins:
    """The longest first, each where there is least."""
    bins: Bins = [[] for _ in range(count)]
    filled = [0] * count
    for index in sorted(range(len(lengths)), key=lambda one: (-lengths[one], one)):
        emptiest = filled.index(min(filled))
        bins[emptiest].append(index)
        filled[emptiest] += lengths[index]
    return bins


def _cost(lengths: Sequence[int], bins: Bins, width: int) -> tuple[bool, float]:
    widest = max(sum(lengths[index] for index in members) for members in bins)
    return widest > max(width, *lengths), len(bins) * widest * (1 + widest / ATTENTION_WIDTH)


def lay_out_parts(parts: Sequence[Sequence[Tokens]], width: int | None) -> Batch:
    """One part below the other, all of them filled up to as many bins of one width."""
    bins = [choose_bins(rows, width) for rows in parts]
    height = max(map(len, bins))
    widest = max(
        sum(len(rows[index]) for index in members)
        for rows, own in zip(parts, bins, strict=True)
        for members in own
    )
    return stack(
        [
            lay_out(rows, own, height=height, width=widest)
            for rows, own in zip(parts, bins, strict=True)
        ]
    )


def stack(batches: Sequence[Batch]) -> Batch:
    return Batch(
        torch.cat([one.input_ids for one in batches]),
        torch.cat([one.position_ids for one in batches]),
        torch.cat([one.labels for one in batches]),
    )
