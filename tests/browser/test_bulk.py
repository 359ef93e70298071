"""Several ideas of a board at once, with and without scripts, and by the keyboard alone."""

import re

import pytest
from playwright.sync_api import Page, expect

from service.schemas.ideas import BoardCreate
from service.store.listing import IdeaQuery
from tests.browser.conftest import Pool, Visitors

pytestmark = pytest.mark.browser
both_ways = pytest.mark.parametrize(
    "has_script", [True, False], ids=["with scripts", "without scripts"]
)


def pick(page: Page, *wanted: str) -> None:
    for title in wanted:
        page.get_by_label(f"Select “{title}”").check()


def confirm(page: Page) -> None:
    """In the dialog, or without scripts on the page that asks."""
    page.locator("#ask-delete[open] [name=confirmed], #confirm").click()


@both_ways
def test_several_ideas_are_archived_and_one_undo_restores_all(
    visit: Visitors, pool: Pool, has_script: bool
) -> None:
    for title in ("Soup from one pot", "Chalk the road", "Tool shelf"):
        pool.add(title)
    page = visit(java_script_enabled=has_script)
    page.goto("/")
    expect(page.locator("#bulk")).not_to_be_visible()

    pick(page, "Chalk the road", "Tool shelf")
    page.locator("#bulk").get_by_role("button", name="Archive").click()

    expect(page.locator("#flash")).to_contain_text("2 ideas are archived.")
    assert pool.store.ideas.count(IdeaQuery(status="archived")) == 2
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#flash")).to_contain_text("Undid the change to 2 ideas.")
    assert pool.store.ideas.count(IdeaQuery(status="draft")) == 3


@both_ways
def test_tags_are_given_to_several_ideas_and_taken_away(
    visit: Visitors, pool: Pool, has_script: bool
) -> None:
    for title in ("Soup from one pot", "Chalk the road", "Tool shelf"):
        pool.add(title, tags=["old"])
    page = visit(java_script_enabled=has_script)
    page.goto("/")

    for button, expected in (("Add", ["cheap", "old"]), ("Remove", ["old"])):
        pick(page, "Chalk the road", "Tool shelf")
        page.locator("#bulk-tags > summary").click()
        page.locator("#bulk-tag").fill("cheap")
        page.locator("#bulk-tags").get_by_role("button", name=button).click()

        card = page.locator("#ideas .card", has_text="Tool shelf")
        expect(card.locator(".tag")).to_have_text(expected)
        expect(page.locator(".pick:checked")).to_have_count(0)
    expect(page.locator("#ideas .card:not(.add)")).to_have_count(3)


@both_ways
def test_all_shown_are_selected_and_deleted(visit: Visitors, pool: Pool, has_script: bool) -> None:
    pool.add("Soup from one pot", tags=["food"])
    pool.add("Chalk the road", tags=["food"])
    pool.add("Tool shelf")
    page = visit(java_script_enabled=has_script)
    address = f"/boards/{pool.board_id}?tag=food&sort=title"
    page.goto(address)

    page.get_by_role("link", name="Select all shown").click()
    page.locator("#bulk").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="Delete 2 ideas?")).to_be_visible()
    assert pool.store.ideas.count(IdeaQuery()) == 3
    confirm(page)

    expect(page.get_by_role("heading", name="Nothing here matches")).to_be_visible()
    expect(page).to_have_url(re.compile(f"{re.escape(address)}$"))
    expect(page.locator("#flash")).to_contain_text("Deleted 2 ideas.")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#ideas .card h3")).to_have_text(["Chalk the road", "Soup from one pot"])
    expect(page.locator(".pick:checked")).to_have_count(0)


@both_ways
def test_ideas_are_moved_to_another_board(visit: Visitors, pool: Pool, has_script: bool) -> None:
    home = pool.board_id
    other = pool.store.boards.create(BoardCreate(name="Summer"))
    pool.add("Soup from one pot")
    pool.add("Tool shelf")
    page = visit(java_script_enabled=has_script)
    page.goto(f"/boards/{home}")

    pick(page, "Tool shelf")
    page.locator("#bulk-move > summary").click()
    page.locator("#bulk-move").get_by_role("button", name="Summer").click()

    expect(page.locator("#ideas .card h3")).to_have_text(["Soup from one pot"])
    expect(page.locator("#flash")).to_contain_text("1 idea moved to “Summer”.")
    assert pool.store.ideas.count(IdeaQuery(board=other.id)) == 1


def test_further_pages_stay_when_some_of_their_ideas_change(page: Page, pool: Pool) -> None:
    for number in range(40):
        pool.add(f"Idea {number}")
    page.goto("/")
    page.locator("#more").scroll_into_view_if_needed()
    expect(page.locator("#ideas .card:not(.add)")).to_have_count(40)

    pick(page, "Idea 0", "Idea 39")
    page.locator("#bulk").get_by_role("button", name="Delete").click()
    confirm(page)

    expect(page.locator("#ideas .card:not(.add)")).to_have_count(38)
    expect(page.locator("#count")).to_have_text("38 ideas")
    expect(page.locator("#bulk")).not_to_be_visible()


def test_the_keyboard_alone_archives_several_and_undoes_it(page: Page, pool: Pool) -> None:
    pool.add("Soup from one pot")
    pool.add("Tool shelf")
    page.goto("/")

    page.get_by_label("Select “Tool shelf”").focus()
    page.keyboard.press("Space")
    expect(page.locator("#bulk-count")).to_have_text("1 selected")
    page.get_by_label("Select “Soup from one pot”").focus()
    page.keyboard.press("Space")
    expect(page.locator("#bulk-count")).to_have_text("2 selected")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("a")
    expect(page.locator("#bulk-tags > summary")).to_be_focused()
    archive = page.locator("#bulk").get_by_role("button", name="Archive")
    for _ in range(10):
        page.keyboard.press("Tab")
        if archive.evaluate("button => button === document.activeElement"):
            break
    page.keyboard.press("Enter")
    expect(page.locator("#flash")).to_contain_text("2 ideas are archived.")
    expect(page.locator("#count")).to_be_focused()
    page.keyboard.press("z")

    expect(page.locator("#flash")).to_contain_text("Undid the change to 2 ideas.")
    assert pool.store.ideas.count(IdeaQuery(status="draft")) == 2


def test_tagging_without_a_tag_asks_for_one(visit: Visitors, pool: Pool) -> None:
    visit.traps.expect("422")
    pool.add("Tool shelf")
    page = visit()
    page.goto("/")

    pick(page, "Tool shelf")
    page.locator("#bulk-tags > summary").click()
    page.locator("#bulk-tags").get_by_role("button", name="Add").click()

    expect(page.locator("#bulk-tag-problem")).to_contain_text("Write a tag first.")
    expect(page.locator(".pick:checked")).to_have_count(1)


def test_the_shift_key_selects_all_in_between(page: Page, pool: Pool) -> None:
    for number in range(5):
        pool.add(f"Idea {number}")
    page.goto("/")

    page.get_by_label("Select “Idea 3”").click()
    page.get_by_label("Select “Idea 1”").click(modifiers=["Shift"])

    expect(page.locator("#bulk-count")).to_have_text("3 selected")
    expect(page.get_by_label("Select “Idea 2”")).to_be_checked()


@both_ways
@pytest.mark.parametrize("button", ["combine", "bulk-evaluate"])
def test_a_run_started_far_down_the_board_scrolls_into_view(
    visit: Visitors, pool: Pool, has_script: bool, button: str
) -> None:
    for number in range(30):
        pool.add(f"Idea {number}", "Neighbours lend each other what they need. " * 4)
    pool.backend.gate.clear()
    page = visit(java_script_enabled=has_script)
    page.goto("/")
    pick(page, "Idea 0", "Idea 1")

    page.locator(f"#{button}").click()

    expect(page.locator("#run-title")).to_be_in_viewport()
    if has_script:
        expect(page.locator("#run-title")).to_be_focused()
        expect(page.locator(".pick:checked")).to_have_count(0)
    pool.backend.gate.set()
