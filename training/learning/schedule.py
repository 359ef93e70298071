"""Which rows make up which step, for every trainer the same. Knows neither rows nor models."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from training.config import TrainConfig


@dataclass(frozen=True, slots=True)
class Schedule:
    """`order` names the rows one after another, over all epochs; a step takes `rows_per_step`.

    Where preferences are learnt, a row is a prompt with all of its drafts.
    """

    order: tuple[int, ...]
    rows_per_step: int
    steps: int
    warmup_steps: int
    epoch_rows: int

    def rows_of(self, step: int) -> tuple[int, ...]:
        """The rows of a step, counted from 0."""
        return self.order[step * self.rows_per_step : (step + 1) * self.rows_per_step]

    def epoch_at(self, step: int) -> float:
        return round(min(step * self.rows_per_step, len(self.order)) / self.epoch_rows, 4)


def plan(groups: Sequence[str], config: TrainConfig, seed: int, *, processes: int = 1) -> Schedule:
    """Every epoch is shuffled anew; `max_steps` only ever shortens a run.

    Several processes have equal parts of every step, so the last one is filled up with more rows.
    `groups` has the group of every row.
    """
    rows = len(groups)
    generator = torch.Generator().manual_seed(seed)
    order: list[int] = []
    wanted = max(1, round(config.epochs * rows))
    per_step = config.batch_size * config.accumulation * processes
    steps = math.ceil(wanted / per_step)
    if processes > 1:
        wanted = steps * per_step
    while len(order) < wanted:
        epoch = torch.randperm(rows, generator=generator).tolist()
        order += _together(epoch, groups) if config.groups_together else epoch
    if config.max_steps is not None:
        steps = min(steps, config.max_steps)
    order = order[: min(wanted, steps * per_step)]
    warmup = config.warmup_steps
    if warmup < 1:
        warmup = math.ceil(warmup * steps)
    return Schedule(tuple(order), per_step, steps, int(min(warmup, steps)), rows)


def _together(order: Sequence[int], groups: Sequence[str]) -> list[int]:
    """Each group where the first of its rows is."""
    members: dict[str, list[int]] = {}
    for index in order:
        members.setdefault(groups[index], []).append(index)
    return [index for group in members.values() for index in group]
