"""What each set would take, on hosts of several sizes."""

from dataclasses import replace
from pathlib import Path

import pytest

from service.engine.catalog import Catalog, CatalogModel, HubSource
from service.engine.embedded.choices import (
    Choice,
    Measured,
    ModelFile,
    Room,
    choices,
    look_at,
)
from service.engine.files.atomic_files import SPARE_BYTES
from service.engine.files.cache_size import CacheSize
from tests.support.tiny_models import TINY_MODELS, write_tiny_model

GB = 1_000_000_000
ROOMY = Room(memory_bytes=64 * GB, disk_bytes=500 * GB)
BIG = CatalogModel(
    "big",
    ("brainstorm", "general"),
    set="big",
    hub=HubSource("some/models", "big.gguf"),
    sha256="a" * 64,
    size_bytes=4 * GB,
    context=1000,
    slots=4,
    cache_tokens=3000,
    licence="Gemma",
    untried=True,
)
IDEAS = replace(BIG, name="ideas", set="pair", roles=("brainstorm",), licence="MIT", untried=False)
TEXTS = replace(IDEAS, name="texts", roles=("general",), licence="Apache-2.0")
CATALOG = Catalog((BIG, IDEAS, TEXTS), default="pair")
FILES = {
    "big": ModelFile(Path("big.gguf"), 4 * GB, is_here=False, cache=CacheSize(100_000, 5_000_000)),
    "ideas": ModelFile(Path("ideas.gguf"), 1 * GB, is_here=True, cache=CacheSize(10_000)),
    "texts": ModelFile(Path("texts.gguf"), 2 * GB, is_here=False, cache=CacheSize(20_000)),
}


def of(
    name: str, room: Room = ROOMY, measured: Measured | None = None, **files: ModelFile
) -> Choice:
    told = choices(CATALOG, FILES | files, room, measured)
    return next(one for one in told if one.set == name)


def test_every_set_is_listed_in_the_order_of_the_catalog() -> None:
    told = choices(CATALOG, FILES, ROOMY)

    assert [(one.set, one.is_default) for one in told] == [("big", False), ("pair", True)]


def test_licences_and_what_is_untried_are_told() -> None:
    assert (of("big").licences, of("big").untried) == (("Gemma",), True)
    assert (of("pair").licences, of("pair").untried) == (("MIT", "Apache-2.0"), False)


def test_only_what_is_not_here_is_downloaded() -> None:
    assert (of("pair").download_bytes, of("pair").is_here) == (2 * GB, False)
    here = of("pair", texts=replace(FILES["texts"], is_here=True))
    assert (here.download_bytes, here.is_here) == (0, True)


def test_memory_is_that_of_weights_and_caches() -> None:
    assert of("big").memory_bytes == 4 * GB + 3750 * 100_000 + 4 * 5_000_000
    assert of("big").is_cache_known


def test_models_that_share_their_weights_count_them_once() -> None:
    shared = of("pair", texts=replace(FILES["ideas"], adapter_bytes=7))

    assert shared.memory_bytes == 1 * GB + 2 * 3750 * 10_000 + 7
    assert (shared.download_bytes, shared.is_here) == (0, True)


def test_an_unknown_cache_is_said_to_be_unknown() -> None:
    unknown = of("big", big=replace(FILES["big"], cache=None))

    assert (unknown.memory_bytes, unknown.is_cache_known) == (4 * GB, False)


@pytest.mark.parametrize(
    ("memory", "can_run", "take_turns"),
    [(None, True, False), (4 * GB, True, False), (3 * GB, True, True), (2 * GB, False, False)],
)
def test_a_host_can_run_a_set_whose_largest_model_fits(
    memory: int | None, can_run: bool, take_turns: bool
) -> None:
    told = of("pair", Room(memory, 500 * GB))

    assert (told.can_run, told.take_turns) == (can_run, take_turns)


def test_a_set_that_is_too_large_is_told_with_both_sizes() -> None:
    told = of("big", Room(4 * GB, 500 * GB))

    assert told.obstacle == "It needs 4.4 GB of memory, and models may take 4.0 GB here."


def test_a_full_disk_is_an_obstacle_for_what_is_not_here() -> None:
    full = Room(64 * GB, 4 * GB)

    assert of("big", full).obstacle == (
        f"The download needs {(4 * GB + SPARE_BYTES) / 1e9:.1f} GB on the disk, "
        "and 4.0 GB are free."
    )
    assert of("big", full, big=replace(FILES["big"], is_here=True)).can_run


def test_the_speed_is_estimated_from_a_model_that_was_measured() -> None:
    measured = Measured(size_bytes=1 * GB, tokens_per_s=12.0)

    assert of("big", measured=measured).tokens_per_s == 3.0
    # Its larger model decides.
    assert of("pair", measured=measured).tokens_per_s == 6.0
    assert of("big").tokens_per_s is None


def test_a_set_that_cannot_be_selected_says_why() -> None:
    catalog = Catalog((replace(BIG, roles=("general",)),), default="big")
    (told,) = choices(catalog, FILES, ROOMY)

    assert "the role brainstorm needs exactly one model" in str(told.obstacle)


def test_a_catalog_without_sets_is_one_choice() -> None:
    (told,) = choices(Catalog((replace(BIG, set=None),)), FILES, ROOMY)

    assert (told.set, told.models, told.is_default) == (None, ("big",), True)


def test_a_file_that_is_here_says_its_size_and_cache(tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path / "tiny.gguf", TINY_MODELS["qwen3"])
    here = replace(
        BIG,
        path=path,
        hub=None,
        size_bytes=None,
        cache_token_bytes=7,
        context=256,
        cache_tokens=None,
    )
    file = look_at([here], tmp_path)["big"]

    assert (file.path, file.size_bytes, file.is_here) == (path, path.stat().st_size, True)
    # Four layers, two heads, keys and values of 32 numbers in two bytes.
    assert file.cache == CacheSize(4 * 2 * (32 + 32) * 2)


def test_what_is_not_here_has_the_numbers_of_the_catalog(tmp_path: Path) -> None:
    model = replace(BIG, cache_token_bytes=7, cache_sequence_bytes=9)

    assert look_at([model], tmp_path)["big"] == ModelFile(
        tmp_path / "big.gguf", 4 * GB, is_here=False, cache=CacheSize(7, 9)
    )
    (tmp_path / "big.gguf").write_bytes(b"half of it")
    assert not look_at([model], tmp_path)["big"].is_here
    assert look_at([BIG], tmp_path)["big"].cache is None
