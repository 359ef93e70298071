"""REPORT.md from the run directories there are: our figures beside the seed's, and what is missing.

What has no run directory was not run, and the report says so.
"""

from collections.abc import Iterator
from pathlib import Path

from service.engine.catalog import read_catalog
from training.errors import TrainingError
from training.report.evaluation_sections import evaluations, exports, heads
from training.report.recorded_runs import RecordedRuns, Run, find
from training.report.served_models import served
from training.report.training_sections import overview, seed_experiments, sweeps
from training.runs.atomic_write import write_whole

PACKAGE = Path(__file__).resolve().parents[1]
OUTPUT = PACKAGE / "REPORT.md"
MODELS = PACKAGE.parent / "models"
CONFIGS = PACKAGE / "configs"


def report(
    runs: Path, output: Path = OUTPUT, *, models: Path = MODELS, configs: Path = CONFIGS
) -> Path:
    """Copies the plots beside the report.

    Raises:
        TrainingError: there are no runs, or one of their files cannot be read.
        ConfigurationError: the catalog in `models` cannot be read.
    """
    if not runs.is_dir():
        raise TrainingError(f"There is no folder {runs}. Train something first, or name its runs.")
    found = find(runs)
    path = models / "catalog.toml"
    catalog = read_catalog(path) if path.exists() else None
    lines = [
        "# Training report",
        "",
        "Written by `ideapool-train report` from the run directories; nothing in it is by hand.",
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
    yield from (f"- {line}" for line in listed or ["Everything was run and has ended well."])


def _shortfalls(run: Run) -> Iterator[str]:
    name, status = run.name, run.status
    if status == "pruned":
        yield f"`{name}` was stopped early, as others were better at that step."
    elif run.manifest is not None and status != "finished":
        yield f"`{name}` is {status}, not finished."
    if run.parity is not None:
        refused = (one.in_words() for one in run.parity.refused)
        for problem in (*run.parity.problems(), *refused):
            yield f"An export of `{name}` was refused: {problem}."
    if run.evaluation is not None:
        for reason in run.evaluation["not_measured"]:
            yield f"Not measured of `{name}`: {reason}."
        if not run.holds_out:
            yield f"Not measured of `{name}`: what it has forgotten: no source is `held_out`."
