from typing import Any

import pytest
import torch

from tests.training.conftest import MakeConfig, quiet
from tests.training.test_train import Interrupted, adapter, losses, opened
from training.config import RunConfig
from training.errors import Report, TrainingError
from training.learning import stacked
from training.learning.likelihood import Nll
from training.learning.train import learn
from training.learning.trainer import Job
from training.runs.run_directory import RunDirectory

pytestmark = pytest.mark.slow

SETTINGS: tuple[dict[str, Any], ...] = (
    {},
    {"training__learning_rate": 3e-3, "lora__r": 2, "training__weight_decay": 0.1},
    {"lora__alpha": 32, "lora__rslora": True, "seed": 3},
)


def trained(*configs: RunConfig, at_once: bool) -> list[tuple[RunDirectory, Any]]:
    """With another base each time they are not trained at once, as each leaves its adapter in it."""
    folder = "stacked" if at_once else "alone"
    found: list[tuple[RunDirectory, Any]] = []
    for group in [configs] if at_once else [(one,) for one in configs]:
        rundirs = [RunDirectory(one.output / folder / one.name) for one in group]
        base, ready = opened(group[0], rundirs[0])
        jobs = [
            Job(config, base, ready.splits, rundir, quiet)
            for config, rundir in zip(group, rundirs, strict=True)
        ]
        found += zip(rundirs, learn(jobs, ready), strict=True)
    return found


def test_adapters_trained_at_once_are_those_that_peft_trains_alone(
    tiny_config: MakeConfig,
) -> None:
    configs = [
        tiny_config(
            f"setting-{number}", training__batch_size=2, training__accumulation=2, **changes
        )
        for number, changes in enumerate(SETTINGS)
    ]
    together, alone = trained(*configs, at_once=True), trained(*configs, at_once=False)
    for (rundir, result), (expected_dir, expected) in zip(together, alone, strict=True):
        assert losses(rundir) == pytest.approx(losses(expected_dir), rel=1e-5)
        assert result.test_nll == pytest.approx(expected.test_nll, rel=1e-5)
        assert (result.tokens, result.steps) == (expected.tokens, expected.steps)
        ours, theirs = adapter(rundir.adapter), adapter(expected_dir.adapter)
        assert ours.keys() == theirs.keys()
        for name, weights in ours.items():
            torch.testing.assert_close(weights, theirs[name], rtol=1e-3, atol=1e-4)


def test_each_adapter_keeps_its_own_best_step(
    tiny_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    common = {"training__patience": 1, "training__eval_steps": 1, "training__scheduler": "constant"}
    configs = [tiny_config("calm", **common), tiny_config("wild", **common, seed=1)]
    # In turns; the second adapter gets worse at the third step and is not asked any more.
    validations = iter([6.0, 6.0, 5.0, 5.0, 4.0, 5.5, 3.0, 1.0, 2.0, 1.0, 1.5, 1.0])
    monkeypatch.setattr(stacked, "total", lambda _: Nll(1, next(validations), 1.0))
    calm, wild = trained(*configs, at_once=True)
    assert (calm[1].steps, calm[1].best_step) == (6, 6)
    assert (wild[1].steps, wild[1].best_step, wild[1].validation_nll) == (3, 2, 5.0)
    monkeypatch.undo()
    short = tiny_config("short", **common, seed=1, training__max_steps=2)
    expected = trained(short, at_once=False)[0][0]
    for name, weights in adapter(expected.adapter).items():
        torch.testing.assert_close(adapter(wild[0].adapter)[name], weights, rtol=1e-3, atol=1e-4)


def test_a_stack_that_is_taken_up_again_ends_as_if_it_had_not_been_stopped(
    tiny_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stacked, "KEEP_AFTER_S", 0.0)
    configs = [
        tiny_config(name, **changes, lora__dropout=0.1, training__eval_steps=2)
        for name, changes in (("one", {}), ("two", {"seed": 1, "training__learning_rate": 3e-3}))
    ]
    straight = trained(*configs, at_once=True)

    def stop(line: str) -> None:
        if line.startswith("two: step 5/"):
            raise Interrupted

    rundirs = [RunDirectory(one.output / "stopped" / one.name) for one in configs]

    def learnt(report: Report, *, resume: bool) -> list[Any]:
        base, ready = opened(configs[0], rundirs[0])
        jobs = [
            Job(config, base, ready.splits, rundir, report)
            for config, rundir in zip(configs, rundirs, strict=True)
        ]
        return list(learn(jobs, ready, resume=resume))

    with pytest.raises(Interrupted):
        learnt(stop, resume=False)
    told: list[str] = []
    results = learnt(told.append, resume=True)

    assert "Going on after step 4 of 6" in told
    for rundir, found, (expected_dir, expected) in zip(rundirs, results, straight, strict=True):
        assert found.test_nll == expected.test_nll
        assert losses(rundir) == losses(expected_dir)
        ours, theirs = adapter(rundir.adapter), adapter(expected_dir.adapter)
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert not list(rundirs[0].checkpoints.iterdir())


def test_the_base_is_as_before_when_the_stack_is_out(tiny_config: MakeConfig) -> None:
    config = tiny_config(training__trainer="stacked", training__max_steps=1)
    rundir = RunDirectory(config.output / "one")
    base, ready = opened(config, rundir)
    before = {name: one.clone() for name, one in base.model.state_dict().items()}
    learn([Job(config, base, ready.splits, rundir, quiet)], ready)
    after = base.model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_settings_that_need_other_batches_are_not_trained_at_once(tiny_config: MakeConfig) -> None:
    with pytest.raises(TrainingError, match="may differ in rate and rank only"):
        trained(tiny_config("a"), tiny_config("b", training__batch_size=2), at_once=True)
