"""Pages of the documentation site that are files of the repository."""

import re

import pytest

from docs.mirrored import MIRRORED, relinked, source
from service.settings import PROJECT_ROOT


@pytest.mark.parametrize(
    ("page", "text", "expected"),
    [
        ("use/rest", "[a](import-export.md)", "[a](import-export.md)"),
        ("use/rest", "[a](../../SECURITY.md)", "[a](../project/security.md)"),
        ("use/rest", "[a](../../SECURITY.md#part)", "[a](../project/security.md#part)"),
        ("use/rest", "[a](../../LICENSE)", "[a](../../LICENSE)"),
        ("project/security", "[a](docs/use/rest.md)", "[a](../use/rest.md)"),
        ("project/contributing", "[a](CHANGELOG.md)", "[a](changelog.md)"),
        ("train/report", "![a](plots/b.png)", "![a](../../training/plots/b.png)"),
        ("use/rest", "[a](#part) [b](https://c.de/f.md)", "[a](#part) [b](https://c.de/f.md)"),
    ],
)
def test_links_lead_where_they_led_before(page: str, text: str, expected: str) -> None:
    assert relinked(text, page) == expected


def test_every_mirrored_file_is_there_and_its_page_links_to_it() -> None:
    for page, file in MIRRORED.items():
        stub = (PROJECT_ROOT / "docs" / f"{page}.md").read_text()
        linked = re.search(r"\((.+?)\)", stub)

        assert linked is not None
        assert (PROJECT_ROOT / "docs" / page).parent.joinpath(linked[1]).resolve() == (
            PROJECT_ROOT / file
        )
        assert (PROJECT_ROOT / file).exists()


def test_every_card_of_a_model_is_a_page() -> None:
    cards = {f"models/{path.name}" for path in (PROJECT_ROOT / "models").glob("*.md")}

    assert cards <= set(MIRRORED.values())


def test_other_pages_are_their_own_source() -> None:
    assert source("use/rest") == "docs/use/rest.md"
    assert source("train/report") == "training/REPORT.md"
