"""Reads the run directories of a folder for the report. Writes nothing."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.errors import TrainingError
from training.evaluation.evaluation_text import Values
from training.export.parity import Parity, read_parity
from training.runs.run_directory import Manifest, RunDirectory


@dataclass(frozen=True, slots=True)
class Run:
    """A run directory. `manifest` is None if nothing was trained, `result` if the run did not finish.

    `evaluation` and `parity` are None if the run was not evaluated or not exported.
    """

    rundir: RunDirectory
    manifest: Manifest | None
    config: Values
    result: Values | None
    evaluation: Values | None
    parity: Parity | None

    @property
    def name(self) -> str:
        return self.rundir.path.name

    @property
    def status(self) -> str:
        return "only evaluated" if self.manifest is None else self.manifest.status

    @property
    def base(self) -> str:
        base = self.config.get("base", {})
        named = base.get("model") or base.get("hf") or base.get("gguf") or "?"
        return Path(str(named)).name

    @property
    def data(self) -> str:
        """The names of the sources."""
        return ", ".join(
            dict.fromkeys(
                Path(one.get("hub") or one.get("path", "?")).name for one in self._sources
            )
        )

    @property
    def holds_out(self) -> bool:
        """Whether a source is held out, which shows what a model forgets."""
        return any(one.get("held_out") for one in self._sources)

    @property
    def _sources(self) -> Sequence[Values]:
        sources: Sequence[Values] = self.config.get("data", {}).get("sources", ())
        return sources


@dataclass(frozen=True, slots=True)
class Sweep:
    """`ranking` has the values of sweep.json; None if the sweep is not finished."""

    path: Path
    ranking: Values | None
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class RecordedRuns:
    runs: tuple[Run, ...]
    sweeps: Mapping[str, Sweep]

    @property
    def every_run(self) -> tuple[Run, ...]:
        """The runs, those of sweeps included."""
        return (*self.runs, *(run for sweep in self.sweeps.values() for run in sweep.runs))

    @property
    def evaluated(self) -> Iterator[tuple[Run, Values]]:
        """The evaluated runs with their evaluations."""
        return ((one, one.evaluation) for one in self.every_run if one.evaluation is not None)

    def run(self, name: str) -> Run | None:
        return next((one for one in self.runs if one.name == name), None)


def read_runs(folder: Path) -> RecordedRuns:
    """Raises `TrainingError` if a file of a run cannot be read."""
    runs: list[Run] = []
    sweeps: dict[str, Sweep] = {}
    for path in sorted(one for one in folder.iterdir() if one.is_dir()):
        run = _read_run(path)
        if run is not None:
            runs.append(run)
            continue
        trials = [_read_run(one) for one in sorted(path.iterdir()) if one.is_dir()]
        inner = tuple(one for one in trials if one is not None)
        ranking = path / "sweep.json"
        if inner or ranking.exists():
            ranked = RunDirectory(path).read_json(ranking) if ranking.exists() else None
            sweeps[path.name] = Sweep(path, ranked, inner)
    return RecordedRuns(tuple(runs), sweeps)


def _read_run(path: Path) -> Run | None:
    rundir = RunDirectory(path)
    manifest = rundir.read_manifest()
    if manifest is None and not rundir.evaluation_json.exists():
        return None
    made_with = rundir.evaluated_with if manifest is None else rundir.config
    config = read_toml(made_with) if made_with.exists() else {}
    result, evaluation = (
        rundir.read_json(file) if file.exists() else None
        for file in (rundir.result, rundir.evaluation_json)
    )
    parity = read_parity(rundir) if rundir.parity.exists() else None
    return Run(rundir, manifest, config, result, evaluation, parity)


def read_toml(path: Path) -> Values:
    """Raises `TrainingError` if the file is missing or not TOML."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise TrainingError(f"Cannot read {path}: {error.strerror}.") from error
    except ValueError as error:
        raise TrainingError(f"{path} is not TOML: {error}.") from error
