"""Finds the best run of a sweep and its gain over the config's own values."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.config import RunConfig
from training.errors import TrainingError
from training.evaluation.statistics import change_over_seeds
from training.learning.result import TrainResult, read_result
from training.runs.provenance import recorded_config
from training.runs.run_directory import RunDirectory
from training.sweeping.trial_ranking import Gain, Ranked, Trial


def choose_best_run(config: RunConfig, folder: Path) -> tuple[RunConfig, RunDirectory]:
    """The run of the best setting with its best seed, under the name of the config.

    Raises:
        TrainingError: the sweep is not finished, or no setting has a result.
    """
    ranking = folder / "sweep.json"
    if not ranking.exists():
        raise TrainingError(f"{folder} has no ranking. Finish the sweep first.")
    settings = RunDirectory(folder).read_json(ranking)["settings"]
    best = next((one for one in settings if one["rank"] == 1), None)
    if best is None:
        raise TrainingError(f"No setting of {folder} has a result.")
    rundirs = map(RunDirectory, sorted(folder.glob(f"{config.name}-{best['number']:02}-seed-*")))
    results = {one: read_result(one) for one in rundirs if one.result.exists()}
    chosen = min(results, key=lambda one: _bits_per_byte(results[one]))
    return recorded_config(config, chosen), chosen


def gain_of(
    config: RunConfig,
    trials: Sequence[Trial],
    ranked: Sequence[Ranked],
    rundirs_of: Callable[[int], Sequence[RunDirectory]],
) -> Gain | None:
    """The gain of the best setting over the config's own values.

    None if the config's own values were not tried, or are the best.
    """
    given = config.model_dump(mode="json")
    best = next((one for one in ranked if one.rank == 1), None)
    if best is None:
        return None
    own_values = {key: _at(given, key) for key in best.values}
    own = next((one for one in trials if _same(one.values, own_values)), None)
    if own is None or own.number == best.number:
        return None
    before, after = (_test_nll(rundirs_of(number)) for number in (own.number, best.number))
    if before.size == 0 or before.shape != after.shape:
        return None
    change = change_over_seeds(before, after)
    seeds, rows = before.shape
    return Gain(own.name, change.value, change.low, change.high, rows=rows, seeds=seeds)


def _bits_per_byte(result: TrainResult) -> float:
    value = result.validation_bits_per_byte
    return math.inf if value is None else value


def _test_nll(rundirs: Sequence[RunDirectory]) -> NDArray[np.float64]:
    """Shape runs × test rows; empty if a run has no test rows."""
    if not all(one.test_nll.exists() for one in rundirs):
        return np.empty((0, 0))
    return np.array(
        [[own for _, own, _ in one.read_json(one.test_nll).values()] for one in rundirs]
    )


def _at(values: Any, key: str) -> Any:
    for part in key.split("."):
        values = values[int(part)] if isinstance(values, list) else values.get(part)
    return values


def _same(values: Mapping[str, Any], others: Mapping[str, Any]) -> bool:
    """Compares by value: a sweep may have 16 where the config has 16.0."""
    mine, theirs = (json.loads(json.dumps(dict(one))) for one in (values, others))
    return bool(mine == theirs)
