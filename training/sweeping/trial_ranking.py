"""Ranks the trials of a sweep and writes them as a table and a plot. Trains nothing."""

import csv
import io
import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from training.learning.curves import draw_curves
from training.learning.metrics import read_metrics
from training.learning.result import TrainResult
from training.runs.run_directory import RunDirectory

MOST_CURVES = 12
NOTE = (
    "Ranked by bits per byte on the validation rows, so that bases with different tokenizers can be "
    "compared. The test rows were not used for the ranking. ± is the standard deviation over seeds."
)


@dataclass(frozen=True, slots=True)
class Trial:
    """One setting: a result for each seed, or none if it was pruned."""

    number: int
    values: Mapping[str, Any]
    results: tuple[TrainResult, ...]

    @property
    def name(self) -> str:
        return ", ".join(f"{key.rpartition('.')[2]} {one}" for key, one in self.values.items())


@dataclass(frozen=True, slots=True)
class Spread:
    mean: float
    deviation: float

    def __str__(self) -> str:
        return f"{self.mean:.4f} ± {self.deviation:.4f}" if self.deviation else f"{self.mean:.4f}"


@dataclass(frozen=True, slots=True)
class Ranked:
    """`rank` 1 is the best; None for a setting that was pruned or has no finite result."""

    rank: int | None
    number: int
    values: Mapping[str, Any]
    seeds: int
    validation_bits_per_byte: Spread | None
    validation_nll: Spread | None
    test_nll: Spread | None
    test_bits_per_byte: Spread | None
    tokens_per_s: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Gain:
    """The relative change of the test NLL from the config's `own` values to the best setting.

    The 95 % interval is over rows and seeds.
    """

    own: str
    change: float
    low: float
    high: float
    rows: int
    seeds: int

    def in_words(self) -> str:
        value, low, high = (f"{100 * one:+.1f} %" for one in (self.change, self.low, self.high))
        return (
            f"The test NLL of the best setting against the config's own ({self.own}): {value} "
            f"[{low}, {high}], over {self.rows} rows and {self.seeds} seeds."
        )


def rank(trials: Sequence[Trial]) -> tuple[Ranked, ...]:
    summed = [_summed(trial) for trial in trials]
    summed.sort(key=lambda one: (not _has_number(one), _key(one), one["number"]))
    return tuple(
        Ranked(place if _has_number(one) else None, **one)
        for place, one in enumerate(summed, start=1)
    )


def write_ranking(
    folder: RunDirectory,
    name: str,
    ranked: Sequence[Ranked],
    trials: Mapping[str, RunDirectory],
    gain: Gain | None,
) -> None:
    """Writes sweep.json, .csv and .md, and the curves of the best settings as sweep.png.

    `trials` maps the name of each setting to the run directory of one seed, the best first.
    """
    gain_text = gain.in_words() if gain is not None else None
    folder.write_json(
        folder.path / "sweep.json",
        {
            "name": name,
            "settings": [asdict(one) for one in ranked],
            "gain": None if gain is None else asdict(gain) | {"in_words": gain_text},
        },
    )
    rows = [_columns(one) for one in ranked]
    text = io.StringIO()
    table = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    folder.write_text(folder.path / "sweep.csv", text.getvalue())
    below = f"\n{gain_text}\n" if gain_text else ""
    text_of_all = f"# {name}\n\n{NOTE}\n\n{as_table(ranked)}{below}"
    folder.write_text(folder.path / "sweep.md", text_of_all)
    curves = {name: read_metrics(rundir) for name, rundir in list(trials.items())[:MOST_CURVES]}
    draw_curves(folder.path / "sweep.png", curves)


def as_table(ranked: Sequence[Ranked]) -> str:
    rows = [_columns(one) for one in ranked]
    if not rows:
        return "No setting was tried.\n"
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def _columns(one: Ranked) -> dict[str, Any]:
    def cell(spread: Spread | None) -> str:
        return str(spread) if spread is not None else "–"

    return {
        "rank": one.rank if one.rank is not None else "–",
        "trial": one.number,
        **{key: value if isinstance(value, str) else json.dumps(value)
           for key, value in one.values.items()},
        "seeds": one.seeds,
        "validation bits/byte": cell(one.validation_bits_per_byte),
        "validation NLL": cell(one.validation_nll),
        "test NLL": cell(one.test_nll),
        "tokens/s": round(one.tokens_per_s),
        "seconds": round(one.seconds),
    }  # fmt: skip


def _summed(trial: Trial) -> dict[str, Any]:
    results = trial.results
    return {
        "number": trial.number,
        "values": dict(trial.values),
        "seeds": len(results),
        "validation_bits_per_byte": _spread([one.validation_bits_per_byte for one in results]),
        "validation_nll": _spread([one.validation_nll for one in results]),
        "test_nll": _spread([one.test_nll for one in results]),
        "test_bits_per_byte": _spread([one.test_bits_per_byte for one in results]),
        "tokens_per_s": statistics.fmean([one.tokens_per_s for one in results] or [0.0]),
        "seconds": sum(one.seconds for one in results),
    }


def _spread(values: Sequence[float | None]) -> Spread | None:
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not known or len(known) < len(values):
        return None
    deviation = statistics.stdev(known) if len(known) > 1 else 0.0
    return Spread(statistics.fmean(known), deviation)


def _key(summed: Mapping[str, Any]) -> float:
    spread = summed["validation_bits_per_byte"]
    return spread.mean if spread is not None else math.inf


def _has_number(summed: Mapping[str, Any]) -> bool:
    return math.isfinite(_key(summed))
