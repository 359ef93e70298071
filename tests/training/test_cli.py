import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from service.settings import PROJECT_ROOT
from training.cli.main import main
from training.config import RunConfig, SweepConfig, dump_config, read_config
from training.learning.result import TrainResult
from training.runs.run_directory import Manifest, RunDirectory, now

CONFIGS = PROJECT_ROOT / "training" / "configs"
TINY = str(CONFIGS / "tiny.toml")
WITH_CONFIG = ("prepare", "train", "sweep", "export", "evaluate", "all")
HEAVY = ("torch", "transformers", "trl", "peft", "datasets", "optuna", "matplotlib", "llama_cpp")


def write(config: RunConfig, folder: Path) -> str:
    path = folder / "config.toml"
    path.write_text(dump_config(config))
    return str(path)


@pytest.fixture(autouse=True)
def working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_all_shipped_configs_are_valid(capsys: pytest.CaptureFixture[str]) -> None:
    configs = sorted(map(str, CONFIGS.rglob("*.toml")))

    assert main(["validate", *configs]) == 0
    assert capsys.readouterr().out.splitlines() == [f"{one} is valid" for one in configs]


def test_problems_of_all_configs_are_listed_at_once(
    capsys: pytest.CaptureFixture[str], working_directory: Path
) -> None:
    bad = working_directory / "bad.toml"
    bad.write_text("[base]\n")

    status = main(["validate", TINY, str(bad), str(working_directory / "none.toml")])

    out, err = capsys.readouterr()
    assert status == 2
    assert out == ""
    assert "2 of 3 configs cannot be used:" in err
    assert f"{bad}: name: is missing" in err
    assert f"{bad}: base: give exactly one" in err
    assert "none.toml: cannot be read" in err


def test_a_launcher_of_several_processes_is_refused(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    working_directory: Path,
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")

    assert main(["train", TINY]) == 1
    assert "without a launcher" in capsys.readouterr().err
    assert not list(working_directory.iterdir())


@pytest.mark.parametrize("command", WITH_CONFIG)
def test_a_dry_run_shows_what_would_be_done_and_writes_nothing(
    command: str, capsys: pytest.CaptureFixture[str], working_directory: Path
) -> None:
    assert main([command, TINY, "--dry-run", "--set", "lora.r=4"]) == 0

    out = capsys.readouterr().out
    assert f"# {Path('runs', 'tiny')} would be created." in out
    assert "\nr = 4\n" in out
    assert list(working_directory.iterdir()) == []
    copy = working_directory / "copy.toml"
    copy.write_text(out)
    assert read_config(copy) == read_config(Path(TINY), {"lora.r": "4"})


def test_a_dry_run_counts_the_runs_of_a_sweep(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", str(CONFIGS / "seed-ranks.toml"), "--dry-run"]) == 0
    assert "would be created. 12 runs in a sweep." in capsys.readouterr().out


@pytest.mark.parametrize("command", WITH_CONFIG)
def test_a_dry_run_reports_the_problems_of_a_config(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, TINY, "--dry-run", "--set", "lora.r=0"]) == 2
    assert "lora.r: should be greater than 0" in capsys.readouterr().err


def test_help_and_validate_do_not_import_heavy_packages() -> None:
    code = (
        "import sys; from training.cli.main import main; main(['validate', sys.argv[1]]);"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )

    done = subprocess.run(
        [sys.executable, "-c", code, TINY],
        capture_output=True,
        text=True,
        check=True,
        cwd=PROJECT_ROOT,
    )

    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["train"],
        ["sing", TINY],
        ["train", TINY, "--set", "no equals"],
        ["distil", "http://x/v1", "m", "sing", "in.jsonl", "out.jsonl", "--licence", "MIT"],
    ],
)
def test_a_wrong_command_line_is_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: ideapool-train" in capsys.readouterr().err


def test_unusable_data_is_named(
    tiny_config: Any, capsys: pytest.CaptureFixture[str], working_directory: Path
) -> None:
    config = write(tiny_config(data__filters={"min_answer_words": 9999}), working_directory)

    assert main(["prepare", config]) == 2
    assert "No rows are left for train" in capsys.readouterr().err


def test_prepare_writes_rows_and_a_report_with_masked_samples(
    tiny_config: Any, capsys: pytest.CaptureFixture[str], working_directory: Path
) -> None:
    config = tiny_config()

    assert main(["prepare", write(config, working_directory)]) == 0
    folder = config.output / config.name / "data"
    assert f"See {folder / 'report.md'}" in capsys.readouterr().out
    assert "⟦Title: " in (folder / "report.md").read_text()
    assert (folder / "train.jsonl").stat().st_size > 0


def test_the_rows_of_a_run_are_not_prepared_again(
    tiny_config: Any, capsys: pytest.CaptureFixture[str], working_directory: Path
) -> None:
    config = tiny_config()
    rundir = RunDirectory(config.output / config.name)
    assert main(["prepare", write(config, working_directory)]) == 0
    rows = rundir.rows("test").read_bytes()
    rundir.write_manifest(Manifest(config.name, "finished", now()))

    assert main(["prepare", write(tiny_config(data__split_seed=1), working_directory)]) == 1
    assert "has the rows of a run that is finished. Move it away" in capsys.readouterr().err
    assert rundir.rows("test").read_bytes() == rows


def test_a_run_is_compared_with_the_base_it_was_made_from(
    tiny_config: Any, capsys: pytest.CaptureFixture[str], working_directory: Path
) -> None:
    config = tiny_config()
    rundir = RunDirectory(config.output / config.name)
    rundir.create()
    write(config, rundir.path)
    other = write(tiny_config(base__hf="another/base"), working_directory)

    assert main(["evaluate", other]) == 1
    out, err = capsys.readouterr()
    assert f"{rundir.path} was made with other values of base.hf than" in out
    assert f"name a GGUF of {config.base.hf} with --base" in err


def test_an_evaluation_names_the_file_that_is_missing(
    tiny_config: Any, capsys: pytest.CaptureFixture[str], working_directory: Path
) -> None:
    config = write(tiny_config(), working_directory)

    assert main(["evaluate", config]) == 1
    assert "with --base" in capsys.readouterr().err


def test_an_adapter_is_applied_to_the_given_model(
    tiny_config: Any, capsys: pytest.CaptureFixture[str], working_directory: Path
) -> None:
    config, base = write(tiny_config(), working_directory), working_directory / "base.gguf"
    base.write_bytes(b"GGUF")
    adapter = ["--adapter", str(working_directory / "lora.gguf")]

    assert main(["evaluate", config, "--base", str(base), *adapter]) == 1
    assert "does not exist" in (reported := capsys.readouterr().err)
    assert "lora.gguf" in reported
    assert main(["score-head", str(base), "head.npz", *adapter]) == 1
    assert "lora.gguf" in capsys.readouterr().err


def test_a_sweep_has_to_be_finished_before_it_is_exported(
    tiny_config: Any, capsys: pytest.CaptureFixture[str], working_directory: Path
) -> None:
    config = tiny_config().model_copy(update={"sweep": SweepConfig(space={"lora.r": (2, 4)})})
    rundir = RunDirectory(config.output / config.name)
    rundir.create()
    path = write(config, working_directory)

    assert main(["export", path]) == 1
    assert "Finish the sweep first" in capsys.readouterr().err

    rundir.write_manifest(Manifest(config.name, "running", now()))
    assert main(["export", path]) == 1
    assert "Train the run first" in capsys.readouterr().err


def test_a_sweep_exports_its_best_run(
    tiny_config: Any, capsys: pytest.CaptureFixture[str], working_directory: Path
) -> None:
    config = tiny_config().model_copy(update={"sweep": SweepConfig(space={"lora.r": (2, 4)})})
    folder = config.output / config.name
    for seed, nll in ((0, 2.0), (1, 1.0)):
        rundir = RunDirectory(folder / f"tiny-01-seed-{seed}")
        own = config.model_copy(update={"name": rundir.path.name, "sweep": None})
        rundir.write_text(rundir.config, dump_config(own))
        figures: dict[str, Any] = dict.fromkeys(TrainResult.__dataclass_fields__, 1) | {
            "name": rundir.path.name,
            "rows": {},
            "tasks": {},
            "too_long": {},
            "preferred": None,
            "validation_bits_per_byte": nll,
        }
        rundir.write_json(rundir.result, figures)
    RunDirectory(folder).write_json(
        folder / "sweep.json", {"settings": [{"rank": 2, "number": 0}, {"rank": 1, "number": 1}]}
    )

    assert main(["export", write(config, working_directory)]) == 1
    assert f"{folder / 'tiny-01-seed-1' / 'adapter'}" in capsys.readouterr().err
