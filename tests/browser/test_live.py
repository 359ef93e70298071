"""Two browsers at one board: each sees what the other does, and is not disturbed by it."""

import pytest
from playwright.sync_api import Locator, Page, expect

from service.schemas.ideas import IdeaUpdate
from tests.browser.conftest import Pool, Visitors

pytestmark = pytest.mark.browser


def card(page: Page, title: str) -> Locator:
    return page.locator("#ideas .card:not(.add)", has_text=title)


def test_what_one_does_the_other_sees(visit: Visitors, pool: Pool) -> None:
    pool.add("Soup", "One pot.")
    one, other = visit(), visit()
    for page in (one, other):
        page.goto("/")
        page.evaluate("window.sameDocument = true")

    one.get_by_label("New idea").fill("Tool shelf")
    one.get_by_role("button", name="Add", exact=True).click()
    expect(card(other, "Tool shelf")).to_be_visible()
    expect(other.locator("#count")).to_contain_text("2 ideas")
    expect(other.locator("#announcer")).to_have_text("Somebody added “Tool shelf”.")

    card(one, "Soup").get_by_role("button", name="Star").click()
    expect(card(other, "Soup").locator(".star")).to_have_attribute("aria-pressed", "true")

    card(one, "Tool shelf").hover()
    card(one, "Tool shelf").get_by_role("button", name="Delete").click()
    expect(card(other, "Tool shelf")).to_have_count(0)
    expect(other.locator("#count")).to_contain_text("1 idea")
    assert other.evaluate("window.sameDocument")
    # What one did oneself is not told again.
    expect(one.locator("#announcer")).to_have_text("")


def test_an_empty_board_fills_and_empties(page: Page, pool: Pool) -> None:
    page.goto("/")
    expect(page.locator("#ideas .empty")).to_be_visible()

    idea = pool.add("Soup")
    expect(card(page, "Soup")).to_be_visible()
    expect(page.locator("#ideas .empty")).to_have_count(0)

    pool.store.ideas.delete(idea.id)
    expect(page.locator("#ideas .empty")).to_be_visible()


@pytest.mark.usefixtures("ada")
def test_typing_is_left_alone_and_ends_in_both_texts(visit: Visitors, pool: Pool) -> None:
    visit.traps.expect("409")
    idea = pool.add("Soup", "One pot.")
    page = visit()
    page.goto("/")
    page.get_by_label("New idea").fill("Half a thought")
    page.locator(f"#edit-{idea.id}").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Text (Markdown)").fill("Mine.")

    pool.store.ideas.update(idea.id, IdeaUpdate(body="Theirs."))
    pool.add("Tool shelf")

    expect(page.locator(".card-note")).to_have_text(
        "Ada changed this idea. Saving shows both texts.", use_inner_text=True
    )
    # A new card would move the editor.
    expect(page.locator("#show-news")).to_have_text("1 new idea – show")
    expect(page.get_by_label("Text (Markdown)")).to_have_value("Mine.")
    expect(page.get_by_label("Text (Markdown)")).to_be_focused()
    expect(page.get_by_label("New idea")).to_have_value("Half a thought")
    expect(card(page, "Tool shelf")).to_have_count(0)

    page.get_by_role("button", name="Save").click()
    expect(page.locator("#theirs")).to_contain_text("Theirs.")
    expect(page.locator("#mine-text")).to_have_value("Mine.")


@pytest.mark.usefixtures("ada")
def test_a_focused_card_is_marked_and_shown_on_request(page: Page, pool: Pool) -> None:
    idea = pool.add("Soup", "One pot.")
    page.goto("/")
    card(page, "Soup").focus()

    pool.store.ideas.update(idea.id, IdeaUpdate(title="Stew"))
    expect(page.locator(".card-note")).to_contain_text("Ada changed this idea.")
    expect(card(page, "Soup")).to_be_focused()

    page.get_by_role("button", name="Show", exact=True).click()
    expect(card(page, "Stew")).to_be_visible()
    expect(page.locator(".card-note")).to_have_count(0)


@pytest.mark.usefixtures("ada")
def test_new_cards_wait_while_one_reads_further_down(page: Page, pool: Pool) -> None:
    for number in range(25):
        pool.add(f"Idea {number}", "Some text to read. " * 12)
    page.goto("/")
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    seen = card(page, "Idea 1").last
    top = seen.bounding_box()

    pool.add("Newest")
    pool.add("Newer still")
    expect(page.locator("#show-news")).to_have_text("2 new ideas – show")
    assert seen.bounding_box() == top
    expect(card(page, "Newest")).to_have_count(0)

    page.locator("#show-news").click()
    expect(card(page, "Newest")).to_be_visible()
    expect(page.locator("#news")).to_be_hidden()


def test_filters_and_the_order_hold(page: Page, pool: Pool) -> None:
    soup = pool.add("Soup", tags=["food"])
    pool.add("Zoo", tags=["food"])
    page.goto(f"/boards/{pool.board_id}?tag=food&sort=title")

    pool.add("Tool shelf")
    pool.add("Stew", tags=["food"])
    expect(page.locator("#ideas .card h3")).to_have_text(["Soup", "Stew", "Zoo"])

    pool.store.ideas.update(soup.id, IdeaUpdate(tags=[]))
    expect(page.locator("#ideas .card h3")).to_have_text(["Stew", "Zoo"])
    expect(page.locator("#count")).to_contain_text("2 ideas found.")


def test_a_browser_that_was_offline_catches_up(visit: Visitors, pool: Pool) -> None:
    visit.traps.expect("ERR_INTERNET_DISCONNECTED")
    visit.traps.expect("ERR_NETWORK_CHANGED")
    page = visit()
    page.goto("/")
    pool.add("Before")
    expect(card(page, "Before")).to_be_visible()

    page.context.set_offline(True)
    expect(page.locator("#offline")).to_be_visible()
    pool.add("Meanwhile")
    page.context.set_offline(False)

    expect(card(page, "Meanwhile")).to_be_visible()
    expect(page.locator("#offline")).to_be_hidden()


# A browser without a window hides no tab, so the page is told that it is hidden.
HIDE = """(isHidden) => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => isHidden });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def test_a_tab_that_comes_back_shows_what_came_while_it_was_hidden(page: Page, pool: Pool) -> None:
    page.goto("/")
    page.evaluate("document.addEventListener('board:change', () => (window.wasTold = true))")
    page.evaluate(HIDE, True)
    pool.add("Tool shelf")
    page.wait_for_function("() => window.wasTold")
    # Longer than what comes together is collected for.
    page.wait_for_timeout(400)
    expect(card(page, "Tool shelf")).to_have_count(0)

    page.evaluate(HIDE, False)

    expect(card(page, "Tool shelf")).to_be_visible()


def test_without_scripts_a_reload_shows_it(visit: Visitors, pool: Pool) -> None:
    page = visit(java_script_enabled=False)
    page.goto("/")
    pool.add("Tool shelf")
    page.reload()

    expect(card(page, "Tool shelf")).to_be_visible()
    expect(page.locator("#news")).to_be_hidden()


def test_a_run_of_somebody_else_can_be_watched(visit: Visitors, pool: Pool) -> None:
    pool.backend.delay_s = 0.05
    one, other = visit(), visit()
    for page in (one, other):
        page.goto("/")

    one.locator("#topic").fill("A street party")
    one.get_by_role("button", name="Brainstorm", exact=True).click()
    watch = other.locator("#under-way a")
    expect(watch.or_(other.locator("#recent-runs li")).first).to_be_visible()


def test_what_others_do_shows_beside_a_run(page: Page, pool: Pool) -> None:
    pool.backend.delay_s = 0.5
    page.goto("/")
    page.locator("#topic").fill("A street party")
    page.get_by_role("button", name="Brainstorm", exact=True).click()
    expect(page.locator("#stop")).to_be_visible()

    pool.add("Tool shelf")
    expect(card(page, "Tool shelf")).to_be_visible()
    expect(page.locator("#stop")).to_be_visible()


@pytest.mark.usefixtures("ada")
def test_an_idea_page_follows_unless_one_writes(visit: Visitors, pool: Pool) -> None:
    visit.traps.expect("409")
    idea = pool.add("Soup", "One pot.")
    page = visit()
    page.goto(f"/ideas/{idea.id}")
    pool.store.ideas.update(idea.id, IdeaUpdate(title="Stew"))
    expect(page.locator("#sheet h1")).to_have_text("Stew")

    page.locator("#editor summary").click()
    page.locator("#text").fill("Mine.")
    pool.store.ideas.update(idea.id, IdeaUpdate(body="Theirs."))
    note = page.locator(".sheet-note")
    expect(note).to_contain_text("Ada changed this idea while you are on it.")
    expect(page.locator("#text")).to_have_value("Mine.")

    note.get_by_role("button", name="See the difference").click()
    expect(page.locator("#theirs")).to_contain_text("Theirs.")
    expect(page.locator("#mine-text")).to_have_value("Mine.")


@pytest.mark.parametrize("path", ["summary", "table", "rank", "runs"])
def test_other_pages_of_the_board_follow(page: Page, pool: Pool, path: str) -> None:
    first = pool.add("Soup")
    pool.add("Stew")
    page.goto(f"/boards/{pool.board_id}/{path}")
    page.evaluate("window.sameDocument = true")
    expect(page.locator("main")).to_be_visible()

    pool.store.ideas.update(first.id, IdeaUpdate(title="Broth"))
    pool.add("Bread")
    if path == "summary":
        expect(page.locator("#overview .figures dd").first).to_have_text("3")
    elif path == "table":
        expect(page.locator("#table-place")).to_contain_text("3 new or changed ideas")
    elif path == "rank":
        expect(page.locator("#show-news")).to_have_text("This page has news – show")
    assert page.evaluate("window.sameDocument")


def test_nobody_is_shown_where_nobody_has_a_name(page: Page) -> None:
    page.goto("/")
    expect(page.locator("#here")).to_be_attached()
    expect(page.locator("#here .face")).to_have_count(0)
