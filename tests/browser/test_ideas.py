"""Ideas in the browser: written down, found, changed, deleted and taken back."""

import re

import pytest
from playwright.sync_api import Page, expect

from service.schemas.ideas import IdeaUpdate
from service.store.listing import IdeaQuery
from tests.browser.conftest import Pool, Visitors

pytestmark = pytest.mark.browser


def test_an_idea_is_written_down_with_text_and_tags(page: Page) -> None:
    page.goto("/")
    page.get_by_label("New idea").fill("A shelf for borrowed tools")
    page.locator("#add-more > summary").click()
    page.locator("#new-body").fill("Neighbours lend **drills** and ladders.")
    page.locator("#new-tags").fill("cheap, indoors")
    page.get_by_role("button", name="Add", exact=True).click()

    card = page.locator("#ideas .card:not(.add)")
    expect(card.get_by_role("link", name="A shelf for borrowed tools", exact=True)).to_be_visible()
    expect(card).to_contain_text("Neighbours lend drills and ladders.")
    expect(card.locator(".tag")).to_have_text(["cheap", "indoors"])
    expect(page.get_by_label("New idea")).to_have_value("")
    expect(page.get_by_label("New idea")).to_be_focused()


def test_search_narrows_the_board_while_typing(page: Page, pool: Pool) -> None:
    pool.add("Soup from one pot", "minestrone", tags=["food"])
    pool.add("Chalk the whole road", star=True)
    page.goto("/")

    page.get_by_label("Search", exact=True).fill("minest")

    expect(page.locator("#count")).to_contain_text("1 idea found")
    expect(page).to_have_url(re.compile(r"\?q=minest&view=cards$"))
    expect(page.get_by_label("Search", exact=True)).to_be_focused()
    page.get_by_label("Search", exact=True).fill("")
    expect(page.locator("#ideas .card:not(.add)")).to_have_count(2)
    page.get_by_text("Starred").click()
    expect(page.locator("#ideas .card h3")).to_have_text(["Chalk the whole road"])
    page.reload()
    expect(page.locator("#ideas .card h3")).to_have_text(["Chalk the whole road"])


def test_more_ideas_come_while_scrolling_and_by_a_link_without_scripts(
    visit: Visitors, pool: Pool
) -> None:
    for number in range(65):
        pool.add(f"Idea {number}")
    page = visit()
    page.goto("/")
    cards = page.locator("#ideas .card:not(.add)")
    expect(cards).to_have_count(30)

    page.locator("#more").scroll_into_view_if_needed()
    expect(cards).to_have_count(60)
    page.locator("#more").scroll_into_view_if_needed()
    expect(cards).to_have_count(65)
    expect(page.get_by_role("link", name="Show more")).to_have_count(0)

    plain = visit(java_script_enabled=False)
    plain.goto("/")
    plain.get_by_role("link", name="Show more").click()
    expect(plain.locator("#ideas .card h3").first).to_have_text("Idea 34")


def test_a_star_on_a_card_leaves_the_list_as_it_is(page: Page, pool: Pool) -> None:
    for number in range(40):
        pool.add(f"Idea {number}")
    page.goto("/")
    page.locator("#more").scroll_into_view_if_needed()
    expect(page.locator("#ideas .card:not(.add)")).to_have_count(40)
    card = page.locator("#ideas .card").last

    card.locator(".star").click()

    expect(card.locator(".star")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#ideas .card:not(.add)")).to_have_count(40)


@pytest.mark.parametrize("has_script", [True, False], ids=["with scripts", "without scripts"])
def test_a_deleted_idea_comes_back_by_undo(visit: Visitors, pool: Pool, has_script: bool) -> None:
    pool.add("Soup from one pot")
    pool.add("Chalk the whole road")
    page = visit(java_script_enabled=has_script)
    page.goto("/")

    card = page.locator("#ideas .card", has_text="Soup from one pot")
    card.hover()
    card.get_by_role("button", name="Delete").click()
    expect(page.locator("#ideas .card h3")).to_have_text(["Chalk the whole road"])
    page.get_by_role("button", name="Undo").click()

    expect(page.locator("#ideas .card h3")).to_have_text(
        ["Chalk the whole road", "Soup from one pot"]
    )


@pytest.mark.parametrize("has_script", [True, False], ids=["with scripts", "without scripts"])
def test_a_lost_update_shows_both_texts(visit: Visitors, pool: Pool, has_script: bool) -> None:
    visit.traps.expect("409")
    idea = pool.add("Tool shelf", "A shelf in the hall.", tags=["cheap"])
    page = visit(java_script_enabled=has_script)
    page.goto(f"/ideas/{idea.id}")
    page.locator("#editor > summary").click()
    page.locator("#text").fill("A shelf in the cellar.")
    pool.store.ideas.update(idea.id, IdeaUpdate(body="A shelf under the stairs."))

    page.locator("#save").click()

    expect(page.locator("#theirs")).to_contain_text("A shelf under the stairs.")
    expect(page.locator("#mine-text")).to_have_value("A shelf in the cellar.")
    page.locator("#save-mine").click()
    expect(page.locator("#body")).to_contain_text("A shelf in the cellar.")
    assert [version.body for version in pool.store.ideas.versions(idea.id)] == [
        "A shelf in the cellar.",
        "A shelf under the stairs.",
        "A shelf in the hall.",
    ]


def test_an_old_version_is_restored(page: Page, pool: Pool) -> None:
    idea = pool.add("Tool shelf", "A shelf in the hall.")
    pool.store.ideas.update(idea.id, IdeaUpdate(body="Something worse."))
    page.goto(f"/ideas/{idea.id}")

    page.locator("#version-1 > summary").click()
    page.locator("#restore-1").click()

    expect(page.locator("#body")).to_have_text("A shelf in the hall.")
    expect(page.locator(".versions > li")).to_have_count(3)


@pytest.mark.parametrize("change", ["accept", "edit", "reject"])
def test_a_refinement_is_decided_on(page: Page, pool: Pool, change: str) -> None:
    idea = pool.add("tool shelf", "shelf in the entrance hall, people lend drills")
    page.goto(f"/ideas/{idea.id}")
    page.get_by_role("button", name="Add a first step").click()
    expect(page.locator("#diff del").first).to_be_visible()
    expect(page.locator("#diff ins").first).to_be_visible()
    expect(page.locator("#own-note li")).to_have_count(1)

    if change == "edit":
        page.locator("#edit-proposal").click()
        page.locator("#mine-text").fill("Entirely in my own words.")
        page.locator("#save-mine").click()
    else:
        page.locator(f"#{change}").click()
    expect(page.locator("#diff")).to_have_count(0)

    titles = {"accept": "A lending shelf for tools", "edit": "A lending shelf for tools"}
    expect(page.get_by_role("heading", level=1)).to_have_text(titles.get(change, "tool shelf"))
    versions = {"accept": 2, "edit": 3, "reject": 1}
    assert len(pool.store.ideas.versions(idea.id)) == versions[change]


def test_an_evaluation_is_marked_when_the_text_moves_on(page: Page, pool: Pool) -> None:
    idea = pool.add("Tool shelf", "A shelf in the hall.")
    page.goto(f"/ideas/{idea.id}")

    page.locator("#evaluate").click()
    expect(page.locator("#evaluation meter")).to_have_count(4)
    expect(page.get_by_text("rough estimate")).to_be_visible()
    expect(page.locator("#stale")).to_have_count(0)
    page.locator("#editor > summary").click()
    page.locator("#text").fill("A shelf in the cellar.")
    page.locator("#save").click()

    expect(page.locator("#stale")).to_be_visible()
    expect(page.locator("#editor")).not_to_have_attribute("open", "")


def test_boards_are_created_renamed_deleted_and_restored(
    page: Page, visit: Visitors, pool: Pool
) -> None:
    # The page hears that its board is gone, and asks for it, before it has the answer to its own click.
    visit.traps.expect("404")
    page.goto("/")
    page.locator(".boards-menu > summary").click()
    page.get_by_label("New board").fill("Winter evenings")
    page.get_by_role("button", name="Create").click()
    expect(page.locator(".menu-now")).to_have_text("Winter evenings")

    page.locator(".board-settings > summary").click()
    page.get_by_label("Goal").fill("Warm and cheap.")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".board-settings > summary")).to_contain_text("Warm and cheap.")
    page.locator(".board-settings > summary").click()
    page.get_by_role("button", name="Delete this board").click()
    expect(page.locator(".menu-now")).to_have_text("My ideas")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#flash")).to_contain_text("is back")

    assert [board.name for board in pool.store.boards.all()] == ["My ideas", "Winter evenings"]


def test_the_theme_is_chosen_and_remembered(page: Page) -> None:
    page.goto("/")
    page.locator(".more-menu > summary").click()
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")

    page.reload()

    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_an_unreachable_server_is_reported_and_nothing_is_lost(visit: Visitors, pool: Pool) -> None:
    visit.traps.expect("ERR_")
    visit.traps.expect("htmx:error")
    page = visit()
    page.goto("/")
    page.get_by_label("New idea").fill("Not lost")
    page.context.set_offline(True)

    page.get_by_role("button", name="Add", exact=True).click()

    expect(page.locator("#alerts")).to_contain_text("cannot be reached")
    expect(page.get_by_label("New idea")).to_have_value("Not lost")
    page.context.set_offline(False)
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("#ideas .card h3")).to_have_text(["Not lost"])
    assert pool.store.ideas.count(IdeaQuery()) == 1
