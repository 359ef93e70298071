from pathlib import Path

import pytest

from service.backend import memory_for_models, selection
from service.engine.catalog import CatalogModel
from service.engine.types import AdapterUse
from service.settings import Settings

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
