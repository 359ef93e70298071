"""The board's cards and its list: changed in place, narrowed, archived; the boards side by side."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from service.schemas.ideas import BoardCreate, IdeaUpdate
from service.store.listing import IdeaQuery
from tests.browser.conftest import Pool, Visitors

pytestmark = pytest.mark.browser
both_ways = pytest.mark.parametrize(
    "has_script", [True, False], ids=["with scripts", "without scripts"]
)


def card(page: Page, title: str) -> Locator:
    return page.locator("#ideas .card:not(.add)", has_text=title)


@both_ways
def test_an_idea_is_edited_on_the_board_without_leaving_it(
    visit: Visitors, pool: Pool, has_script: bool
) -> None:
    idea = pool.add("Soup", "One pot.", tags=["food"])
    pool.add("Tool shelf")
    page = visit(java_script_enabled=has_script)
    address = f"/boards/{pool.board_id}?sort=title"
    page.goto(address)

    card(page, "Soup").hover()
    page.get_by_role("link", name="Edit “Soup”").click()
    expect(page.get_by_label("Title")).to_be_focused()
    page.get_by_label("Title").fill("Soup for everybody")
    page.get_by_label("Text (Markdown)").fill("Two pots.")
    page.locator("input[id^=tags-]").fill("food, warm")
    page.get_by_role("button", name="Save").click()

    expect(page).to_have_url(re.compile(re.escape(address)))
    expect(page.locator("#ideas .card h3")).to_have_text(["Soup for everybody", "Tool shelf"])
    expect(card(page, "Soup").locator(".tag")).to_have_text(["food", "warm"])
    expect(page.locator("#flash")).to_contain_text("Saved.")
    assert pool.store.ideas.get(idea.id).body == "Two pots."


@pytest.mark.parametrize("words", ["soup", "shelf"], ids=["finds it", "does not"])
def test_a_search_leaves_what_is_being_typed_on_a_card(page: Page, pool: Pool, words: str) -> None:
    idea = pool.add("Soup", "One pot.")
    pool.add("Tool shelf")
    page.goto("/")
    page.locator(f"#edit-{idea.id}").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Text (Markdown)").fill("Not lost.")

    page.get_by_label("Search", exact=True).fill(words)
    expect(page.locator("#count")).to_contain_text("1 idea found.")
    expect(page.get_by_label("Text (Markdown)")).to_have_value("Not lost.")
    page.get_by_role("button", name="Save").click()

    expect(page.locator("#flash")).to_contain_text("Saved.")
    expect(page.locator(".is-edited")).to_have_count(0)
    assert pool.store.ideas.get(idea.id).body == "Not lost."


def test_a_late_edit_on_the_board_shows_both_texts(visit: Visitors, pool: Pool) -> None:
    visit.traps.expect("409")
    idea = pool.add("Soup", "One pot.")
    page = visit()
    page.goto("/")
    page.locator(f"#edit-{idea.id}").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Text (Markdown)").fill("Mine.")
    pool.store.ideas.update(idea.id, IdeaUpdate(body="Theirs."))

    page.get_by_role("button", name="Save").click()

    expect(page.locator("#theirs")).to_contain_text("Theirs.")
    expect(page.locator("#mine-text")).to_have_value("Mine.")


@both_ways
def test_the_status_is_set_on_the_card(visit: Visitors, pool: Pool, has_script: bool) -> None:
    idea = pool.add("Soup")
    page = visit(java_script_enabled=has_script)
    page.goto("/")

    page.locator(f"#status-{idea.id} > summary").click()
    page.locator(f"#status-{idea.id}").get_by_role("button", name="In progress").click()

    expect(page.locator(f"#status-{idea.id} > summary")).to_contain_text("In progress")
    expect(page.locator(f"#status-{idea.id}")).not_to_have_attribute("open", "")
    if has_script:
        expect(page.locator(f"#status-{idea.id} > summary")).to_be_focused()
    assert pool.store.ideas.get(idea.id).status == "in-progress"


@both_ways
def test_an_archived_idea_is_hidden_until_it_is_shown_or_restored(
    visit: Visitors, pool: Pool, has_script: bool
) -> None:
    idea = pool.add("Soup")
    pool.add("Tool shelf")
    page = visit(java_script_enabled=has_script)
    page.goto("/")

    page.locator(f"#status-{idea.id} > summary").click()
    page.locator(f"#status-{idea.id}").get_by_role("button", name="Archived").click()
    expect(page.locator("#ideas .card h3")).to_have_text(["Tool shelf"])
    expect(page.locator("#count")).to_contain_text("1 idea. 1 archived idea is hidden.")
    page.get_by_role("link", name="Show archived ideas too").click()
    expect(page.locator("#ideas .card h3")).to_have_text(["Tool shelf", "Soup"])
    page.go_back()
    if has_script:
        page.goto("/")
        page.locator(f"#idea-{idea.id}").wait_for(state="detached")
        page.get_by_label("Status", exact=True).select_option("archived")
        expect(page.locator("#ideas .card h3")).to_have_text(["Soup"])


@both_ways
def test_undo_reverses_archiving(visit: Visitors, pool: Pool, has_script: bool) -> None:
    idea = pool.add("Soup", status="kept")
    page = visit(java_script_enabled=has_script)
    page.goto("/")
    page.locator(f"#status-{idea.id} > summary").click()
    page.locator(f"#status-{idea.id}").get_by_role("button", name="Archived").click()
    expect(page.get_by_role("heading", name="All ideas are archived")).to_be_visible()

    page.get_by_role("button", name="Undo").click()

    expect(page.locator("#ideas .card h3")).to_have_text(["Soup"])
    assert pool.store.ideas.get(idea.id).status == "kept"


@both_ways
def test_several_tags_narrow_the_board_and_stay_in_the_address(
    visit: Visitors, pool: Pool, has_script: bool
) -> None:
    pool.add("Soup", tags=["cheap", "food"])
    pool.add("Cake", tags=["food"])
    pool.add("Chalk", tags=["cheap"])
    page = visit(java_script_enabled=has_script)
    page.goto("/")

    page.locator("#filter-tags > summary").click()
    counts = page.locator("#filter-tags .menu-count")
    expect(counts).to_have_text(["2", "2"])
    page.locator("#filter-tags").get_by_label("cheap").check()
    if has_script:
        # Of the ideas that are found now.
        expect(counts).to_have_text(["2", "1"])
        expect(page.locator("#filter-tags")).to_have_attribute("open", "")
    page.locator("#filter-tags").get_by_label("food").check()
    if not has_script:
        page.get_by_role("button", name="Show").click()

    expect(page.locator("#ideas .card h3")).to_have_text(["Soup"])
    expect(page).to_have_url(re.compile(r"tag=cheap&tag=food"))
    page.reload()
    expect(page.locator("#ideas .card h3")).to_have_text(["Soup"])


def test_the_last_of_several_tags_is_completed(page: Page, pool: Pool) -> None:
    pool.add("Soup", tags=["cheap", "food"])
    page.goto("/")
    page.locator("#add-more > summary").click()

    page.locator("#new-tags").fill("outside, fo")

    options = page.locator("#known-tags option")
    values = options.evaluate_all("options => options.map(option => option.value)")
    assert sorted(values) == ["outside, cheap", "outside, food"]
    page.locator("#new-tags").fill("fo")
    values = options.evaluate_all("options => options.map(option => option.value)")
    assert sorted(values) == ["cheap", "food"]


def test_focus_moves_to_the_first_of_more_cards(page: Page, pool: Pool) -> None:
    for number in range(35):
        pool.add(f"Idea {number}")
    page.set_viewport_size({"width": 1280, "height": 300})
    page.goto("/")

    page.locator("#more a").evaluate("link => link.focus({preventScroll: true})")
    page.keyboard.press("Enter")

    expect(page.get_by_role("link", name="Idea 4", exact=True)).to_be_focused()


def test_filters_survive_the_next_page_and_a_change(visit: Visitors, pool: Pool) -> None:
    for number in range(40):
        pool.add(f"Idea {number:02}", tags=["a", "b"], star=True)
    pool.add("Other", tags=["a"])
    address = f"/boards/{pool.board_id}?q=idea&tag=a&tag=b&star=true&sort=rank"
    page = visit(java_script_enabled=False)
    page.goto(address)

    page.get_by_role("link", name="Show more").click()
    expect(page.locator("#ideas .card:not(.add)")).to_have_count(10)
    page.get_by_label("Select “Idea 00”").check()
    page.locator("#bulk").get_by_role("button", name="Archive").click()

    expect(page.locator("#ideas .card:not(.add)")).to_have_count(9)
    expect(page.locator("#count")).to_contain_text("39 ideas found. 1 archived idea is hidden.")
    assert "q=idea&star=true" in page.url or "tag=a&tag=b" in page.url


@both_ways
def test_boards_are_listed_created_deleted_and_restored(
    visit: Visitors, pool: Pool, has_script: bool
) -> None:
    summer = pool.store.boards.create(BoardCreate(name="Summer", goal="Nothing but water."))
    pool.add("Soup", board_id=summer.id)
    pool.add("Old soup", board_id=summer.id, status="archived")
    page = visit(java_script_enabled=has_script)
    page.goto("/")
    page.locator(".boards-menu > summary").click()
    page.get_by_role("link", name="All boards").click()

    tile = page.locator(f"#board-{summer.id}")
    expect(tile).to_contain_text("Nothing but water.")
    expect(tile).to_contain_text(re.compile(r"2 ideas\s+1 archived"))
    tile.get_by_role("button", name="Delete the board “Summer”").click()
    expect(tile).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#flash")).to_contain_text("is back")
    page.goto("/boards")
    expect(tile).to_be_visible()
    page.get_by_label("New board", exact=True).last.fill("Winter")
    page.get_by_label("Goal").fill("Warm and cheap.")
    page.locator("#boards").get_by_role("button", name="Create").click()

    expect(page.locator(".menu-now")).to_have_text("Winter")
    assert pool.store.ideas.count(IdeaQuery(board=summer.id)) == 2


@both_ways
def test_an_idea_moves_to_another_board_and_back_by_undo(
    visit: Visitors, pool: Pool, has_script: bool
) -> None:
    summer = pool.store.boards.create(BoardCreate(name="Summer"))
    idea = pool.add("Soup")
    page = visit(java_script_enabled=has_script)
    page.goto(f"/ideas/{idea.id}")

    page.locator("#move > summary").click()
    page.locator("#move").get_by_role("button", name="Summer").click()
    expect(page.locator(".crumb > p")).to_have_text("Summer")
    assert pool.store.ideas.get(idea.id).board_id == summer.id
    page.get_by_role("button", name="Undo").click()

    expect(page.locator(".crumb > p")).to_have_text("My ideas")


def test_undo_reverses_archiving_on_the_page_of_an_idea(page: Page, pool: Pool) -> None:
    idea = pool.add("Soup", status="kept")
    page.goto(f"/ideas/{idea.id}")

    page.locator("#status").select_option("archived")
    expect(page.locator("#flash")).to_contain_text("“Soup” is archived.")
    page.get_by_role("button", name="Undo").click()

    expect(page.locator("#status")).to_have_value("kept")


def test_ideas_deleted_meanwhile_are_reported_and_the_selection_stays(
    visit: Visitors, pool: Pool
) -> None:
    visit.traps.expect("404")
    idea = pool.add("Soup")
    page = visit()
    page.goto("/")
    page.get_by_label("Select “Soup”").check()
    pool.store.ideas.delete(idea.id)

    page.locator("#bulk").get_by_role("button", name="Archive").click()

    expect(page.locator("#alerts")).to_contain_text("1 of the ideas does not exist or was deleted")
    expect(page.locator(".pick:checked")).to_have_count(1)


def test_returning_to_a_long_board_keeps_the_place(page: Page, pool: Pool) -> None:
    ideas = [
        pool.add(f"Idea {number}", "A text of some words. " * (number % 7)) for number in range(70)
    ]
    page.goto("/")
    for count in (60, 70):
        page.locator("#more").scroll_into_view_if_needed()
        expect(page.locator("#ideas .card:not(.add)")).to_have_count(count)
    link = page.locator(f"#idea-{ideas[5].id} h3 a")

    link.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Idea 5")
    page.go_back()

    expect(page.locator("#ideas .card:not(.add)")).to_have_count(70)
    expect(link).to_be_focused()
    expect(link).to_be_in_viewport()
    page.reload()
    expect(page.locator("#ideas .card:not(.add)")).to_have_count(70)
    expect(page).not_to_have_url(re.compile("#"))
