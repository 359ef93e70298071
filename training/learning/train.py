"""Runs one training from a config to an adapter, and records its inputs and its result.

The adapter is written to the run's directory in PEFT's format. Nothing here knows GGUF.
"""

import importlib.metadata
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from service.settings import Settings
from training.config import RunConfig, dump_config
from training.data.prepare import Prepared, prepare, read_prepared
from training.errors import BaseMismatch, Report, TrainingError
from training.learning.base import Base, load_base
from training.learning.curves import NLL, draw_curves
from training.learning.likelihood import BaseLikelihood, RowNll, answer_nll
from training.learning.metrics import MetricsLog
from training.learning.preference import preference_objective
from training.learning.result import TooLong, TrainResult, in_words, read_result, result_of
from training.learning.tokens import RowTokeniser, Tokenised, mark_learnt, tokenise_all
from training.learning.trainer import Fitted, Job, Objective, Splits, fit, last_checkpoint
from training.runs.provenance import check_same
from training.runs.run_directory import Manifest, RunDirectory, Status, now

PACKAGES = ("torch", "transformers", "peft", "trl", "accelerate", "datasets", "llama-cpp-python")


@dataclass(frozen=True, slots=True)
class TrainingInputs:
    """`base_test` is the NLL of every test row under the untuned base; `too_long` is by split."""

    prepared: Prepared
    splits: Splits
    base_sha256: str
    base_test: tuple[RowNll, ...]
    too_long: Mapping[str, TooLong]


def train(
    config: RunConfig, rundir: RunDirectory, *, resume: bool = False, report: Report
) -> TrainResult:
    """Trains and writes the result. With `resume`, a stopped run ends as if it had not stopped.

    Raises:
        TrainingError: the directory has a run already, or a run of another config.
        DataProblem: the data cannot be used.
        BaseMismatch: the base has another hash than the config names.
    """
    done = check_free(config, rundir, resume=resume)
    if done is not None:
        report(f"{rundir.path} is already finished")
        return done
    base = open_base(config, report)
    ready = load_inputs(config, rundir, base, resume=resume, report=report)
    return learn(Job(config, base, ready.splits, rundir, report), ready, resume=resume)


def open_base(config: RunConfig, report: Report) -> Base:
    """Loads the base, unpacking it in the data folder. Raises `BaseMismatch` or `ModelUnavailable`."""
    settings = Settings()
    cache = settings.data_dir.absolute() / "training" / "bases"
    models = settings.models_dir.absolute()
    return load_base(config.base, cache=cache, models_dir=models, report=report)


def prepare_data(config: RunConfig, rundir: RunDirectory, base: Base, report: Report) -> Prepared:
    """Prepares the rows with the base's tokenizer and likelihoods. Raises `DataProblem`."""
    limit = config.data.max_tokens
    tokeniser = RowTokeniser(base.tokenizer, limit)
    return prepare(
        config,
        rundir,
        report=report,
        likelihood=BaseLikelihood(base.model, base.tokenizer, limit, report),
        show=lambda row: mark_learnt(tokeniser.cut(row)[0], base.tokenizer),
    )


def check_no_run(rundir: RunDirectory) -> None:
    """Raises `TrainingError` if a run has begun, because it would not have learnt the new rows."""
    manifest = rundir.read_manifest()
    if manifest is not None:
        raise TrainingError(
            f"{rundir.path} has the rows of a run that is {manifest.status}. Move it away, or give "
            "this run another name."
        )


def check_free(config: RunConfig, rundir: RunDirectory, *, resume: bool) -> TrainResult | None:
    """The result if the same run is already finished, else None.

    Raises:
        TrainingError: there is a run and `resume` is False, or it has another config.
    """
    manifest = rundir.read_manifest()
    if manifest is None:
        return None
    if not resume:
        raise TrainingError(
            f"{rundir.path} has a run that is {manifest.status}. Use --resume to continue it, or "
            "move it away, or give this run another name."
        )
    check_same(config, rundir)
    return read_result(rundir) if rundir.result.exists() else None


def load_inputs(
    config: RunConfig,
    rundir: RunDirectory,
    base: Base,
    *,
    resume: bool = False,
    prepared: Prepared | None = None,
    report: Report,
) -> TrainingInputs:
    """The tokenised rows, and the NLL of the test rows under the base.

    `prepared` has the rows if another run has prepared the same data.

    Raises:
        DataProblem: the data cannot be used.
        TrainingError: the base or the data differ from those of the run to resume.
    """
    before = rundir.read_manifest() if resume else None
    if before is not None and before.base_sha256 not in (None, base.sha256):
        raise BaseMismatch(
            f"{rundir.path} was begun on the base {before.base_sha256}, but this one is {base.sha256}."
        )
    if before is not None and rundir.rows("train").exists():
        prepared = _rows_before(rundir, before)
    prepared = prepared or prepare_data(config, rundir, base, report)
    found = {
        name: _tokens_of(name, rows, base, config.data.max_tokens, report)
        for name, rows in (
            ("train", prepared.train),
            ("validation", prepared.validation),
            ("test", prepared.test),
        )
    }
    splits = Splits(**{name: one.tokens for name, one in found.items()})
    too_long = {name: TooLong(len(one.cut), len(one.left_out)) for name, one in found.items()}
    report("Measuring the base on the test rows")
    base_test = tuple(answer_nll(base.model, splits.test))
    return TrainingInputs(prepared, splits, base.sha256, base_test, too_long)


def _rows_before(rundir: RunDirectory, before: Manifest) -> Prepared:
    prepared = read_prepared(rundir)
    if before.data_sha256 not in ({}, prepared.sha256):
        raise TrainingError(f"The rows in {rundir.data} have changed since the run began.")
    return prepared


def learn(job: Job, ready: TrainingInputs, *, resume: bool = False) -> TrainResult:
    """With `resume`, continues from the newest checkpoint."""
    _begin(job, ready)
    try:
        checkpoint = last_checkpoint(job.rundir.checkpoints) if resume else None
        prefers = job.config.training.objective == "preferences"
        objective = preference_objective(job) if prefers else Objective(job)
        fitted = fit(objective, checkpoint=checkpoint)
    except BaseException:
        set_status(job.rundir, "failed")
        raise
    return _finish(job, ready, fitted)


def _tokens_of(
    name: str, rows: Sequence[Any], base: Base, max_tokens: int, report: Report
) -> Tokenised:
    found = tokenise_all(rows, base.tokenizer, max_tokens)
    if found.cut or found.left_out:
        report(
            f"{name}: the limit of {max_tokens} tokens cut {len(found.cut)} answers; "
            f"{len(found.left_out)} rows were left out, because their prompts fill it"
        )
    return found


def _begin(job: Job, ready: TrainingInputs) -> None:
    rundir = job.rundir
    before = rundir.read_manifest()
    rundir.create()
    rundir.write_text(rundir.config, dump_config(job.config))
    rundir.write_manifest(
        Manifest(
            job.config.name,
            "running",
            before.started_at if before is not None else now(),
            base_sha256=ready.base_sha256,
            data_sha256=ready.prepared.sha256,
            versions={name: importlib.metadata.version(name) for name in PACKAGES},
            command=("ideapool-train", *sys.argv[1:]),
        )
    )


def set_status(rundir: RunDirectory, status: Status) -> None:
    """Records how the run has ended."""
    manifest = rundir.read_manifest()
    if manifest is not None:
        rundir.write_manifest(replace(manifest, status=status, finished_at=now()))


def _finish(job: Job, ready: TrainingInputs, fitted: Fitted) -> TrainResult:
    rundir = job.rundir
    result = result_of(job, fitted, ready.base_test, ready.too_long)
    rows = zip(ready.splits.test, ready.base_test, fitted.test, strict=True)
    rundir.write_json(
        rundir.test_nll, {row.row: [base.nll, own.nll, own.tokens] for row, base, own in rows}
    )
    rundir.write_json(rundir.result, asdict(result))
    MetricsLog(rundir, fitted.measured).write_table()
    loss = "preference loss" if result.preferred is not None else NLL
    draw_curves(rundir.curves, {job.config.name: fitted.measured}, loss=loss)
    set_status(rundir, "finished")
    job.report(in_words(result))
    return result
