"""Writes REPORT.md from the run directories: our figures beside the seed's, and what is missing.

A config without a run directory was not run, and the report says so.
"""

from collections.abc import Iterator
from pathlib import Path

from service.engine.catalog import read_catalog
from service.engine.files.atomic_write import write_whole
from training.errors import TrainingError
from training.report.evaluation_sections import evaluations, exports, heads
from training.report.recorded_runs import RecordedRuns, Run, read_runs
from training.report.served_models import served
from training.report.training_sections import overview, seed_experiments, sweeps

PACKAGE = Path(__file__).resolve().parents[1]
OUTPUT = PACKAGE / "REPORT.md"
MODELS = PACKAGE.parent / "models"
CONFIGS = PACKAGE / "configs"


def report(
    runs: Path, output: Path = OUTPUT, *, models: Path = MODELS, configs: Path = CONFIGS
) -> Path:
    """Writes the report and copies the plots beside it.

    Raises:
        TrainingError: the folder of runs does not exist, or one of its files cannot be read.
        ConfigurationError: the catalog in `models` cannot be read.
    """
    if not runs.is_dir():
        raise TrainingError(
            f"{runs} is not a folder. Train something first, or name the folder of the runs."
        )
    found = read_runs(runs)
    path = models / "catalog.toml"
    catalog = read_catalog(path) if path.exists() else None
    lines = [
        "# Training report",
        "",
        "This report is written by `ideapool-train report` from the run directories.",
        "",
        *served(found, catalog, configs),
        *overview(found),
        *seed_experiments(found),
        *sweeps(found, output.parent),
        *exports(found),
        *evaluations(found),
        *heads(models),
        *_missing(found, configs),
    ]
    write_whole(output, "\n".join(lines).rstrip() + "\n")
    return output


def _missing(found: RecordedRuns, configs: Path) -> Iterator[str]:
    yield "## What failed or was not run"
    yield ""
    there = {run.name for run in found.runs} | set(found.sweeps)
    listed = [
        f"The config `{path.stem}` was not run."
        for path in sorted(configs.rglob("*.toml"), key=lambda one: one.stem)
        if path.stem not in there
    ]
    listed += [line for run in found.every_run for line in _shortfalls(run)]
    yield from (f"- {line}" for line in listed or ["Every config was run and finished."])


def _shortfalls(run: Run) -> Iterator[str]:
    name, status = run.name, run.status
    if status == "pruned":
        yield f"`{name}` was stopped early, because other trials were better at that step."
    elif run.manifest is not None and status != "finished":
        yield f"`{name}` has not finished: its status is {status}."
    if run.parity is not None:
        refused = (one.in_words() for one in run.parity.refused)
        for problem in (*run.parity.problems(), *refused):
            yield f"An export of `{name}` was refused: {problem}."
    if run.evaluation is not None:
        for reason in run.evaluation["not_measured"]:
            yield f"`{name}` was not measured for {reason}."
        if not run.holds_out:
            yield f"`{name}` was not measured for forgetting: no source is `held_out`."
