"""The parts of a report on the runs, the seed's experiments and the sweeps."""

import shutil
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from training.evaluation.evaluation_text import Values, number, percent, table
from training.export.cards import in_words
from training.learning.metrics import read_metrics
from training.report.recorded_runs import RecordedRuns, Run

SEED = Path(__file__).resolve().parents[1] / "datasets" / "seed_results.toml"
PLOTS = "plots"
"""The folder beside the report that its pictures are copied to."""
BEST = 10


def overview(found: RecordedRuns) -> Iterator[str]:
    yield "## Runs"
    yield ""
    if not found.runs:
        yield "No run was made outside a sweep."
        yield ""
        return
    rows = []
    for run in found.runs:
        result = run.result or {}
        rows.append(
            (
                run.name,
                run.status,
                run.base,
                f"{result.get('rows', {}).get('train', '–')}",
                number(result.get("base_test_nll"), 4),
                number(result.get("test_nll"), 4),
                _change(result.get("base_test_nll"), result.get("test_nll")),
                number(result.get("test_bits_per_byte"), 4),
                number(result.get("tokens_per_s"), 0),
                number(result.get("peak_memory_mb"), 0),
                number(result.get("seconds"), 0),
            )
        )
    yield from table(
        ("run", "status", "base", "rows", "test NLL, base", "tuned", "change", "bits per byte",
         "tokens/s", "peak MB", "seconds"),
        rows,
    )  # fmt: skip
    for run in found.runs:
        if (preferred := (run.result or {}).get("preferred")) is not None:
            yield f"`{run.name}`: {in_words(preferred)}"
            yield ""


def seed_experiments(found: RecordedRuns) -> Iterator[str]:
    seed = tomllib.loads(SEED.read_text("utf-8"))
    yield "## The seed's experiments"
    yield ""
    yield (
        "The seed's figures are on the left, ours on the right if the config was run. Losses are in nats "
        "per token and depend on the tokenizer and the rows. With another base or other data, only the "
        "order of the settings and the relative changes can be compared."
    )
    yield ""
    rows, curves = [], []
    for one in seed["run"]:
        ours = _ours(found, one)
        rows.append(
            (
                one["title"],
                one["base"],
                number((one.get("validation") or [None])[-1], 4),
                number((one.get("test") or [None])[-1], 4),
                *ours,
            )
        )
        run = found.run(one["config"])
        if run is not None and "validation" in one:
            curves += list(_curve(seed["steps"], one, run))
    yield from table(
        ("setting", "seed's base", "seed, validation", "seed, test", "our base", "our data",
         "ours, validation", "ours, test"),
        rows,
    )  # fmt: skip
    yield from curves


def _ours(found: RecordedRuns, seed: Values) -> tuple[str, str, str, str]:
    """Our base, data, validation loss and test loss for a run of the seed."""
    run = found.run(seed["config"])
    if run is not None and run.result is not None:
        result = run.result
        return (
            run.base,
            run.data,
            number(result["validation_nll"], 4),
            number(result["test_nll"], 4),
        )
    sweep = found.sweeps.get(seed["config"])
    if sweep is None or sweep.ranking is None:
        return "not run", "", "", ""
    for setting in sweep.ranking["settings"]:
        if all(setting["values"].get(key) == value for key, value in seed["values"].items()):
            validation, test = setting["validation_nll"], setting["test_nll"]
            return sweep.runs[0].base, sweep.runs[0].data, _spread(validation), _spread(test)
    return "not run", "", "", ""


def _curve(steps: Sequence[int], seed: Values, run: Run) -> Iterator[str]:
    ours = {one.step: one.validation_nll for one in read_metrics(run.rundir)}
    yield f"Validation loss by step, {seed['title']}:"
    yield ""
    yield from table(
        ("step", "seed", "ours"),
        [
            (str(step), number(value, 4), number(ours.get(step), 4))
            for step, value in zip(steps, seed["validation"], strict=True)
        ],
    )


def sweeps(found: RecordedRuns, folder: Path) -> Iterator[str]:
    yield "## Sweeps"
    yield ""
    if not found.sweeps:
        yield "No sweep was run."
        yield ""
    for name, sweep in found.sweeps.items():
        yield f"### {name}"
        yield ""
        if sweep.ranking is None:
            yield f"The sweep is not finished: it has {len(sweep.runs)} runs and no ranking."
            yield ""
            continue
        settings = sweep.ranking["settings"]
        where = f" on {sweep.runs[0].base} with {sweep.runs[0].data}" if sweep.runs else ""
        yield f"{len(settings)} settings{where}. ± is the standard deviation over seeds."
        yield ""
        yield from table(
            ("rank", "setting", "seeds", "validation NLL", "test NLL", "bits per byte", "tokens/s"),
            [_setting(one) for one in settings[:BEST]],
        )
        gain = sweep.ranking.get("gain")
        if gain is not None:
            yield gain["in_words"]
            yield ""
        plot = sweep.path / "sweep.png"
        if plot.exists():
            (folder / PLOTS).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(plot, folder / PLOTS / f"{name}.png")
            yield f"![Curves of {name}]({PLOTS}/{name}.png)"
            yield ""


def _setting(one: Values) -> tuple[str, ...]:
    return (
        str(one["rank"] or "–"),
        ", ".join(f"{key.rpartition('.')[2]} {value}" for key, value in one["values"].items()),
        str(one["seeds"]),
        _spread(one["validation_nll"]),
        _spread(one["test_nll"]),
        _spread(one["test_bits_per_byte"]),
        number(one["tokens_per_s"], 0),
    )


def _spread(one: Mapping[str, Any] | None) -> str:
    if one is None:
        return "–"
    spread = f" ± {one['deviation']:.4f}" if one["deviation"] else ""
    return f"{one['mean']:.4f}{spread}"


def _change(base: float | None, tuned: float | None) -> str:
    return percent(None if base is None or tuned is None else tuned / base - 1)
