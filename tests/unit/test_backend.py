import argparse
from pathlib import Path

import pytest

from service.backend import catalog, memory_for_models, model_choices, selection
from service.cli.commands.models import list_models
from service.engine.catalog import CatalogModel
from service.engine.embedded.choices import Measured
from service.engine.types import AdapterUse
from service.settings import PROJECT_ROOT, Settings

CATALOG = """
[[model]]
name = "mine"
roles = ["brainstorm", "general"]
path = "mine.gguf"
context = 1024
slots = 4
gpu_layers = 3
cache_tokens = 4096
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "catalog.toml"
    path.write_text(CATALOG)
    return path


def only(settings: Settings) -> CatalogModel:
    (model,) = selection(settings).models
    return model


def test_without_settings_the_catalog_applies(path: Path) -> None:
    model = only(Settings(catalog=path))

    assert (model.slots, model.gpu_layers, model.cells) == (4, 3, 4096)


@pytest.mark.parametrize(("slots", "cells"), [(1, 1024), (2, 2048), (16, 4096)])
def test_a_setting_overrides_the_slots_and_limits_the_cache_to_them(
    path: Path, slots: int, cells: int
) -> None:
    model = only(Settings(catalog=path, slots=slots))

    assert (model.slots, model.cells) == (slots, cells)


def test_a_setting_overrides_the_layers_on_the_gpu(path: Path) -> None:
    assert only(Settings(catalog=path, gpu_layers=0)).gpu_layers == 0


@pytest.mark.parametrize("setting", [None, "merged", "shared"])
def test_a_setting_overrides_how_adapters_are_served(
    path: Path, setting: AdapterUse | None
) -> None:
    path.write_text(CATALOG + 'adapter = { path = "lora.gguf", use = "shared" }\n')
    adapter = only(Settings(catalog=path, adapters=setting)).adapter

    assert adapter is not None
    assert adapter.use == (setting or "shared")


@pytest.mark.parametrize(
    ("limit_mb", "gpu_layers", "granted", "expected"),
    [
        (None, 0, None, None),
        (None, 0, 8_000_000_000, 7_488_000_000),
        (None, 0, 1_000_000_000, 750_000_000),
        (None, -1, 8_000_000_000, None),
        (2000, -1, 8_000_000_000, 2_000_000_000),
        (9000, 0, 8_000_000_000, 9_000_000_000),
    ],
)
def test_the_memory_for_models_comes_from_the_setting_or_the_container(
    path: Path, limit_mb: int | None, gpu_layers: int, granted: int | None, expected: int | None
) -> None:
    settings = Settings(catalog=path, memory_limit_mb=limit_mb, gpu_layers=gpu_layers)

    assert memory_for_models(settings, [only(settings)], granted) == expected


def test_each_shipped_set_says_what_it_takes_here(tmp_path: Path) -> None:
    standard = Measured(size_bytes=1_117_320_768, tokens_per_s=10.0)
    told = {
        one.set: one
        for one in model_choices(Settings(data_dir=tmp_path, memory_limit_mb=2000), standard)
    }

    assert told["standard"].is_default
    assert told["standard"].tokens_per_s == 10.0
    # Weights once, an adapter, and a cache for the model with it and the one without.
    assert 2.3e9 > told["standard"].memory_bytes > 1_117_320_768 + 2 * 8192 * 28672
    assert not told["standard"].untried
    assert (told["qwen3-4b"].untried, told["qwen3-4b"].licences) == (True, ("Apache-2.0",))
    assert "GB of memory" in str(told["qwen3-4b"].obstacle)
    assert told["small"].can_run


def test_the_list_of_models_names_those_that_nobody_has_tried(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    list_models(Settings(data_dir=tmp_path), argparse.Namespace())

    lines = {line[2:].split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert lines["qwen3-4b"].endswith("not fetched, untried")
    assert "untried" not in lines["qwen2.5-coder-0.5b"]
    assert "its hash decides" in lines["tried:"]


def test_the_page_on_models_has_a_row_for_each_untried_set(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    models = {model.name: model for model in catalog(settings).model}
    page = (PROJECT_ROOT / "docs" / "operate" / "models.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `") and "GB" in line]

    expected = []
    for one in model_choices(settings):
        model = models[one.models[0]]
        if one.untried and model.hub is not None and model.size_bytes is not None:
            memory = f"{'' if one.is_cache_known else 'over '}{one.memory_bytes / 1e9:.1f} GB"
            cells = (f"`{one.set}`", model.hub.repository, f"{model.size_bytes / 1e9:.1f} GB")
            expected.append(f"| {' | '.join((*cells, memory, str(model.licence)))} |")
    assert rows == expected
