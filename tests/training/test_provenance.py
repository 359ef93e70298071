from pathlib import Path

from tests.training.conftest import MakeConfig
from training.config import EvaluationConfig, ExportConfig, dump_config
from training.runs.provenance import differing, recorded_config, report_differences
from training.runs.run_directory import RunDirectory


def test_differences_that_affect_the_adapter_are_named_by_key(
    tiny_config: MakeConfig,
) -> None:
    config = tiny_config(data__train_rows=9)
    other = tiny_config("other", lora__alpha=8.0, lora__targets=("q_proj",), data__split_seed=9)

    assert differing(config, config) == []
    assert differing(config, other) == [
        "data.split_seed",
        "data.train_rows",
        "lora.targets",
        "lora.targets.0",
    ]
    assert differing(config, other, ["name", "lora.r"]) == ["name"]


def test_a_run_is_exported_and_evaluated_with_its_recorded_values(
    tiny_config: MakeConfig, tmp_path: Path
) -> None:
    made, rundir = tiny_config(training__learning_rate=4e-4), RunDirectory(tmp_path)
    rundir.write_text(rundir.config, dump_config(made))
    asked = {
        "export": ExportConfig(quantisations=("q8_0",)),
        "evaluation": EvaluationConfig(prompt_count=3),
    }
    given = tiny_config(training__learning_rate=1e-2).model_copy(update=asked)
    reported: list[str] = []

    own = recorded_config(given, rundir)
    report_differences(given, rundir, reported.append)
    report_differences(made, rundir, reported.append)

    assert own == made.model_copy(update=asked)
    assert reported == [
        f"{tmp_path} was made with other values of training.learning_rate than the config has now. "
        "The recorded values are used."
    ]


def test_a_folder_without_a_run_uses_the_values_of_the_config(
    tiny_config: MakeConfig, tmp_path: Path
) -> None:
    reported: list[str] = []

    report_differences(tiny_config(), RunDirectory(tmp_path), reported.append)

    assert recorded_config(tiny_config(), RunDirectory(tmp_path)) == tiny_config()
    assert reported == []
