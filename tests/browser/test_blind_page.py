"""The page on which people judge pairs blind: opened from a file, it keeps and saves their answers."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import WIDTHS, Scheme, Visitors
from training.evaluation.blind import KEY, PAGE, Key, answers_in, draw, key_as_json, read
from training.evaluation.judge import Pair, Side

pytestmark = pytest.mark.browser

PAIRS = [
    Pair(f"p{n}", f"A shorter way to the {n} o'clock bus", f"<b>first</b> {n}", f"second {n}")
    for n in range(4)
]


@pytest.fixture(autouse=True)
def key(tmp_path: Path) -> Key:
    """Of the page that lies beside it."""
    html, key = draw(PAIRS, kind="ideas", seed=1)
    (tmp_path / PAGE.format(kind="ideas")).write_text(html, encoding="utf-8")
    (tmp_path / KEY.format(kind="ideas")).write_text(json.dumps(key_as_json(key)))
    return key


@pytest.fixture
def visit_page(chromium: Browser, tmp_path: Path) -> Iterator[Visitors]:
    with ExitStack() as stack:
        visitors = Visitors(chromium, (tmp_path / PAGE.format(kind="ideas")).as_uri(), stack)
        yield visitors
    visitors.traps.check()


def choose(page: Page, number: int, **answers: str) -> None:
    """By the words that stand beside the buttons."""
    section = page.locator("section").nth(number - 1)
    for group, answer in answers.items():
        legend = {"a": "Text A is", "b": "Text B is", "better": "The better one is"}[group]
        fieldset = section.get_by_role("group", name=legend)
        fieldset.get_by_label(answer, exact=True).check()


def checked(page: Page) -> list[str]:
    found: list[str] = page.locator("input:checked").evaluate_all(
        "all => all.map(one => one.name + '=' + one.value)"
    )
    return found


def test_what_is_chosen_is_kept_saved_and_counted(
    visit_page: Visitors, tmp_path: Path, key: Key
) -> None:
    page = visit_page()
    page.goto(visit_page.traps.base)
    tuned = {number: "B" if left == "base" else "A" for number, left in key.left.items()}
    choose(page, 1, a="useful", b="useful", better=tuned["1"])
    choose(page, 2, a="not useful", b="passable", better="neither")
    choose(page, 3, better="B" if tuned["3"] == "A" else "A")
    # Without a word on which is better, a pair is not judged.
    choose(page, 4, a="useful")
    before = checked(page)

    page.reload()

    expect(page.get_by_role("status")).to_have_text("3 of 4 judged")
    assert len(before) == 8
    assert checked(page) == before
    choose(page, 3, better=tuned["3"])
    with page.expect_download() as download:
        page.get_by_role("button", name="Save answers").click()
    download.value.save_as(tmp_path / download.value.suggested_filename)
    (answers,) = answers_in(tmp_path, "ideas")
    found = read(tmp_path / KEY.format(kind="ideas"), answers)
    assert (found.pairs, found.wins, found.losses) == (3, 2, 0)
    assert (found.useful["tuned"].value, found.useful["base"].value) == (0.5, 0.5)
    passable: Side = "tuned" if tuned["2"] == "B" else "base"
    assert found.passable[passable].value == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_fits_and_shows_texts_as_they_are(
    visit_page: Visitors, width: int, scheme: Scheme
) -> None:
    page = visit_page(width=width, scheme=scheme)
    page.goto(visit_page.traps.base)

    wide, seen = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert wide <= seen
    expect(page.get_by_text("<b>first</b>")).to_have_count(4)


def test_a_browser_that_keeps_nothing_says_so(visit_page: Visitors) -> None:
    page = visit_page()
    page.add_init_script(
        "Object.defineProperty(window, 'localStorage', {get() { throw new Error('closed'); }})"
    )
    page.goto(visit_page.traps.base)

    choose(page, 1, better="A")

    expect(page.get_by_role("status")).to_contain_text(
        "1 of 4 judged. This browser does not keep your answers"
    )
