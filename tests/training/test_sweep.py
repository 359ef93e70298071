import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.training.conftest import MakeConfig, quiet
from training.config import Range, RunConfig, SweepConfig, dump_config, read_config
from training.errors import ConfigProblems, TrainingError
from training.learning.metrics import read_metrics
from training.learning.result import TrainResult
from training.runs.run_directory import RunDirectory
from training.sweeping.best_run import choose_best_run, gain_of
from training.sweeping.sweep import sweep
from training.sweeping.trial_ranking import Trial, as_table, rank

pytestmark = pytest.mark.slow


def swept(config: RunConfig, **settings: Any) -> RunConfig:
    return config.model_copy(update={"sweep": SweepConfig(**settings)})


def result(nll: float, name: str = "one") -> TrainResult:
    return TrainResult(name, 6, 6, {}, nll, nll / 3, 9.0, 3.0, nll, nll / 3, 100, 1.0, 100.0, 1, 1)


def files(folder: Path) -> dict[str, int]:
    return {str(one): one.stat().st_mtime_ns for one in folder.glob("*/result.json")}


def test_a_grid_is_ranked_with_the_spread_of_its_seeds(tiny_config: MakeConfig) -> None:
    space = {"training.learning_rate": (1e-4, 1e-2), "lora.r": (2, 4)}
    config = swept(tiny_config(training__max_steps=3), space=space, seeds=(0, 1))
    folder = config.output / "sweep"
    ranked = sweep(config, folder, report=quiet)
    assert [one.rank for one in ranked] == [1, 2, 3, 4]
    assert {one.values["training.learning_rate"] for one in ranked[:2]} == {1e-2}
    assert all(one.seeds == 2 for one in ranked)
    assert ranked[0].validation_nll is not None
    assert ranked[0].validation_nll.deviation > 0
    for number in range(4):
        for seed in (0, 1):
            rundir = RunDirectory(folder / f"tiny-{number:02}-seed-{seed}")
            manifest = rundir.read_manifest()
            assert manifest is not None
            assert manifest.status == "finished"
            assert rundir.adapter.is_dir()
            assert rundir.curves.is_file()
            assert rundir.rows("test").is_file()
            own = read_config(rundir.config)
            assert (own.seed, own.output / own.name) == (seed, rundir.path)
    with (folder / "sweep.csv").open(encoding="utf-8") as file:
        assert [row["rank"] for row in csv.DictReader(file)] == ["1", "2", "3", "4"]
    assert (folder / "sweep.png").read_bytes().startswith(b"\x89PNG")
    assert "±" in (folder / "sweep.md").read_text(encoding="utf-8")
    best, rundir = choose_best_run(config, folder)
    assert rundir.path.name.startswith(f"tiny-{ranked[0].number:02}-seed-")
    assert (best.name, best.sweep, best.seed) == ("tiny", None, int(rundir.path.name[-1]))
    assert best.lora.r == ranked[0].values["lora.r"]


def test_a_resumed_sweep_trains_only_missing_runs(tiny_config: MakeConfig) -> None:
    space = {"training.learning_rate": (1e-3, 1e-2)}
    config = swept(tiny_config(training__max_steps=2), space=space)
    folder = config.output / "sweep"
    ranked = sweep(config, folder, report=quiet)
    with pytest.raises(TrainingError, match="has a sweep already"):
        sweep(config, folder, report=quiet)
    before = files(folder)
    gone = folder / "tiny-01-seed-0" / "result.json"
    gone.unlink()
    again = sweep(config, folder, resume=True, report=quiet)
    assert [one.test_nll for one in again] == [one.test_nll for one in ranked]
    after = files(folder)
    assert [name for name in after if after[name] != before[name]] == [str(gone)]


def test_a_resumed_sweep_reuses_the_rows_of_its_other_runs(tiny_config: MakeConfig) -> None:
    space = {"training.learning_rate": (1e-3, 1e-2)}
    config = swept(tiny_config(training__max_steps=1), space=space)
    folder = config.output / "sweep"
    sweep(config, folder, report=quiet)
    shutil.rmtree(folder / "tiny-01-seed-0")
    (folder / "tiny-00-seed-0" / "result.json").unlink()
    reported: list[str] = []

    sweep(config, folder, resume=True, report=reported.append)

    assert not any("train rows" in line for line in reported)
    assert (folder / "tiny-01-seed-0" / "data" / "test.jsonl").is_file()


@pytest.mark.parametrize(
    ("changes", "settings", "keys"),
    [
        ({"training__max_steps": 3}, {}, "training.max_steps"),
        ({}, {"space": {"lora.r": (2, 8)}}, "sweep.space.lora.r.1"),
        ({}, {"kind": "grid"}, "sweep.kind"),
    ],
)
def test_a_sweep_of_another_config_is_not_resumed(
    tiny_config: MakeConfig, tmp_path: Path, changes: Any, settings: Any, keys: str
) -> None:
    begun = {"kind": "optuna", "space": {"lora.r": (2, 4)}}
    whole = RunDirectory(tmp_path)
    text = dump_config(swept(tiny_config(), **begun))
    whole.write_text(whole.config, text)

    other = swept(tiny_config(**changes), **(begun | settings))

    with pytest.raises(TrainingError, match=f"with another config: {keys} differ"):
        sweep(other, tmp_path, resume=True, report=quiet)
    assert whole.config.read_text() == text


def measured(folder: Path, number: int, *nlls: float) -> None:
    for seed in (0, 1, 2):
        rundir = RunDirectory(folder / f"{number}-{seed}")
        rows = {str(row): [9.0, nll + seed / 10, 4] for row, nll in enumerate(nlls)}
        rundir.write_json(rundir.test_nll, rows)


def test_the_gain_of_the_best_setting_is_against_the_configs_own_values(
    tiny_config: MakeConfig, tmp_path: Path
) -> None:
    config = tiny_config(training__learning_rate=2e-4)
    trials = [
        Trial(number, {"training.learning_rate": rate}, (result(nll),) * 3)
        for number, rate, nll in ((0, 1e-4, 3.2), (1, 2e-4, 3.0), (2, 1e-3, 2.7))
    ]
    measured(tmp_path, 1, 10.0, 20.0, 30.0)
    measured(tmp_path, 2, 9.0, 18.0, 27.0)

    gain = gain_of(
        config,
        trials,
        rank(trials),
        lambda number: [RunDirectory(tmp_path / f"{number}-{seed}") for seed in (0, 1, 2)],
    )

    assert gain is not None
    assert (gain.own, gain.rows, gain.seeds) == ("learning_rate 0.0002", 3, 3)
    assert gain.change == pytest.approx(-0.1, abs=0.001)
    assert gain.low <= gain.change <= gain.high < 0
    assert "(learning_rate 0.0002): -10.0 % [" in gain.in_words()


def test_the_configs_own_values_are_found_as_int_or_float(
    tiny_config: MakeConfig, tmp_path: Path
) -> None:
    config = tiny_config(lora__alpha=16, lora__targets=("q_proj",))
    trials = [
        Trial(number, {"lora.alpha": alpha, "lora.targets": ("q_proj",)}, (result(nll),))
        for number, alpha, nll in ((0, 16, 3.0), (1, 32, 2.7))
    ]
    measured(tmp_path, 0, 10.0, 20.0)
    measured(tmp_path, 1, 9.0, 18.0)

    gain = gain_of(
        config, trials, rank(trials), lambda number: [RunDirectory(tmp_path / f"{number}-0")]
    )

    assert gain is not None
    assert gain.change == pytest.approx(-0.1, abs=0.001)


def test_there_is_no_gain_if_the_configs_own_values_are_best(tiny_config: MakeConfig) -> None:
    config = tiny_config(training__learning_rate=2e-4)
    trials = [Trial(0, {"training.learning_rate": 2e-4}, (result(3.0),))]

    assert gain_of(config, trials, rank(trials), lambda _: []) is None


def test_an_unfinished_sweep_has_no_best_run(tiny_config: MakeConfig, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="Finish the sweep first"):
        choose_best_run(tiny_config(), tmp_path)


def test_optuna_tries_the_given_values_and_can_be_resumed(tiny_config: MakeConfig) -> None:
    space = {
        "training.learning_rate": Range(low=1e-4, high=1e-2, log=True),
        "lora.r": Range(low=2, high=4),
        "lora.targets": ("all-linear", ("q_proj", "v_proj")),
    }
    config = tiny_config(training__max_steps=2)
    folder = config.output / "sweep"
    first = sweep(swept(config, kind="optuna", space=space, trials=1), folder, report=quiet)
    before = files(folder)
    both = sweep(
        swept(config, kind="optuna", space=space, trials=2), folder, resume=True, report=quiet
    )
    assert (len(first), len(both)) == (1, 2)
    assert before.items() <= files(folder).items()
    for one in both:
        assert 1e-4 <= one.values["training.learning_rate"] <= 1e-2
        assert one.values["lora.r"] in range(2, 5)


def test_an_unpromising_trial_is_pruned(tiny_config: MakeConfig) -> None:
    """With this seed Optuna draws five rates, most of them high enough to learn, and then a low one."""
    space = {"training.learning_rate": Range(low=1e-7, high=1e-2, log=True)}
    config = tiny_config(
        seed=8, training__max_steps=3, training__eval_steps=1, training__warmup_steps=0
    )
    folder = config.output / "sweep"
    ranked = sweep(swept(config, kind="optuna", space=space, trials=6), folder, report=quiet)
    *others, hopeless = sorted(ranked, key=lambda one: one.number)
    rates = [one.values["training.learning_rate"] for one in others]
    assert sum(rate > 1e-3 for rate in rates) == 3
    assert hopeless.values["training.learning_rate"] < min(rates)
    assert [one.seeds for one in others] == [1] * 5
    assert (hopeless.rank, hopeless.seeds) == (None, 0)
    rundir = RunDirectory(folder / "tiny-05-seed-0")
    manifest = rundir.read_manifest()
    assert manifest is not None
    assert manifest.status == "pruned"
    assert [one.step for one in read_metrics(rundir)][-1] < 3
    assert not rundir.result.exists()
    assert json.loads((folder / "sweep.json").read_text(encoding="utf-8"))["name"] == "tiny"


def test_a_config_without_a_sweep_is_refused(tiny_config: MakeConfig, tmp_path: Path) -> None:
    with pytest.raises(ConfigProblems, match=r"needs a `\[sweep\]` table"):
        sweep(tiny_config(), tmp_path / "sweep", report=quiet)


def test_test_rows_do_not_affect_the_ranking() -> None:
    unknown = replace(result(3.0), validation_nll=None, validation_bits_per_byte=None)

    assert [one.rank for one in rank([Trial(0, {"lora.r": 4}, (unknown,))])] == [None]


def test_settings_without_a_result_are_last() -> None:
    trials = [
        Trial(0, {"lora.r": 4}, (result(float("nan")),)),
        Trial(1, {"lora.r": 8}, (result(3.0), result(3.2))),
        Trial(2, {"lora.r": 16}, ()),
        Trial(3, {"lora.r": 32}, (result(2.9), result(3.1))),
    ]
    ranked = rank(trials)
    assert [(one.rank, one.number) for one in ranked] == [(1, 3), (2, 1), (None, 0), (None, 2)]
    best = ranked[0].test_nll
    assert best is not None
    assert (best.mean, best.deviation) == pytest.approx((3.0, 0.1414), abs=1e-4)
    assert "3.0000 ± 0.1414" in as_table(ranked)
