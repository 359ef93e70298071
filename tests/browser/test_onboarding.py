"""How a newcomer begins: topics, templates, the sample board, help; with and without scripts."""

import pytest
from playwright.sync_api import Locator, Page, expect

from service.onboarding import catalogue
from service.schemas.ideas import BoardCreate
from tests.browser.conftest import Pool, Visitors, settled

pytestmark = pytest.mark.browser
SCRIPTS = pytest.mark.parametrize("has_script", [True, False], ids=["scripts", "no scripts"])


@SCRIPTS
def test_a_topic_fills_the_form_and_the_next_key_starts_it(
    visit: Visitors, pool: Pool, has_script: bool
) -> None:
    page = visit(java_script_enabled=has_script)
    page.goto("/")
    prompt = catalogue.sample("en").examples[2]

    page.get_by_role("link", name=prompt.topic).click()

    expect(page.locator("#topic")).to_have_value(prompt.topic)
    expect(page.locator("#method")).to_have_value(prompt.method)
    expect(page.locator("#brainstorm")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#run")).to_be_visible()
    assert pool.store.runs.recent(limit=1)[0].request["topic"] == prompt.topic


@SCRIPTS
def test_a_template_turns_the_first_board_into_one_for_it(
    visit: Visitors, pool: Pool, has_script: bool
) -> None:
    page = visit(java_script_enabled=has_script)
    page.goto("/")
    page.locator("#start").get_by_role("link", name="All templates").click()
    page.locator("#templates details > summary").nth(1).click()
    expect(page.get_by_text("how few hours of helpers it takes")).to_be_visible()

    page.get_by_role("button", name="Use this template “Village festival”").click()

    expect(page.locator("#start")).to_contain_text("finding enough helpers for a village festival")
    expect(page.locator("#start")).to_contain_text("food and drink")
    expect(page.locator("#start-template")).to_have_count(0)
    assert [board.name for board in pool.store.boards.all()] == ["Village festival"]


@SCRIPTS
def test_the_sample_is_opened_and_removed_with_one_click_each(
    visit: Visitors, pool: Pool, has_script: bool
) -> None:
    page = visit(java_script_enabled=has_script)
    page.goto("/")
    page.locator("#open-sample").click()
    expect(page.get_by_text("This is a sample board.")).to_be_visible()
    expect(page.locator("#ideas h3").first).to_have_text("Tool shelf in the bicycle cellar")

    # The page hears that its board is gone, and asks for it, before it has the answer to its own click.
    visit.traps.expect("404")
    page.locator("#remove-sample").click()

    expect(page.locator("#flash")).to_contain_text("is deleted.")
    assert len(pool.store.boards.all()) == 1
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("This is a sample board.")).to_be_visible()


@SCRIPTS
def test_the_first_board_gets_a_name(visit: Visitors, pool: Pool, has_script: bool) -> None:
    page = visit(java_script_enabled=has_script)
    page.goto("/")

    page.get_by_label("Name this board").fill("Summer trip")
    page.locator(".start-name button").click()

    expect(page).to_have_title("Summer trip · Ideapool")
    expect(page.get_by_label("Name this board")).to_have_count(0)
    assert pool.store.boards.default().name == "Summer trip"


@SCRIPTS
def test_a_search_without_a_find_can_become_an_idea_or_a_brainstorm(
    visit: Visitors, pool: Pool, has_script: bool
) -> None:
    pool.add("Soup from one pot")
    page = visit(java_script_enabled=has_script)
    page.goto(f"/boards/{pool.board_id}?q=bicycle+shed")
    expect(page.get_by_role("heading", name="No idea matches “bicycle shed”")).to_be_visible()

    page.locator(".empty-acts").get_by_role("link", name="Brainstorm about it").click()
    expect(page.locator("#topic")).to_have_value("bicycle shed")
    page.go_back()
    page.locator("#add-searched").click()

    expect(page.locator("#ideas h3").first).to_have_text("bicycle shed")


def test_the_tools_for_a_list_wait_until_there_is_one(page: Page, pool: Pool) -> None:
    page.goto("/")
    expect(page.locator("#start")).to_be_visible()
    expect(page.locator("#filters")).to_be_hidden()

    page.get_by_role("link", name="Write an idea").click()
    expect(page.locator("#new-title")).to_be_focused()
    page.keyboard.type("Soup from one pot")
    page.keyboard.press("Enter")

    expect(page.locator("#filters")).to_be_visible()
    expect(page.locator("#start")).to_have_count(0)
    assert pool.store.boards.counts()[pool.board_id] == 1


def test_a_later_board_is_not_asked_for_a_name(page: Page, pool: Pool) -> None:
    board = pool.store.boards.create(BoardCreate(name="Trip"))

    page.goto(f"/boards/{board.id}")

    expect(page.get_by_label("Name this board")).to_have_count(0)
    expect(page.locator("#start-template")).to_be_visible()


@SCRIPTS
def test_help_and_about_are_in_the_menu_and_at_the_foot(visit: Visitors, has_script: bool) -> None:
    page = visit(java_script_enabled=has_script)
    page.goto("/")
    page.locator(".more-menu > summary").click()
    page.locator(".more-menu").get_by_role("link", name="Help", exact=True).click()
    expect(page.get_by_role("heading", level=1, name="Help")).to_be_visible()
    expect(page.locator("main .keys kbd").first).to_be_visible()

    page.locator(".foot").get_by_role("link", name="About Ideapool").click()

    expect(page.get_by_role("heading", level=1, name="About Ideapool")).to_be_visible()


class Newcomer:
    """Clicks and types, and keeps count of it."""

    def __init__(self) -> None:
        self.clicks = 0
        self.letters = 0

    def click(self, target: Locator) -> None:
        target.click()
        self.clicks += 1


def test_three_kept_ideas_and_a_vote_take_five_clicks_and_no_letter(page: Page, pool: Pool) -> None:
    """From a pool that nobody has used. Without the topics, 33 letters were typed."""
    newcomer = Newcomer()
    page.goto("/")

    newcomer.click(page.locator("#start .prompt").first)
    newcomer.click(page.locator("#brainstorm"))
    expect(page.locator("#keep-all")).to_be_visible()
    settled(page)
    newcomer.click(page.locator("#keep-all"))
    expect(page.locator("#ideas .card:not(.add)")).not_to_have_count(0)
    newcomer.click(page.locator("#rank-link"))
    newcomer.click(page.locator("#vote-first"))
    expect(page.locator("#ranking tbody tr").first).to_be_visible()

    assert (newcomer.clicks, newcomer.letters) == (5, 0)
    assert pool.store.boards.counts()[pool.board_id] >= 3
    assert len(pool.store.comparisons.of_board(pool.board_id, "people")) == 1
