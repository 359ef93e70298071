import csv
import json
import math
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import Trainer, TrainingArguments

from tests.training.conftest import MakeConfig, config_maker, quiet
from training.config import Optimizer, RunConfig
from training.data.prepare import read_prepared
from training.data.split import SPLITS
from training.errors import BaseMismatch, TrainingError
from training.learning import trainer
from training.learning.base import Base
from training.learning.likelihood import Nll, answer_nll, total
from training.learning.metrics import StepMetrics, read_metrics
from training.learning.packing import IGNORED, Batch
from training.learning.result import TrainResult, read_result
from training.learning.schedule import plan
from training.learning.train import TrainingInputs, learn, load_inputs, open_base, train
from training.learning.trainer import Job, Objective
from training.runs.run_directory import RunDirectory

pytestmark = pytest.mark.slow


class Interrupted(BaseException):
    """Stops a run."""


def run(config: RunConfig, name: str = "", **options: Any) -> tuple[RunDirectory, TrainResult]:
    rundir = RunDirectory(config.output / (name or config.name))
    return rundir, train(config, rundir, report=quiet, **options)


def opened(config: RunConfig, rundir: RunDirectory) -> tuple[Base, TrainingInputs]:
    base = open_base(config, quiet)
    return base, load_inputs(config, rundir, base, report=quiet)


def figures(rundir: RunDirectory) -> list[StepMetrics]:
    """The metrics without those that depend on the machine."""
    return [
        replace(one, seconds=None, tokens_per_s=None, peak_memory_mb=None)
        for one in read_metrics(rundir)
    ]


def losses(rundir: RunDirectory) -> list[float]:
    return [
        value
        for one in read_metrics(rundir)
        for value in (one.loss, one.validation_nll)
        if value is not None
    ]


def adapter(folder: Path) -> dict[str, Any]:
    return dict(load_file(folder / "adapter_model.safetensors"))


def is_same(first: dict[str, Any], second: dict[str, Any]) -> bool:
    return first.keys() == second.keys() and all(
        bool((first[key] == second[key]).all()) for key in first
    )


@pytest.fixture(scope="module")
def plain_run(
    tmp_path_factory: pytest.TempPathFactory, tiny_base: Path, ideation_records: Path
) -> tuple[RunDirectory, TrainResult]:
    """A run of the unchanged config, for tests that only read it."""
    return run(config_maker(tmp_path_factory.mktemp("plain"), tiny_base, ideation_records)())


def test_a_run_records_its_inputs_and_its_result(
    plain_run: tuple[RunDirectory, TrainResult],
) -> None:
    rundir, result = plain_run
    assert result == read_result(rundir)
    assert result.test_nll is not None
    assert result.base_test_nll is not None
    assert result.test_nll < result.base_test_nll
    assert result.steps == 6
    assert sum(task["rows"] for task in result.tasks.values()) == result.rows["test"]
    assert result.adapter_bytes < 100_000
    manifest = rundir.read_manifest()
    assert manifest is not None
    assert manifest.status == "finished"
    assert set(manifest.data_sha256) == {"train", "validation", "test"}
    assert manifest.versions.keys() >= {"torch", "peft", "trl"}
    assert "⟦Title: " in (rundir.data / "report.md").read_text(encoding="utf-8")
    assert rundir.curves.read_bytes().startswith(b"\x89PNG")
    with rundir.metrics_csv.open(encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == len(read_metrics(rundir))
    steps = [one.step for one in read_metrics(rundir) if one.validation_nll is not None]
    assert steps == [2, 4, 6]


def test_a_result_counts_rows_that_were_cut_or_left_out(tiny_config: MakeConfig) -> None:
    rundir, result = run(tiny_config(data__max_tokens=256))

    prepared = read_prepared(rundir)
    assert result == read_result(rundir)
    assert result.too_long["train"].left_out > 0
    assert result.too_long["train"].cut > 0
    for split in SPLITS:
        assert result.rows[split] + result.too_long[split].left_out == len(prepared.split(split))


def test_a_resumed_run_ends_like_one_that_was_not_stopped(tiny_config: MakeConfig) -> None:
    config = tiny_config(lora__dropout=0.1, training__patience=3)
    straight, expected = run(config, "straight")
    killed = RunDirectory(config.output / "killed")

    def kill(step: int, _: float) -> None:
        if step == 4:
            raise Interrupted

    base, ready = opened(config, killed)
    with pytest.raises(Interrupted):
        learn(Job(config, base, ready.splits, killed, quiet, kill), ready)
    _, result = run(config, "killed", resume=True)
    assert figures(killed) == figures(straight)
    assert is_same(adapter(killed.adapter), adapter(straight.adapter))
    assert result.test_nll == expected.test_nll
    assert run(config, "killed", resume=True)[1] == result


def test_the_best_step_is_kept_and_patience_ends_the_run(
    tiny_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    validations = iter([3.0, 2.0, 2.5, 2.2, 1.0])
    monkeypatch.setattr(trainer, "total", lambda _: Nll(1, next(validations), 1.0))
    config = tiny_config(training__patience=2, training__eval_steps=1)
    rundir, result = run(config)
    assert (result.steps, result.best_step, result.validation_nll) == (4, 2, 2.0)
    best, last = (adapter(rundir.checkpoints / f"checkpoint-{step}") for step in (2, 4))
    assert is_same(adapter(rundir.adapter), best)
    assert not is_same(best, last)


def test_the_saved_adapter_has_the_measured_losses(
    tiny_config: MakeConfig, plain_run: tuple[RunDirectory, TrainResult]
) -> None:
    config = tiny_config()
    rundir, result = plain_run
    base, ready = opened(config, RunDirectory(config.output / "again"))
    tuned = PeftModel.from_pretrained(base.model, str(rundir.adapter))
    validation = total(answer_nll(tuned, ready.splits.validation)).nll_per_token
    test = total(answer_nll(tuned, ready.splits.test)).nll_per_token
    assert validation == pytest.approx(result.validation_nll, rel=1e-6)
    assert test == pytest.approx(result.test_nll, rel=1e-6)


def test_training_changes_only_the_adapter(tiny_config: MakeConfig) -> None:
    config = tiny_config()
    rundir = RunDirectory(config.output / "one")
    base, ready = opened(config, rundir)
    before = {name: one.clone() for name, one in base.model.state_dict().items()}
    learn(Job(config, base, ready.splits, rundir, quiet), ready)
    after = {
        name.replace("base_layer.", ""): one
        for name, one in base.model.state_dict().items()
        if "lora_" not in name
    }
    assert is_same(before, after)
    learnt = adapter(rundir.adapter)
    assert all("lora_" in name for name in learnt)
    assert len({name.split(".lora_")[0] for name in learnt}) == 2 * 7
    assert all(bool(one.any()) for one in learnt.values())


def test_last_layers_adapts_only_the_last_layers(tiny_config: MakeConfig) -> None:
    rundir, _ = run(tiny_config(lora__last_layers=1, training__max_steps=2))
    layers = {name.split(".lora_")[0] for name in adapter(rundir.adapter)}
    assert len(layers) == 7
    assert all(".layers.1." in name for name in layers)


@pytest.mark.parametrize("name", get_args(Optimizer))
def test_every_allowed_optimizer_takes_a_step(name: str, tmp_path: Path) -> None:
    args = TrainingArguments(output_dir=str(tmp_path), optim=name, use_cpu=True)
    kind, settings = Trainer.get_optimizer_cls_and_kwargs(args)
    weights = torch.nn.Parameter(torch.ones(2, 2))
    weights.grad = torch.ones(2, 2)

    kind([weights], **settings).step()

    assert bool((weights < 1).all())


def test_packing_changes_no_loss(
    tiny_config: MakeConfig, plain_run: tuple[RunDirectory, TrainResult]
) -> None:
    assert tiny_config().training.packing
    packed, _ = plain_run
    padded, _ = run(tiny_config(training__packing=False), "padded")
    assert losses(packed) == pytest.approx(losses(padded), rel=1e-5)


def test_the_token_count_is_what_the_model_reads(tiny_config: MakeConfig) -> None:
    counted = {}
    for packing in (True, False):
        config = tiny_config(
            f"packing-{packing}", training__packing=packing, training__accumulation=2
        )
        rundir = RunDirectory(config.output / config.name)
        base, ready = opened(config, rundir)
        job = Job(config, base, ready.splits, rundir, quiet)
        result = learn(job, ready)
        objective = Objective(job)
        schedule = plan(objective.groups, config.training, config.seed)

        read = sum(
            tokens_read(objective.lay_out(batch))
            for number in range(schedule.steps)
            for batch in schedule.batches_of(number)
        )
        last = read_metrics(rundir)[-1]
        assert result.tokens == last.tokens == read
        assert result.tokens_per_s == pytest.approx(read / result.seconds, abs=0.1)
        counted[packing] = read
    assert counted[True] < counted[False]


def tokens_read(inputs: dict[str, torch.Tensor]) -> int:
    """The number of positions that learnt tokens see."""
    batch = Batch(**inputs)
    learnt = (batch.labels != IGNORED)[:, None, :, None]
    return int((batch.attention_mask() & learnt).any(2).sum())


def test_half_precision_trains_a_float32_adapter(tiny_config: MakeConfig) -> None:
    rundir, result = run(tiny_config("half", base__dtype="bfloat16", training__bf16=True))
    full, _ = run(tiny_config("full", training__bf16=False, training__max_steps=1))

    found, exact = losses(rundir), losses(full)[0]
    manifest = rundir.read_manifest()
    assert manifest is not None
    assert (manifest.status, result.steps) == ("finished", 6)
    assert all(map(math.isfinite, found))
    assert found[0] == pytest.approx(exact, rel=0.01)
    assert found[0] != pytest.approx(exact, rel=1e-6)
    assert result.test_nll is not None
    assert result.base_test_nll is not None
    assert result.test_nll < 0.99 * result.base_test_nll
    assert {one.dtype for one in adapter(rundir.adapter).values()} == {torch.float32}


def test_accumulation_gives_the_losses_of_one_batch(
    tiny_config: MakeConfig, plain_run: tuple[RunDirectory, TrainResult]
) -> None:
    assert tiny_config().training.batch_size == 4
    whole, _ = plain_run
    parts, _ = run(tiny_config(training__batch_size=1, training__accumulation=4), "parts")
    assert losses(whole) == pytest.approx(losses(parts), rel=1e-5)


def test_a_run_directory_holds_one_run(tiny_config: MakeConfig) -> None:
    config = tiny_config(training__max_steps=1)
    rundir, _ = run(config)
    with pytest.raises(TrainingError, match="a run that is finished"):
        run(config)
    with pytest.raises(TrainingError, match=r"another config: lora\.r, training\.max_steps differ"):
        run(tiny_config(lora__r=8), resume=True)
    manifest = rundir.read_manifest()
    assert manifest is not None
    rundir.result.unlink()
    rundir.write_manifest(replace(manifest, base_sha256="0" * 64))
    with pytest.raises(BaseMismatch, match="was begun on the base 0000"):
        run(config, resume=True)
    rundir.write_manifest(manifest)
    lines = rundir.rows("train").read_text(encoding="utf-8").splitlines(keepends=True)
    rundir.rows("train").write_text("".join(lines[1:]), encoding="utf-8")
    with pytest.raises(TrainingError, match="have changed since the run began"):
        run(config, resume=True)


def test_without_validation_rows_the_last_step_is_kept(tiny_config: MakeConfig) -> None:
    config = tiny_config(data__validation_share=0.0, data__test_share=0.0, training__max_steps=2)
    rundir, result = run(config)
    assert (result.best_step, result.validation_nll, result.test_nll) == (2, None, None)
    assert adapter(rundir.adapter)
    assert json.loads(rundir.result.read_text(encoding="utf-8"))["rows"]["test"] == 0


def test_every_epoch_has_every_row_once_in_a_new_order(tiny_config: MakeConfig) -> None:
    settings = tiny_config(training__epochs=2.5, training__warmup_steps=0.1).training
    settings = settings.model_copy(update={"max_steps": None})
    schedule = plan(["group"] * 10, settings, seed=1)
    first, second, rest = schedule.order[:10], schedule.order[10:20], schedule.order[20:]
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second
    assert len(rest) == 5
    assert (schedule.steps, schedule.warmup_steps, schedule.epoch_at(7)) == (7, 1, 2.5)
    assert schedule == plan(["group"] * 10, settings, seed=1)
    assert schedule != plan(["group"] * 10, settings, seed=2)


def test_groups_together_puts_the_rows_of_a_group_next_to_each_other(
    tiny_config: MakeConfig,
) -> None:
    settings = tiny_config(training__epochs=2, training__groups_together=True).training
    settings = settings.model_copy(update={"max_steps": None})
    groups = list("abcab" * 3)
    order = plan(groups, settings, seed=1).order
    first, second = order[:15], order[15:]
    assert sorted(first) == sorted(second) == list(range(15))
    assert first != second
    assert all(len(list(rows)) > 1 for _, rows in groupby(first, key=lambda row: groups[row]))
    assert len(list(groupby(first, key=lambda row: groups[row]))) == 3
