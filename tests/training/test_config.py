from pathlib import Path

import pytest

from training.config import (
    RunConfig,
    SweepConfig,
    dump_config,
    is_non_commercial,
    read_config,
    with_values,
)
from training.errors import ConfigProblems

CONFIGS = sorted((Path(__file__).parents[2] / "training" / "configs").rglob("*.toml"))
GOOD = """
name = "good"

[base]
model = "smollm2-135m"

[data]
sources = [{ kind = "alpaca", path = "rows.jsonl", licence = "MIT" }]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rows.jsonl").touch()
    return tmp_path


def written(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def problems_of(path: Path, **overrides: str) -> str:
    with pytest.raises(ConfigProblems) as caught:
        read_config(path, overrides)
    return "\n".join(caught.value.problems)


def name_or_problems(path: Path) -> str:
    try:
        return read_config(path).name
    except ConfigProblems as caught:
        return "; ".join(caught.problems)


def test_every_shipped_config_can_be_used_and_is_named_after_its_file() -> None:
    names = {path.stem: name_or_problems(path) for path in CONFIGS}

    assert names
    assert {file: found for file, found in names.items() if found != file} == {}


def test_a_dumped_config_reads_the_same_from_anywhere(tmp_path: Path) -> None:
    assert [
        path
        for path in CONFIGS
        if read_config(written(tmp_path, dump_config(read_config(path)))) != read_config(path)
    ] == []


def test_a_config_that_uses_every_kind_of_value_survives_being_dumped(folder: Path) -> None:
    config = read_config(
        written(
            folder,
            GOOD
            + """
[lora]
targets = ["q_proj", "v_proj"]

[training]
warmup_steps = 0.05
bf16 = false

[sweep]
kind = "optuna"
space = { "training.learning_rate" = { low = 1e-5, high = 1e-3, log = true }, "lora.r" = [4, 8] }
""",
        )
    )

    assert read_config(written(folder, dump_config(config))) == config


def test_a_verdict_is_kept_and_an_empty_one_is_a_problem(folder: Path) -> None:
    config = read_config(written(folder, f'{GOOD}\n[report]\nverdict = "Not \\"good\\".\\nWhy?"\n'))

    assert read_config(written(folder, dump_config(config))).report.verdict == 'Not "good".\nWhy?'
    assert "report.verdict: " in problems_of(written(folder, f'{GOOD}\n[report]\nverdict = " "\n'))
    assert "[report]" not in dump_config(read_config(written(folder, GOOD)))


def test_every_problem_is_named_with_its_key_at_once(folder: Path) -> None:
    found = problems_of(
        written(
            folder,
            """
nam = "x"

[base]
model = "smollm2-135m"
gguf = "nothing.gguf"

[data]
sources = [{ kind = "ideatio", path = "rows.jsonl" }, { kind = "alpaca" }]

[lora]
r = 0
targets = 3
""",
        )
    ).splitlines()

    assert [line.split(": ")[0] for line in found] == [
        "name",
        "base",
        "data.sources.0.kind",
        "data.sources.1",
        "lora.r",
        "lora.targets",
        "nam",
    ]
    assert "exactly one of `model`, `gguf` and `hf`" in found[1]


def test_missing_files_are_problems_of_the_config(folder: Path) -> None:
    text = GOOD.replace('model = "smollm2-135m"', 'gguf = "no.gguf"').replace("rows.", "no.")
    text += 'decontaminate = ["rows.jsonl", "gone.jsonl"]\n[evaluation]\nprompts = "no.jsonl"\n'

    found = problems_of(written(folder, text))

    for key in ("base.gguf", "data.sources.0.path", "data.decontaminate.1", "evaluation.prompts"):
        assert f"{key}: {folder}" in found
    assert found.count("does not exist") == 4
    assert "data.decontaminate.0" not in found


@pytest.mark.parametrize(
    ("licence", "expected"),
    [
        ("CC-BY-NC-4.0", True),
        ("cc_by_nc_sa", True),
        ("Non-Commercial", True),
        ("non commercial use only", True),
        ("CC-BY-SA-3.0", False),
        ("NCSA", False),
    ],
)
def test_licences_that_forbid_commercial_use_are_recognised(licence: str, expected: bool) -> None:
    assert is_non_commercial(licence) is expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is missing"),
        ("name = ", "not valid TOML"),
        (GOOD.replace("smollm2-135m", "smollm3"), "the catalog has no 'smollm3'"),
        (GOOD + "test_share = 0.5\nvalidation_share = 0.5", "leave no rows to train on"),
        (
            GOOD.replace("alpaca", "ideation").replace("path", "hub"),
            "a source of kind ideation needs a `path`",
        ),
        (GOOD + '[evaluation]\njudge_url = "http://x"', "evaluation.judge_model"),
        (GOOD + '[sweep]\nspace = { "lora.rank" = [4] }', 'sweep.space."lora.rank" = 4: lora.rank'),
        (GOOD + '[sweep]\nspace = { "name" = ["a"] }', "only base, data, lora and training"),
        (GOOD + '[sweep]\nspace = { "lora.r" = { low = 1, high = 2 } }', "a grid needs lists"),
        (GOOD + "[sweep]\nspace = {}", "sweep.space: "),
        (GOOD + '[training]\noptimizer = "adam"', "training.optimizer: should be 'adamw_torch'"),
        (
            GOOD.replace("MIT", "CC-BY-NC-4.0") + '[export]\ncatalog = "rows.jsonl"',
            "non-commercial",
        ),
    ],
)
def test_invalid_and_conflicting_settings_are_refused(
    folder: Path, text: str, problem: str
) -> None:
    assert problem in problems_of(written(folder, text))


PREFERENCES = """
name = "preferences"
base = { model = "smollm2-135m" }

[data]
validation_share = 0
sources = [{ kind = "graded", path = "rows.jsonl" }]

[training]
objective = "preferences"
"""


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("training.accumulation", "2", "cannot be used with preferences"),
        ("training.patience", "3", "which have no validation rows"),
        ("training.objective", "answers", 'need `training.objective = "preferences"`'),
        ("data.validation_share", "0.1", "has to be 0 with preferences"),
        ("data.sources.0.kind", "ideation", "preferences need `graded` sources only"),
        ("data.sources.0.weight", "2", "takes no `first` and no `weight` above 1"),
        ("data.sources.0.first", "9", "takes no `first` and no `weight` above 1"),
        ("data.test_rows", "9", "drafts of a prompt stay together"),
        ("sweep.space", '{ "lora.r" = [4] }', "no validation rows to rank by"),
    ],
)
def test_settings_that_preferences_cannot_use_are_refused(
    folder: Path, key: str, value: str, problem: str
) -> None:
    path = written(folder, PREFERENCES)
    assert read_config(path).training.objective == "preferences"

    assert problem in problems_of(path, **{key: value})


@pytest.mark.parametrize(
    ("key", "values", "problem"),
    [
        (
            "lora.r",
            "{ low = 8.0, high = 16.0 }",
            "write both ends as whole numbers: { low = 8, high = 16 }",
        ),
        ("lora.r", "{ low = 8, high = 16.0 }", "takes whole numbers only"),
        ("lora.r", "{ low = 8, high = 16.5 }", '"lora.r" = 16.5: lora.r: '),
        ("lora.r", "{ low = 8, high = 16 }", None),
        ("lora.alpha", "{ low = 8.0, high = 16.0 }", None),
        ("data.sources.0.weight", "{ low = 1, high = 3.5 }", None),
        ("data.sources.0.weight", "{ low = 0.5, high = 3.5 }", "the same held-out rows"),
    ],
)
def test_a_range_has_to_yield_values_that_its_key_accepts(
    folder: Path, key: str, values: str, problem: str | None
) -> None:
    path = written(folder, GOOD + f'[sweep]\nkind = "optuna"\nspace = {{ "{key}" = {values} }}')

    if problem is None:
        assert read_config(path).sweep is not None
    else:
        assert problem in problems_of(path)


@pytest.mark.parametrize(
    ("settings", "prunes"),
    [
        ({}, True),
        ({"pruning": "false"}, False),
        ({"kind": "grid"}, False),
    ],
)
def test_only_optuna_sweeps_prune_and_pruning_can_be_switched_off(
    folder: Path, settings: dict[str, str], prunes: bool
) -> None:
    text = GOOD + '[sweep]\nkind = "optuna"\nspace = { "lora.r" = [4, 8] }'
    changes = {f"sweep.{key}": value for key, value in settings.items()}

    sweep = read_config(written(folder, text), changes).sweep

    assert sweep is not None
    assert sweep.prunes is prunes


def test_missing_files_are_listed_together_with_other_problems(folder: Path) -> None:
    text = GOOD.replace("rows.", "no.") + '[lora]\nr = 0\n[evaluation]\njudge_url = "http://x"'

    found = problems_of(written(folder, text)).splitlines()

    assert [line.split(": ")[0] for line in found] == [
        "lora.r",
        "data.sources.0.path",
        "evaluation.judge_model",
    ]


def test_conflicts_between_sections_are_listed_at_once(folder: Path) -> None:
    path = written(folder, GOOD + '[sweep]\nspace = { "lora.r" = [4], "lora.rank" = [8] }')
    changes = {
        "data.validation_share": "0",
        "training.patience": "3",
        "training.beta": "0.2",
        "training.best_weight": "1",
    }

    found = problems_of(path, **changes).splitlines()

    assert [line.split(": ")[0] for line in found] == [
        "training.beta",
        "training.best_weight",
        "training.patience",
        "sweep",
        'sweep.space."lora.rank" = 8',
    ]
    assert "needs validation rows to rank by" in found[3]


@pytest.mark.parametrize(
    ("space", "problem"),
    [
        ('{ "training.accumulation" = [1, "two"] }', '= "two": training.accumulation: '),
        ('{ "training.beta" = [0.1, 0.2] }', '"training.beta" = 0.2: training.beta: works only'),
    ],
)
def test_every_value_of_a_sweep_has_to_be_valid_in_the_config(
    folder: Path, space: str, problem: str
) -> None:
    path = written(folder, GOOD + f"[sweep]\nspace = {space}")

    assert problem in problems_of(path)


@pytest.mark.parametrize(
    ("key", "values", "is_right"),
    [
        ("data.filters.plainest_share", "[0.5, 1]", False),
        ("data.split_seed", "[0, 1]", False),
        ("data.max_tokens", "[512, 1024]", False),
        ("data.validation_rows", "[8]", False),
        ("data.sources.0.first", "[8, 9]", False),
        ("data.sources.0.weight", "[0.5, 2]", False),
        ("data.sources.0.weight", "[1, 2.5]", True),
        ("data.train_rows", "[8, 16]", True),
        ("base.dtype", '["float32", "bfloat16"]', True),
    ],
)
def test_a_sweep_may_not_change_the_held_out_rows(
    folder: Path, key: str, values: str, is_right: bool
) -> None:
    path = written(folder, GOOD + f'[sweep]\nspace = {{ "{key}" = {values} }}')

    if is_right:
        assert read_config(path).sweep is not None
    else:
        assert f'sweep.space."{key}": settings are compared on the same' in problems_of(path)


def test_bases_are_not_swept_if_a_filter_depends_on_the_base(folder: Path) -> None:
    text = GOOD + '[sweep]\nspace = { "base.dtype" = ["float32", "bfloat16"] }'

    found = problems_of(written(folder, text), **{"data.filters.ifd_max": "0.9"})

    assert found == (
        'sweep.space."base.dtype": with `ifd_max` or `plainest_share`, the held-out rows depend on '
        "the base"
    )


def test_a_config_that_does_not_exist_is_a_problem(tmp_path: Path) -> None:
    assert "cannot be read" in problems_of(tmp_path / "none.toml")


def test_overrides_are_read_as_toml_or_else_as_text(folder: Path) -> None:
    config = read_config(
        written(folder, GOOD),
        {
            "name": "other",
            "data.sources.0.first": "60",
            "lora.targets": '["q_proj"]',
            "training.bf16": "true",
        },
    )

    assert config.name == "other"
    assert config.data.sources[0].first == 60
    assert config.lora.targets == ("q_proj",)
    assert config.training.bf16 is True


@pytest.mark.parametrize("key", ["data.sources.3.first", "data.sources.x", "name.first", ""])
def test_an_override_of_an_unknown_key_is_a_problem(folder: Path, key: str) -> None:
    assert "there is no such key" in problems_of(written(folder, GOOD), **{key: "1"})


def test_paths_are_relative_to_the_config_and_overrides_to_the_working_directory(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "mine.jsonl").touch()
    monkeypatch.chdir(elsewhere)

    plain = read_config(written(folder, GOOD))
    given = read_config(written(folder, GOOD), {"data.sources.0.path": "mine.jsonl"})

    assert plain.data.sources[0].path == folder / "rows.jsonl"
    assert given.data.sources[0].path == elsewhere / "mine.jsonl"
    assert plain.output == Path("runs")


def test_with_values_changes_only_the_given_dotted_keys(folder: Path) -> None:
    config = read_config(written(folder, GOOD))

    changed = with_values(config, {"training.learning_rate": 1e-3, "lora.targets": ("q_proj",)})

    assert changed.training.learning_rate == 1e-3
    assert changed.lora.targets == ("q_proj",)
    assert with_values(changed, {"training.learning_rate": 2e-4, "lora.targets": "all-linear"}) == (
        config
    )
    with pytest.raises(ConfigProblems, match=r"lora\.r"):
        with_values(config, {"lora.r": -1})


def test_configs_cannot_be_changed_in_place(folder: Path) -> None:
    config = read_config(written(folder, GOOD))

    with pytest.raises(ValueError, match="frozen"):
        setattr(config, "name", "other")  # noqa: B010
    assert RunConfig.model_validate(config) == config
    assert SweepConfig(space={"lora.r": (4,)}).seeds == (0,)
