"""The board comes first: what is above the fold, how cards are packed, and what opens an idea."""

import itertools
import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import WIDTHS, Pool, Visitors

pytestmark = pytest.mark.browser
GAP_PX = 16
# Browsers round heights and rows to whole pixels.
ROUNDING_PX = 2
TEXTS = ("", "One line.", "A text of some words that fill a few lines of a card. " * 4)
BOXES = """cards => cards.map(card => {
  const box = card.getBoundingClientRect();
  return {id: card.id, left: box.left, top: box.top, bottom: box.bottom};
})"""
IS_HIDDEN = """link => {
  const box = link.getBoundingClientRect();
  const bar = document.querySelector(".toolbar").getBoundingClientRect();
  return box.top < bar.bottom && box.bottom > bar.top;
}"""


@pytest.fixture
def ideas(pool: Pool) -> list[str]:
    """The ids of ideas with texts of different lengths, the newest first."""
    made = [
        pool.add(f"Idea {number}", TEXTS[number * 5 % 3], tags=["street", "food"][: number % 3])
        for number in range(14)
    ]
    return [idea.id for idea in reversed(made)]


def boxes(page: Page) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = page.locator("#ideas > .card").evaluate_all(BOXES)
    return found


@pytest.mark.parametrize("width", WIDTHS)
def test_the_first_idea_is_seen_without_scrolling(
    visit: Visitors, ideas: list[str], width: int
) -> None:
    page = visit(width=width)
    page.goto("/")

    box = page.locator(f"#idea-{ideas[0]}").bounding_box()

    assert box is not None
    assert box["y"] + box["height"] <= WIDTHS[width]
    expect(page.get_by_role("heading", level=1)).to_have_text("My ideas")
    expect(page.get_by_role("heading", level=1)).to_be_in_viewport()
    expect(page.locator("#topic")).to_be_in_viewport()
    expect(page.locator("#brainstorm")).to_be_in_viewport()


@pytest.mark.usefixtures("ideas")
def test_cards_stand_in_their_order_without_holes(page: Page) -> None:
    page.goto("/")
    assert_packed(page)
    page.set_viewport_size({"width": 800, "height": 900})
    assert_packed(page)


def test_a_deleted_card_leaves_no_hole(page: Page, ideas: list[str]) -> None:
    page.goto("/")
    card = page.locator(f"#idea-{ideas[2]}")

    card.hover()
    card.get_by_role("button", name="Delete").click()

    expect(card).to_have_count(0)
    assert_packed(page)


def assert_packed(page: Page) -> None:
    """Each column is without gaps but the usual one, and no card starts above the one before it."""
    page.evaluate(
        "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )
    cards = boxes(page)
    columns: dict[int, list[dict[str, Any]]] = {}
    for card in cards:
        columns.setdefault(round(card["left"]), []).append(card)

    assert len(columns) > 1
    assert [card["top"] for card in cards] == sorted(card["top"] for card in cards)
    gaps = [
        lower["top"] - upper["bottom"]
        for column in columns.values()
        for upper, lower in itertools.pairwise(column)
    ]
    assert gaps
    assert max(gaps) <= GAP_PX + ROUNDING_PX
    assert min(gaps) >= GAP_PX - ROUNDING_PX


@pytest.mark.parametrize("has_script", [True, False], ids=["with scripts", "without scripts"])
def test_a_click_anywhere_on_a_card_opens_its_idea(
    visit: Visitors, pool: Pool, has_script: bool
) -> None:
    idea = pool.add("Soup", "One pot for the whole street.")
    page = visit(java_script_enabled=has_script)
    for place in (".card-text", ".card-foot time"):
        page.goto("/")
        spot = page.locator(f"#idea-{idea.id} {place}").bounding_box()
        assert spot is not None
        page.mouse.click(spot["x"] + 5, spot["y"] + 5)

        expect(page).to_have_url(re.compile(f"/ideas/{idea.id}$"))


def test_the_text_of_a_card_can_be_selected(page: Page, pool: Pool) -> None:
    pool.add("Soup", "One pot for the whole street.")
    page.goto("/")
    box = page.locator("#ideas .card-text").bounding_box()
    assert box is not None

    page.mouse.move(box["x"] + 1, box["y"] + 8)
    page.mouse.down()
    page.mouse.move(box["x"] + 120, box["y"] + 8, steps=4)
    page.mouse.up()

    assert page.evaluate("getSelection().toString()").startswith("One pot")
    assert "/boards/" in page.url


@pytest.mark.usefixtures("ideas")
def test_the_options_open_with_the_topic_and_close_without_it(page: Page) -> None:
    page.goto("/")
    expect(page.locator("#method")).to_be_hidden()

    page.locator("#topic").focus()
    expect(page.locator("#method")).to_be_visible()
    page.locator("#method").select_option("scamper")
    expect(page.locator("#method")).to_be_visible()
    page.locator("#method").press("Escape")
    expect(page.locator("#method")).to_be_hidden()
    expect(page.locator("#ask-more > summary")).to_be_focused()
    page.locator("#topic").focus()
    page.locator("#q").click()

    expect(page.locator("#method")).to_be_hidden()
    expect(page.locator("#method")).to_have_value("scamper")


@pytest.mark.usefixtures("ideas")
def test_the_options_open_without_scripts(visit: Visitors) -> None:
    page = visit(java_script_enabled=False)
    page.goto("/")
    expect(page.locator("#method")).to_be_hidden()

    page.locator("#ask-more > summary").click()

    expect(page.locator("#method")).to_be_visible()


def test_an_empty_board_asks_what_ideas_are_wanted(page: Page) -> None:
    page.goto("/")
    expect(page.locator("#method")).to_be_visible()
    expect(page.get_by_text("What do you want ideas for?")).to_be_visible()

    page.locator("#new-title").fill("Soup")
    page.locator("#add-idea").click()

    expect(page.locator("#ideas h3")).to_have_text(["Soup"])
    expect(page.locator("#method")).to_be_hidden()


@pytest.mark.parametrize("width", WIDTHS)
def test_the_search_stays_in_view_and_hides_no_focused_card(
    visit: Visitors, pool: Pool, width: int
) -> None:
    for number in range(20):
        pool.add(f"More {number}", TEXTS[2])
    page = visit(width=width)
    page.goto("/")
    page.mouse.wheel(0, 1400)
    expect(page.locator("#q")).to_be_in_viewport()

    last = page.locator("#ideas h3 a").last
    last.focus()
    for _ in range(40):
        page.keyboard.press("Shift+Tab")
        here = page.locator("#ideas :focus")
        if here.count():
            assert not here.evaluate(IS_HIDDEN)


@pytest.mark.usefixtures("ideas")
def test_the_filters_of_a_phone_are_in_a_menu(visit: Visitors) -> None:
    page = visit(width=390)
    page.goto("/")
    heights = page.locator(".toolbar").bounding_box()
    assert heights is not None
    assert heights["height"] < 70
    expect(page.locator("#filter-status")).to_be_hidden()

    page.locator("#filter-menu > summary").click()
    page.locator("#filter-tags > summary").click()
    page.locator("#filter-tags").get_by_label("food").check()

    expect(page.locator("#count")).to_contain_text(re.compile(r"\d ideas found"))
    expect(page.locator("#filter-menu")).to_have_attribute("open", "")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(page.locator("#filter-status")).to_be_hidden()
