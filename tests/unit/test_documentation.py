"""The documentation says what is there: generated pages are current, links lead somewhere."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest

from docs.generate import architecture
from docs.generate.markdown import anchor
from docs.generate.outputs import outputs, strays
from docs.generate.setting_page import kind, unit
from service.settings import PROJECT_ROOT, Settings
from training.inference.endpoint import KEY_VARIABLE

PAGES = [
    *PROJECT_ROOT.glob("*.md"),
    *(path for path in (PROJECT_ROOT / "docs").rglob("*.md") if "_site" not in path.parts),
]
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def prose(page: Path) -> str:
    """The page without its code, in which brackets are no links."""
    text = re.sub(r"^(`{3,}).*?^\1$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`", lambda code: re.sub(r"[\[\]()]", "", code.group()), text)


def links(page: Path) -> Iterator[str]:
    yield from LINK.findall(prose(page))
    yield from re.findall(r"<(https?:[^>\s]*)>", prose(page))


def headings(page: Path) -> set[str]:
    return {anchor(one) for one in re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)}


@pytest.fixture(scope="module")
def generated() -> dict[str, str]:
    return outputs()


def test_generated_pages_are_current(generated: dict[str, str]) -> None:
    outdated = [
        path
        for path, content in generated.items()
        if not (PROJECT_ROOT / path).exists() or (PROJECT_ROOT / path).read_text() != content
    ]

    assert outdated == [], "`make reference` writes them"


def test_no_page_of_a_removed_part_of_the_api_is_left(generated: dict[str, str]) -> None:
    assert strays(generated) == []
    assert strays(set(generated) - {"docs/use/rest/ideas.md"}) == ["docs/use/rest/ideas.md"]


def test_generated_pages_do_not_depend_on_the_environment(
    generated: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"IDEAPOOL_TITLE_LIMIT": "77", "IDEAPOOL_MODEL": "small"}.items():
        monkeypatch.setenv(name, value)

    assert outputs() == generated


def test_every_setting_is_documented_with_its_meaning(generated: dict[str, str]) -> None:
    page = generated["docs/operate/settings.md"]
    fields = Settings.model_fields.items()

    assert [name for name, _ in fields if f"| `IDEAPOOL_{name.upper()}` |" not in page] == []
    assert [name for name, field in fields if not field.description] == []
    assert [name for name, field in fields if (field.description or "") not in page] == []


def test_every_setting_that_counts_something_has_a_unit() -> None:
    numbers = [name for name, field in Settings.model_fields.items() if kind(field) in (int, float)]

    assert numbers
    assert [name for name in numbers if not unit(name)] == []


def test_no_documented_setting_is_unknown() -> None:
    known = {f"IDEAPOOL_{name.upper()}" for name in Settings.model_fields} | {KEY_VARIABLE}
    named = {name for page in PAGES for name in re.findall(r"IDEAPOOL_[A-Z_]+\b", page.read_text())}

    assert named - known == set()


def test_every_link_to_a_file_leads_to_one() -> None:
    broken = [
        f"{page.relative_to(PROJECT_ROOT)}: {link}"
        for page in PAGES
        for link in links(page)
        if not urlsplit(link).scheme and not _leads_somewhere(page, link)
    ]

    assert broken == []


@pytest.mark.parametrize("page", ["SECURITY.md", "docs/operate/asvs.md", "docs/design/tests.md"])
def test_every_file_of_the_code_that_a_promise_names_is_there(page: str) -> None:
    named = re.findall(
        r"`((?:tests|service|benchmarks)/[\w/.]+)`", (PROJECT_ROOT / page).read_text()
    )

    assert named
    assert [path for path in named if not (PROJECT_ROOT / path).exists()] == []


def _leads_somewhere(page: Path, link: str) -> bool:
    path, _, heading = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists() or not target.is_relative_to(PROJECT_ROOT):
        return False
    return not heading or heading in headings(target)


def test_links_to_other_sites_are_well_formed() -> None:
    addresses = {link for page in PAGES for link in links(page) if urlsplit(link).scheme}
    local = {"127.0.0.1", "localhost"}

    assert addresses
    for address in addresses:
        parts = urlsplit(address)
        assert parts.scheme == ("http" if parts.hostname in local else "https"), address
        assert parts.hostname in local or "." in (parts.hostname or ""), address


def test_the_readme_is_short() -> None:
    assert len((PROJECT_ROOT / "README.md").read_text().splitlines()) <= 200


def test_the_picture_shows_every_layer_of_the_contract_from_the_top(
    generated: dict[str, str],
) -> None:
    project = {
        "tool": {
            "importlinter": {
                "contracts": [
                    {"type": "forbidden"},
                    {"type": "layers", "containers": ["other"], "layers": ["never"]},
                    {"type": "layers", "containers": ["service"], "layers": ["a", "(b) | c", "d"]},
                ]
            }
        }
    }
    layers = architecture.layers(project)
    places = {
        one.text: float(one.get("y") or 0)
        for one in ElementTree.fromstring(architecture.picture(layers)).iter()
        if one.get("class", "").startswith("name")
    }

    assert layers == [["a"], ["b", "c"], ["d"]]
    assert list(places) == ["a", "b", "c", "d"]
    assert places["a"] < places["b"] == places["c"] < places["d"]
    assert ElementTree.fromstring(generated["docs/images/layers.svg"]).tag.endswith("svg")


def test_a_project_without_the_contract_has_no_picture() -> None:
    with pytest.raises(LookupError, match="service"):
        architecture.layers({"tool": {"importlinter": {"contracts": [{"type": "forbidden"}]}}})


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_written_on_a_layer_can_be_read(scheme: str) -> None:
    steps = [architecture._shade(architecture.FILLS[scheme], step / 40) for step in range(41)]
    best = [max(architecture._contrast(ink, fill) for ink in architecture.INKS) for fill in steps]

    assert min(best) >= 4.5


def test_layers_of_many_modules_are_drawn_in_lines_that_do_not_overlap() -> None:
    picture = ElementTree.fromstring(architecture.picture([["one"], list("abcdefghi"), ["two"]]))
    tops = sorted({float(one.get("y") or 0) for one in picture.iter() if one.get("height") == "58"})

    assert len(tops) == 5
    assert all(below - above >= 58 for above, below in pairwise(tops))


def test_no_module_uses_the_disk_cache_that_the_security_policy_names() -> None:
    modules = [
        path
        for package in ("service", "training")
        for path in (PROJECT_ROOT / package).rglob("*.py")
    ]

    assert "`diskcache`" in (PROJECT_ROOT / "SECURITY.md").read_text()
    assert [path for path in modules if "diskcache" in path.read_text().lower()] == []


def test_every_row_of_the_readme_s_tree_is_there() -> None:
    tree = (PROJECT_ROOT / "README.md").read_text().partition("## Where things are")[2]
    rows = tree.split("```")[1].strip().splitlines()
    missing: list[str] = []
    for row in rows:
        names = re.split(r" {2,}", row.strip())[0].split()
        folder = PROJECT_ROOT / "service" if row.startswith("  ") else PROJECT_ROOT
        missing += [name for name in names if not (folder / name).exists()]

    assert len(rows) >= 16
    assert missing == []


def test_every_module_that_a_page_runs_is_there() -> None:
    run = {
        name
        for page in PAGES
        for name in re.findall(
            r"python -m ((?:benchmarks|docs|service|training)[\w.]*)", page.read_text()
        )
    }
    missing = [
        name
        for name in run
        if not (PROJECT_ROOT / f"{name.replace('.', '/')}.py").exists()
        and not (PROJECT_ROOT / name.replace(".", "/") / "__main__.py").exists()
    ]

    assert run
    assert missing == []
