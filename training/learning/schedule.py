"""The order in which rows are learnt, and the rows of each step. Knows neither texts nor models."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from training.config import TrainConfig


@dataclass(frozen=True, slots=True)
class Schedule:
    """`order` has the rows of all epochs. A step takes `rows_per_step`, in batches of `rows_per_batch`.

    With preferences, a row stands for a prompt with all of its drafts.
    """

    order: tuple[int, ...]
    rows_per_step: int
    rows_per_batch: int
    steps: int
    warmup_steps: int
    epoch_rows: int

    def rows_of(self, step: int) -> tuple[int, ...]:
        """The rows of a step, counted from 0."""
        return self.order[step * self.rows_per_step : (step + 1) * self.rows_per_step]

    def batches_of(self, step: int) -> list[tuple[int, ...]]:
        """The rows of a step, divided into its batches."""
        rows, size = self.rows_of(step), self.rows_per_batch
        return [rows[start : start + size] for start in range(0, len(rows), size)]

    def epoch_at(self, step: int) -> float:
        return round(min(step * self.rows_per_step, len(self.order)) / self.epoch_rows, 4)


class TokenCount:
    """Counts the tokens read after each step, also those before a run was resumed."""

    def __init__(self, schedule: Schedule, tokens_of: Callable[[Sequence[int]], int]) -> None:
        """`tokens_of` counts the tokens of the rows of a batch."""
        self._schedule, self._tokens_of = schedule, tokens_of
        self._after = [0]

    def after(self, step: int) -> int:
        # Counted on demand: counting all batches of a large set takes minutes.
        while len(self._after) <= step:
            batches = self._schedule.batches_of(len(self._after) - 1)
            self._after.append(self._after[-1] + sum(map(self._tokens_of, batches)))
        return self._after[step]


def plan(groups: Sequence[str], config: TrainConfig, seed: int) -> Schedule:
    """Shuffles every epoch again. `groups` has the group of every row.

    `max_steps` only ever shortens a run.
    """
    rows = len(groups)
    generator = torch.Generator().manual_seed(seed)
    order: list[int] = []
    wanted = max(1, round(config.epochs * rows))
    per_step = config.batch_size * config.accumulation
    steps = math.ceil(wanted / per_step)
    while len(order) < wanted:
        epoch = torch.randperm(rows, generator=generator).tolist()
        order += _together(epoch, groups) if config.groups_together else epoch
    if config.max_steps is not None:
        steps = min(steps, config.max_steps)
    order = order[: min(wanted, steps * per_step)]
    warmup = config.warmup_steps
    if warmup < 1:
        warmup = math.ceil(warmup * steps)
    return Schedule(tuple(order), per_step, config.batch_size, steps, int(min(warmup, steps)), rows)


def _together(order: Sequence[int], groups: Sequence[str]) -> list[int]:
    """Moves the rows of a group to the place of its first row."""
    members: dict[str, list[int]] = {}
    for index in order:
        members.setdefault(groups[index], []).append(index)
    return [index for group in members.values() for index in group]
