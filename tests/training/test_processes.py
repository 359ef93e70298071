import os
import subprocess
import sys
from pathlib import Path

import pytest

from service.settings import PROJECT_ROOT
from tests.training.conftest import MakeConfig, quiet
from training.config import RunConfig, dump_config
from training.learning.metrics import Measured, read_metrics
from training.learning.result import read_result
from training.learning.schedule import plan
from training.learning.train import train
from training.runs.run_directory import RunDirectory

# On a CPU, the launcher starts several processes only where it is told that they are for GPUs.
LAUNCH = "accelerate.commands.launch --multi_gpu --num_processes 2 --num_machines 1".split()
LAUNCH += "--main_process_port 0 --mixed_precision no --dynamo_backend no -m training".split()


def launched(*arguments: str) -> subprocess.CompletedProcess[str]:
    """In two processes."""
    return subprocess.run(
        [sys.executable, "-m", *LAUNCH, *arguments],
        cwd=PROJECT_ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
    )


def figures(measured: list[Measured]) -> list[float]:
    """Adam hides a gradient of the wrong size, its norm does not."""
    values = [(one.loss, one.gradient_norm, one.validation_nll) for one in measured]
    return [value for three in values for value in three if value is not None]


def saved(config: RunConfig, folder: Path) -> str:
    path = folder / f"{config.name}.toml"
    path.write_text(dump_config(config))
    return str(path)


@pytest.mark.slow
def test_two_processes_learn_what_one_learns_with_twice_the_batch(
    tiny_config: MakeConfig, tmp_path: Path
) -> None:
    shared = tiny_config("shared", training__batch_size=2, training__accumulation=2)
    alone = tiny_config("alone", training__batch_size=8)

    done = launched("train", saved(shared, tmp_path))
    assert done.returncode == 0, done.stderr
    result = train(alone, RunDirectory(alone.output / "alone"), report=quiet)

    two, one = (RunDirectory(shared.output / name) for name in ("shared", "alone"))
    assert figures(read_metrics(two)) == pytest.approx(figures(read_metrics(one)), rel=1e-4)
    assert [m.step for m in read_metrics(two)] == [m.step for m in read_metrics(one)]
    assert read_result(two).test_nll == pytest.approx(result.test_nll, rel=1e-4)
    assert (read_result(two).steps, read_result(two).rows) == (result.steps, result.rows)
    # Rows in the batches of two processes share less than in one.
    assert read_result(two).tokens > result.tokens
    expected, manifest = one.read_manifest(), two.read_manifest()
    assert expected is not None
    assert manifest is not None
    assert (manifest.status, manifest.data_sha256) == ("finished", expected.data_sha256)
    assert done.stdout.splitlines().count("Measuring the base on the test rows") == 1
    assert {path.name for path in two.path.iterdir()} == {path.name for path in one.path.iterdir()}


def test_every_process_has_as_many_rows_of_every_step(tiny_config: MakeConfig) -> None:
    settings = tiny_config(training__batch_size=2, training__accumulation=2).training
    settings = settings.model_copy(update={"max_steps": None, "epochs": 1.5})
    one, two = (plan(["group"] * 9, settings, seed=1, processes=count) for count in (1, 2))

    assert (len(one.order), one.steps) == (14, 4)
    assert (len(two.order), two.steps) == (16, 2)
    assert two.order[:14] == one.order
    assert sorted(two.order[:9]) == list(range(9))
