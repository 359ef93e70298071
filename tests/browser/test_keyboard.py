"""The whole story by keyboard alone: from a topic to a ranking that one takes away."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Pool, settled

pytestmark = pytest.mark.browser
MOST_TABS = 90


def tab_to(page: Page, target: Locator, key: str = "Tab") -> None:
    expect(target).to_be_visible()
    for _ in range(MOST_TABS):
        if target.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press(key)
    raise AssertionError(f"{MOST_TABS} tabs do not lead to {target}")


def press_on(page: Page, target: Locator) -> None:
    tab_to(page, target)
    page.keyboard.press("Enter")


def leave_field(page: Page) -> None:
    """Single keys are letters while one writes."""
    page.keyboard.press("Tab")


def test_the_keyboard_alone_leads_from_a_topic_to_a_ranking(page: Page) -> None:
    page.goto("/")
    _brainstorm_and_open(page)
    _refine_and_evaluate(page)
    _back_to_the_board_with_another_idea(page)
    press_on(page, page.locator("#rank-link"))
    page.wait_for_url("**/rank")
    expect(page.locator("#vote-first")).to_be_visible()
    page.keyboard.press("1")
    expect(page.locator("#ranking tbody tr")).to_have_count(2)
    with page.expect_download() as download:
        press_on(page, page.get_by_role("link", name="CSV"))

    assert download.value.suggested_filename.endswith(".csv")


def _brainstorm_and_open(page: Page) -> None:
    # A form that is sent before htmx has seen it loads the page anew, which works without a focus.
    expect(page.locator("#ask-form[data-htmx-powered]")).to_be_visible()
    page.keyboard.press("b")
    page.keyboard.type("a party for the street")
    page.keyboard.press("Enter")
    expect(page.locator("#run-title")).to_be_focused()
    expect(page.locator("#keep-all")).to_be_visible()
    settled(page)
    press_on(page, page.locator("#run").get_by_role("button", name="Keep “").first)
    expect(page.locator("#run .is-kept")).to_have_count(1)
    press_on(page, page.locator("#run .is-kept").get_by_role("link", name=re.compile("^Open")))
    page.wait_for_url("**/ideas/*")


def _refine_and_evaluate(page: Page) -> None:
    page.keyboard.press("r")
    expect(page.locator("#instruction")).to_be_focused()
    page.keyboard.type("mention the rain plan")
    press_on(page, page.locator("#refine"))
    expect(page.locator("#run-title")).to_be_focused()
    press_on(page, page.locator("#accept"))
    expect(page.locator("#accept")).to_have_count(0)
    page.keyboard.press("e")
    expect(page.locator("#evaluate")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#evaluation meter")).to_have_count(4)


def _back_to_the_board_with_another_idea(page: Page) -> None:
    tab_to(page, page.locator(".crumb a").first, "Shift+Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/boards/*")
    page.keyboard.press("n")
    page.keyboard.type("Written without a mouse")
    page.keyboard.press("Enter")
    expect(page.locator("#ideas li.card[tabindex]")).to_have_count(2)
    leave_field(page)


def test_j_and_k_walk_through_the_cards(page: Page, pool: Pool) -> None:
    first, second = pool.add("First"), pool.add("Second")
    page.goto("/")
    cards = {name: page.locator(f"#idea-{one.id}") for name, one in (("1", first), ("2", second))}

    page.keyboard.press("j")
    expect(cards["2"]).to_be_focused()
    page.keyboard.press("j")
    expect(cards["1"]).to_be_focused()
    page.keyboard.press("j")
    expect(cards["1"]).to_be_focused()
    page.keyboard.press("k")
    expect(cards["2"]).to_be_focused()


@pytest.mark.parametrize("key", ["x", "Space"])
def test_the_focused_card_is_selected_and_opened_by_keys(page: Page, pool: Pool, key: str) -> None:
    idea = pool.add("Soup")
    page.goto("/")

    page.keyboard.press("j")
    page.keyboard.press(key)
    expect(page.locator(f"#pick-{idea.id}")).to_be_checked()
    expect(page.locator("#bulk-count")).to_have_text("1 selected")
    expect(page.locator(f"#idea-{idea.id}")).to_be_focused()
    page.keyboard.press(key)
    expect(page.locator(f"#pick-{idea.id}")).not_to_be_checked()
    page.keyboard.press("Enter")

    page.wait_for_url(f"**/ideas/{idea.id}")


@pytest.mark.parametrize(("key", "wanted"), [("b", "branch-method"), ("r", "instruction")])
def test_single_keys_act_on_the_open_idea(page: Page, pool: Pool, key: str, wanted: str) -> None:
    page.goto(f"/ideas/{pool.add('Soup').id}")

    page.keyboard.press(key)

    expect(page.locator(f"#{wanted}")).to_be_focused()


def test_escape_leaves_a_card_that_is_edited_and_asks_before_it_discards(
    page: Page, pool: Pool
) -> None:
    idea = pool.add("Soup")
    page.goto("/")
    card = page.locator(f"#idea-{idea.id}")
    for typed in ("", " from one pot"):
        page.locator(f"#edit-{idea.id}").focus()
        page.keyboard.press("Enter")
        expect(card.get_by_label("Title")).to_be_focused()
        page.keyboard.press("End")
        page.keyboard.type(typed)
        page.keyboard.press("Escape")
        if typed:
            expect(card.get_by_role("alert")).to_contain_text("Press Escape again")
            expect(card.get_by_label("Title")).to_have_value("Soup from one pot")
            page.keyboard.press("Escape")

        expect(card.locator("h3")).to_have_text("Soup")
        expect(card).to_be_focused()
    assert pool.store.ideas.get(idea.id).title == "Soup"


def test_escape_closes_the_editor_of_an_idea_and_keeps_a_draft(page: Page, pool: Pool) -> None:
    idea = pool.add("Soup", "In one pot.")
    page.goto(f"/ideas/{idea.id}")
    page.locator("#editor > summary").click()
    page.locator("#text").fill("In two pots.")

    page.keyboard.press("Escape")

    expect(page.locator("#editor")).not_to_have_attribute("open", "")
    expect(page.locator("#editor > summary")).to_be_focused()
    expect(page.locator("#text")).to_have_value("In one pot.")
    page.reload()
    page.get_by_role("button", name="Continue writing").click()
    expect(page.locator("#text")).to_have_value("In two pots.")
    expect(page.locator("#text")).to_be_focused()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Discard").click()
    expect(page.locator("#draft-note")).to_be_hidden()
    page.reload()
    expect(page.locator("#draft-note")).to_be_hidden()
    assert pool.store.ideas.get(idea.id).body == "In one pot."
