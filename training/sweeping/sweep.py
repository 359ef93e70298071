"""Trains many settings on the same rows, each with several seeds, and ranks them.

Every setting and seed has a run directory in the folder of the sweep.
"""

import gc
import itertools
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
import torch
from optuna.storages.journal import JournalFileBackend

from training.config import Range, RunConfig, SweepConfig, dump_config, read_config, with_values
from training.data.prepare import Prepared, read_prepared
from training.errors import ConfigProblems, Report, TrainingError
from training.learning.callbacks import Watch
from training.learning.result import TrainResult
from training.learning.train import (
    TrainingInputs,
    check_free,
    learn,
    load_inputs,
    open_base,
    set_status,
)
from training.learning.trainer import Job
from training.runs.provenance import MADE_WITH, check_same
from training.runs.run_directory import RunDirectory
from training.sweeping.best_run import gain_of
from training.sweeping.trial_ranking import Ranked, Trial, rank, write_ranking

STUDY = "study.log"
FIXED_PARTS = (*MADE_WITH, "sweep.kind", "sweep.space")
"""The parts that may not change when a sweep is resumed; it may have more trials and other seeds."""
Setting = tuple[int, Mapping[str, Any]]


def sweep(
    config: RunConfig, folder: Path, *, resume: bool = False, report: Report
) -> tuple[Ranked, ...]:
    """Writes sweep.json, .csv, .md and .png to the folder. With `resume`, trains only what is missing.

    Raises:
        ConfigProblems: the config has no sweep.
        TrainingError: the folder has a sweep already, or a sweep of another config.
    """
    if config.sweep is None:
        raise ConfigProblems(config.name, ["sweep: is missing; a sweep needs a `[sweep]` table"])
    whole = RunDirectory(folder)
    if folder.exists() and any(folder.iterdir()) and not resume:
        raise TrainingError(
            f"{folder} has a sweep already. Use --resume to continue it, or move it away."
        )
    check_same(config, whole, FIXED_PARTS)
    whole.create()
    whole.write_text(whole.config, dump_config(config))
    runs = _TrialRunner(config, config.sweep, folder, resume, report)
    trials = _grid(runs) if config.sweep.kind == "grid" else _optuna(runs)
    ranked = rank(trials)
    by_number = {trial.number: trial for trial in trials}
    first_seed = config.sweep.seeds[0]
    curves = {
        by_number[one.number].name: RunDirectory(folder / runs.name_of(one.number, first_seed))
        for one in ranked
        if one.rank is not None
    }
    gain = gain_of(config, trials, ranked, runs.rundirs_of)
    write_ranking(whole, config.name, ranked, curves, gain)
    if gain is not None:
        report(gain.in_words())
    report(f"See {folder / 'sweep.md'}")
    return ranked


@dataclass(frozen=True, slots=True)
class _TrialRunner:
    """Trains settings. Rows that several settings share are prepared and tokenised once."""

    config: RunConfig
    sweep: SweepConfig
    folder: Path
    resume: bool
    report: Report
    _ready: dict[str, tuple[TrainingInputs, RunDirectory]] = field(default_factory=dict)

    def name_of(self, number: int, seed: int) -> str:
        return f"{self.config.name}-{number:02}-seed-{seed}"

    def rundirs_of(self, number: int) -> list[RunDirectory]:
        """The run directories of a setting, one for each seed."""
        return [RunDirectory(self.folder / self.name_of(number, seed)) for seed in self.sweep.seeds]

    def config_of(self, setting: Setting, seed: int) -> RunConfig:
        number, values = setting
        changed = with_values(self.config, {**values, "seed": seed})
        name = self.name_of(number, seed)
        return changed.model_copy(update={"name": name, "output": self.folder, "sweep": None})

    def train(self, setting: Setting, watch: Watch | None = None) -> Trial:
        """`watch` follows the first seed."""
        number, values = setting
        configs = [self.config_of(setting, seed) for seed in self.sweep.seeds]
        results = [
            check_free(config, self._rundir(config), resume=self.resume)
            or self._learn(config, watch if config is configs[0] else None)
            for config in configs
        ]
        return Trial(number, values, tuple(results))

    def _learn(self, config: RunConfig, watch: Watch | None) -> TrainResult:
        # Otherwise the last base would stay in memory beside this one.
        gc.collect()
        torch.cuda.empty_cache()
        base = open_base(config, self.report)
        rundir = self._rundir(config)
        key = f"{config.base.model_dump_json()} {config.data.model_dump_json()}"
        if key not in self._ready:
            ready = load_inputs(
                config,
                rundir,
                base,
                resume=self.resume,
                prepared=self._prepared_before(config, rundir),
                report=self.report,
            )
            self._ready[key] = ready, rundir
        ready, first = self._ready[key]
        if rundir != first:
            shutil.copytree(first.data, rundir.data, dirs_exist_ok=True)
        job = Job(config, base, ready.splits, rundir, self.report, watch)
        return learn(job, ready, resume=self.resume)

    def _prepared_before(self, config: RunConfig, rundir: RunDirectory) -> Prepared | None:
        """The rows that another run of a resumed sweep has prepared.

        Filters that use the base take minutes, and may decide differently about a row at their limit.
        """
        for path in sorted(self.folder.glob("*/config.toml")) if self.resume else ():
            other = RunDirectory(path.parent)
            if other == rundir or not other.rows("train").exists():
                continue
            known = read_config(path)
            if (known.base, known.data) == (config.base, config.data):
                shutil.copytree(other.data, rundir.data, dirs_exist_ok=True)
                return read_prepared(rundir)
        return None

    def _rundir(self, config: RunConfig) -> RunDirectory:
        return RunDirectory(self.folder / config.name)


def _grid(runs: _TrialRunner) -> list[Trial]:
    space = {key: value for key, value in runs.sweep.space.items() if not isinstance(value, Range)}
    combinations = itertools.product(*space.values())
    settings = [(i, dict(zip(space, one, strict=True))) for i, one in enumerate(combinations)]
    runs.report(f"{len(settings)} settings × {len(runs.sweep.seeds)} seeds")
    return [runs.train(setting) for setting in settings]


def _optuna(runs: _TrialRunner) -> list[Trial]:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        study_name=runs.config.name,
        storage=optuna.storages.JournalStorage(JournalFileBackend(str(runs.folder / STUDY))),
        sampler=optuna.samplers.TPESampler(seed=runs.config.seed),
        pruner=optuna.pruners.MedianPruner() if runs.sweep.prunes else optuna.pruners.NopPruner(),
        load_if_exists=True,
    )
    found: list[Trial] = []
    for old in study.get_trials(states=(optuna.trial.TrialState.RUNNING,)):
        # The trial was interrupted; its values are tried again.
        study.enqueue_trial(old.params)
        study.tell(old.number, state=optuna.trial.TrialState.FAIL)
    for old in study.get_trials(states=(optuna.trial.TrialState.COMPLETE,)):
        found.append(runs.train((old.number, _decoded(old.params))))
    pruned = study.get_trials(states=(optuna.trial.TrialState.PRUNED,))
    found += [Trial(old.number, _decoded(old.params), ()) for old in pruned]
    while len(found) < runs.sweep.trials:
        found.append(_try_one(study, runs))
    return found


def _try_one(study: optuna.Study, runs: _TrialRunner) -> Trial:
    suggested = study.ask()
    number, values = suggested.number, _decoded(_values_of(suggested, runs.sweep))
    watch = _pruning(suggested) if runs.sweep.prunes else None
    try:
        trial = runs.train((number, values), watch)
    except optuna.TrialPruned:
        study.tell(suggested, state=optuna.trial.TrialState.PRUNED)
        rundir = RunDirectory(runs.folder / runs.name_of(number, runs.sweep.seeds[0]))
        set_status(rundir, "pruned")
        runs.report(f"Trial {number} was stopped because it is not promising")
        return Trial(number, values, ())
    value = rank([trial])[0].validation_bits_per_byte
    if value is None:
        study.tell(suggested, state=optuna.trial.TrialState.FAIL)
    else:
        study.tell(suggested, value.mean)
    return trial


def _values_of(trial: optuna.Trial, sweep: SweepConfig) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    for key, values in sweep.space.items():
        if not isinstance(values, Range):
            chosen[key] = trial.suggest_categorical(key, [json.dumps(one) for one in values])
        elif values.is_whole:
            chosen[key] = trial.suggest_int(key, int(values.low), int(values.high), log=values.log)
        else:
            chosen[key] = trial.suggest_float(key, values.low, values.high, log=values.log)
    return chosen


def _decoded(params: Mapping[str, Any]) -> dict[str, Any]:
    return {k: json.loads(one) if isinstance(one, str) else one for k, one in params.items()}


def _pruning(trial: optuna.Trial) -> Watch:
    def watch(step: int, nll: float) -> None:
        trial.report(nll, step)
        if trial.should_prune():
            raise optuna.TrialPruned

    return watch
