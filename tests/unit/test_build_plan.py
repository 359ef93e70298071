"""Recipes of built files: their names, their records, and which files are removed."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from service.engine.catalog import Adapter, CatalogModel, read_catalog
from service.engine.files.build_plan import (
    BASE_SHA256_KEY,
    Built,
    Recipe,
    Record,
    model_identity,
    record_served_file,
)
from service.engine.files.checksums import remember_sha256, sha256_of
from service.errors import ModelUnavailable
from service.settings import Settings
from tests.support.gguf import write_adapter

CONTENT = b"GGUF and a built model"
PLAIN = Recipe("one", Path("/elsewhere/base.gguf"), "b" * 64, "q4_0")
MERGED = replace(PLAIN, adapter=Path("/a/lora.gguf"), adapter_sha256="a" * 64, adapter_scale=1.0)


def put(recipe: Recipe, folder: Path, *models: str) -> Path:
    """A file with its record, as a build leaves it."""
    path = folder / recipe.file_name
    path.write_bytes(CONTENT)
    found = sha256_of(path)
    Record(models or (recipe.model,), str(recipe), recipe.inputs, found).write(path)
    remember_sha256(path, found)
    return path


@pytest.mark.parametrize(
    "adapter",
    [None, Adapter(Path("lora.gguf"), scale=0), Adapter(Path("lora.gguf"), use="shared")],
)
def test_weights_that_are_served_unchanged_have_no_recipe(
    tmp_path: Path, adapter: Adapter | None
) -> None:
    model = CatalogModel("m", ("general",), path=tmp_path / "base.gguf", adapter=adapter)

    assert Recipe.of(model, tmp_path) is None


def test_the_small_starter_model_is_served_in_a_type_with_fast_batches(
    tmp_path: Path,
) -> None:
    small = read_catalog(Settings().catalog).select("small").models
    recipes = [Recipe.of(model, tmp_path) for model in small]

    assert {recipe and recipe.quantise for recipe in recipes} == {"q4_0"}


def test_the_hash_in_the_catalog_is_enough_without_the_file(tmp_path: Path) -> None:
    model = CatalogModel(
        "m", ("general",), path=tmp_path / "gone.gguf", sha256="b" * 64, quantise="q4_0"
    )
    recipe = Recipe.of(model, tmp_path)

    assert recipe is not None
    assert recipe.base_sha256 == "b" * 64


def test_an_adapter_with_another_hash_than_in_the_catalog_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lora.gguf"
    path.write_bytes(b"GGUF of another adapter")
    model = CatalogModel(
        "m",
        ("general",),
        path=tmp_path / "base.gguf",
        sha256="b" * 64,
        adapter=Adapter(path, "0" * 64),
    )

    with pytest.raises(ModelUnavailable, match=r"lora\.gguf is corrupt"):
        Recipe.of(model, tmp_path)


def with_adapter(folder: Path, made_for: str | None, *, any_base: bool = False) -> CatalogModel:
    """Weights to be re-quantised, and an adapter that names the file it was made for."""
    texts = {BASE_SHA256_KEY: made_for} if made_for is not None else None
    path = write_adapter(folder / "lora.gguf", {}, texts=texts)
    return CatalogModel(
        "m",
        ("general",),
        path=folder / "base.gguf",
        sha256="b" * 64,
        quantise="q4_0",
        adapter=Adapter(path, any_base=any_base),
    )


def test_an_adapter_of_another_base_is_refused_with_both_hashes(tmp_path: Path) -> None:
    model = with_adapter(tmp_path, "a" * 64)
    assert model.adapter is not None
    shared = replace(model, adapter=replace(model.adapter, use="shared"))

    for one in (model, shared):
        with pytest.raises(ModelUnavailable, match="any_base = true") as error:
            Recipe.in_effect(one, tmp_path)
        assert "a" * 64 in error.value.detail
        assert "b" * 64 in error.value.detail


@pytest.mark.parametrize(
    ("made_for", "any_base"), [("b" * 64, False), (None, False), ("a" * 64, True)]
)
def test_an_adapter_is_accepted_if_it_names_its_base_or_none_or_allows_any(
    tmp_path: Path, made_for: str | None, any_base: bool
) -> None:
    recipe = Recipe.of(with_adapter(tmp_path, made_for, any_base=any_base), tmp_path)

    assert recipe is not None
    assert recipe.adapter == tmp_path / "lora.gguf"


def test_an_adapter_fits_a_requantised_copy_of_its_base(tmp_path: Path) -> None:
    model, base = with_adapter(tmp_path, "b" * 64), put(PLAIN, tmp_path)
    recipe = Recipe.of(replace(model, path=base, sha256=None, quantise=None), tmp_path)

    assert recipe is not None
    assert recipe.base_sha256 == sha256_of(base)
    merged = put(MERGED, tmp_path)
    with pytest.raises(ModelUnavailable, match="was made for"):
        Recipe.of(replace(model, path=merged, sha256=None, quantise=None), tmp_path)


@pytest.mark.parametrize(
    "other",
    [
        replace(MERGED, base_sha256="c" * 64),
        replace(MERGED, quantise=None),
        replace(MERGED, quantise="q8_0"),
        replace(MERGED, adapter_sha256="c" * 64),
        replace(MERGED, adapter_scale=0.5),
    ],
)
def test_each_input_changes_the_file_name(other: Recipe) -> None:
    assert other.file_name != MERGED.file_name


@pytest.mark.parametrize(
    "other",
    [
        replace(MERGED, base_sha256="c" * 64),
        replace(MERGED, quantise="q8_0"),
        replace(MERGED, adapter_sha256="c" * 64),
        replace(MERGED, adapter_scale=0.5),
        PLAIN,
    ],
)
def test_each_input_that_matters_changes_the_identity(other: Recipe) -> None:
    assert other.identity != MERGED.identity


def test_the_identity_of_a_built_model_depends_on_its_inputs_alone(tmp_path: Path) -> None:
    path = put(MERGED, tmp_path)

    assert model_identity(path) == MERGED.identity
    path.write_bytes(CONTENT + b", and changed later")
    assert model_identity(path) == sha256_of(path)


def test_the_identity_of_weights_that_were_not_built_is_their_hash(tmp_path: Path) -> None:
    path = tmp_path / "base.gguf"
    path.write_bytes(CONTENT)

    assert model_identity(path) == sha256_of(path)


def test_a_merged_and_a_shared_adapter_give_the_same_identity(tmp_path: Path) -> None:
    path = write_adapter(tmp_path / "lora.gguf", {})
    model = CatalogModel("m", ("general",), path=tmp_path / "base.gguf", sha256="b" * 64)
    merged, shared, off = (
        Recipe.in_effect(replace(model, adapter=adapter), tmp_path)
        for adapter in (Adapter(path), Adapter(path, use="shared"), Adapter(path, scale=0))
    )

    assert merged is not None
    assert shared is not None
    assert merged.identity == shared.identity
    assert off is None


def test_the_version_of_llama_cpp_is_an_input() -> None:
    assert PLAIN.inputs["llama_cpp_python"]


def test_the_file_name_says_what_was_built() -> None:
    assert PLAIN.file_name.startswith("base-q4_0-")
    assert MERGED.file_name.startswith("one-q4_0-")
    assert str(MERGED) == "base.gguf, re-quantised to q4_0, with lora.gguf merged in (scale 1)"


def test_a_long_file_name_is_shortened(tmp_path: Path) -> None:
    recipe = replace(PLAIN, base=tmp_path / ("x" * 250 + ".gguf"))

    assert put(recipe, tmp_path).is_file()


def test_models_that_only_requantise_one_base_share_the_file() -> None:
    assert replace(PLAIN, model="two").file_name == PLAIN.file_name


@pytest.mark.parametrize("where", ["beside the base", "in the models folder"])
def test_a_built_file_is_found(tmp_path: Path, where: str) -> None:
    models_dir = tmp_path / "models"
    models_dir.mkdir()
    recipe = replace(PLAIN, base=tmp_path / "base.gguf")
    path = put(recipe, tmp_path if where == "beside the base" else models_dir)

    assert recipe.find(models_dir) == Built(path, sha256_of(path))


def change_a_byte(path: Path) -> None:
    path.write_bytes(CONTENT[:-1] + b"!")


def cut(path: Path) -> None:
    path.write_bytes(CONTENT[:-1])


def lose_the_record(path: Path) -> None:
    path.with_name(path.name + ".build.json").unlink()


def break_the_record(path: Path) -> None:
    path.with_name(path.name + ".build.json").write_text('{"models": 1')


def swap_the_record(path: Path) -> None:
    record = Record.read(path)
    assert record is not None
    replace(record, inputs={**record.inputs, "llama_cpp_python": "0.0.1"}).write(path)


@pytest.mark.parametrize(
    "spoil",
    [change_a_byte, cut, lose_the_record, break_the_record, swap_the_record, Path.unlink],
    ids=lambda spoil: spoil.__name__,
)
def test_a_file_that_changed_since_its_build_is_not_found(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(put(PLAIN, tmp_path))

    assert PLAIN.find(tmp_path) is None


def test_a_file_is_removed_when_its_model_is_served_from_another(tmp_path: Path) -> None:
    put(replace(PLAIN, quantise="q8_0"), tmp_path)
    new = put(PLAIN, tmp_path)
    record_served_file("one", tmp_path, new)

    assert {path.name.removeprefix(new.name) for path in tmp_path.iterdir()} == {
        "",
        ".build.json",
        ".sha256.json",
    }


def test_a_shared_file_is_kept_until_no_model_needs_it(tmp_path: Path) -> None:
    path = put(PLAIN, tmp_path)
    record_served_file("two", tmp_path, path)
    record_served_file("one", tmp_path, None)
    stayed = path.is_file()
    record_served_file("two", tmp_path, None)

    assert stayed
    assert not path.exists()


def test_files_of_other_models_and_unknown_files_are_kept(tmp_path: Path) -> None:
    other = put(replace(PLAIN, model="two", base_sha256="c" * 64), tmp_path)
    mine = tmp_path / "mine.gguf"
    mine.write_bytes(CONTENT)
    record_served_file("one", tmp_path, None)

    assert other.is_file()
    assert mine.is_file()
