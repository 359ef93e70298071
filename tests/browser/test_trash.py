"""The trash in a browser: with scripts, without, and by the keyboard alone."""

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


def deleted(pool: Pool, *titles: str) -> None:
    for title in titles:
        pool.store.ideas.delete(pool.add(title).id)


def titles(pool: Pool, *, in_trash: bool = False) -> list[str]:
    return [idea.title for idea in pool.store.ideas.page(IdeaQuery(deleted=in_trash)).items]


@both_ways
def test_a_deleted_idea_is_restored_from_the_trash_after_a_reload(
    visit: Visitors, pool: Pool, has_script: bool
) -> None:
    pool.add("Tool shelf")
    page = visit(java_script_enabled=has_script)
    page.goto("/")
    page.get_by_role("button", name="Delete “Tool shelf”").click()
    expect(page.locator("#trash-link")).to_contain_text("Trash 1")
    page.reload()

    page.get_by_role("link", name="Open the trash").click()
    page.get_by_role("button", name="Restore “Tool shelf”").click()

    expect(page.locator("#flash")).to_contain_text("“Tool shelf” is back.")
    assert titles(pool) == ["Tool shelf"]


@both_ways
def test_selected_ideas_are_restored_and_others_deleted_for_good(
    visit: Visitors, pool: Pool, has_script: bool
) -> None:
    deleted(pool, "Soup from one pot", "Chalk the road", "Tool shelf", "Bread")
    page = visit(java_script_enabled=has_script)
    page.goto(f"/boards/{pool.board_id}/trash")
    expect(page.locator("#bulk")).not_to_be_visible()

    for title in ("Chalk the road", "Tool shelf"):
        page.get_by_label(f"Select “{title}”").check()
    page.locator("#restore-selected").click()
    expect(page.locator("#flash")).to_contain_text("2 ideas are back on the board.")
    page.get_by_label("Select “Bread”").check()
    page.locator("#delete-selected").click()
    expect(page.get_by_role("heading", name="Delete this idea for good?")).to_be_visible()
    page.locator("#confirm").click()

    expect(page.locator("#flash")).to_contain_text("Deleted 1 idea for good.")
    expect(page.locator("#ideas h2")).to_have_text(["Soup from one pot"])
    assert titles(pool) == ["Tool shelf", "Chalk the road"]


@both_ways
def test_the_trash_is_emptied_after_a_question(
    visit: Visitors, pool: Pool, has_script: bool
) -> None:
    deleted(pool, "Soup from one pot", "Tool shelf")
    page = visit(java_script_enabled=has_script, width=390)
    page.goto(f"/boards/{pool.board_id}/trash")

    page.get_by_role("link", name="Empty the trash").click()
    page.get_by_role("link", name="Cancel").click()
    assert len(titles(pool, in_trash=True)) == 2
    page.get_by_role("link", name="Empty the trash").click()
    page.get_by_role("button", name="Delete for good").click()

    expect(page.locator("#flash")).to_contain_text("Deleted 2 ideas for good.")
    assert titles(pool, in_trash=True) == []


@both_ways
def test_a_deleted_board_is_restored_from_the_boards(
    visit: Visitors, pool: Pool, has_script: bool
) -> None:
    board = pool.store.boards.create(BoardCreate(name="Summer trip"))
    pool.store.boards.delete(board.id)
    page = visit(java_script_enabled=has_script)
    page.goto("/boards")

    page.get_by_role("button", name="Restore the board “Summer trip”").click()

    expect(page).to_have_url(re.compile(f"/boards/{board.id}$"))
    expect(page.locator("#flash")).to_contain_text("The board “Summer trip” is back.")


def test_the_keyboard_alone_answers_the_question_before_several_are_deleted(
    page: Page, pool: Pool
) -> None:
    for title in ("Soup from one pot", "Tool shelf"):
        pool.add(title)
    page.goto("/")
    page.get_by_role("link", name="Select all shown").press("Enter")
    delete = page.locator("#bulk .bulk-acts").get_by_role("button", name="Delete")
    delete.focus()

    page.keyboard.press("Enter")
    expect(page.locator("#ask-delete")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#ask-delete")).not_to_be_visible()
    expect(delete).to_be_focused()
    assert len(titles(pool)) == 2
    page.keyboard.press("Enter")
    expect(page.locator("#ask-delete [name=confirmed]")).to_be_focused()
    page.keyboard.press("Enter")

    expect(page.locator("#flash")).to_contain_text("Deleted 2 ideas.")
    expect(page.locator("#ask-delete")).not_to_be_visible()
    expect(page.locator("#trash-link")).to_contain_text("Trash 2")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("z")
    expect(page.locator("#flash")).to_contain_text("2 ideas are back on the board.")
    expect(page.locator("#trash-link")).to_have_text("")


def test_one_selected_idea_is_deleted_without_a_question(page: Page, pool: Pool) -> None:
    pool.add("Soup from one pot")
    pool.add("Tool shelf")
    page.goto("/")

    page.get_by_label("Select “Tool shelf”").check()
    page.locator("#bulk .bulk-acts").get_by_role("button", name="Delete").click()

    expect(page.locator("#flash")).to_contain_text("Deleted 1 idea.")
    assert titles(pool) == ["Soup from one pot"]


def test_the_trash_is_searched(page: Page, pool: Pool) -> None:
    deleted(pool, *(f"Idea {number}" for number in range(6)), "Tool shelf")
    page.goto(f"/boards/{pool.board_id}/trash")

    page.get_by_label("Search", exact=True).fill("tool")

    expect(page.locator("#ideas h2")).to_have_text(["Tool shelf"])
    expect(page.locator("#count")).to_have_text("1 idea found.")
