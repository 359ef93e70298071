"""A writing round in a real browser: its clock, what is written, and how it ends."""

import re
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from service.schemas.identity import now
from service.schemas.rounds import RoundCreate
from service.store.team_tables import WritingRound
from tests.browser.conftest import Pool, Visitors
from tests.browser.test_accessibility import assert_accessible

pytestmark = pytest.mark.browser


@pytest.fixture
def begun(pool: Pool) -> str:
    return pool.store.rounds.start(pool.board_id, RoundCreate(topic="The party", minutes=5)).id


def let_end(pool: Pool, round_id: str, *, in_s: float) -> None:
    with pool.store.rounds._database.write() as session:
        row = session.get(WritingRound, round_id)
        assert row is not None
        row.ends_at = now() + timedelta(seconds=in_s)
        session.add(row)


def write(page: Page, title: str) -> None:
    page.get_by_label("Your idea", exact=True).fill(title)
    page.locator("#write-idea").click()
    expect(page.locator("#round-ideas")).to_contain_text(title)


@pytest.mark.parametrize("has_script", [True, False], ids=["with scripts", "without scripts"])
def test_a_round_from_its_start_to_the_comparison(
    visit: Visitors, pool: Pool, has_script: bool
) -> None:
    page = visit(java_script_enabled=has_script)
    page.goto(f"/boards/{pool.board_id}")
    page.locator(".board-settings > summary").click()
    page.locator("#rounds-link").click()
    page.get_by_label("What are the ideas for?").fill("More people at the party")
    page.get_by_label("Minutes").fill("3")
    page.locator("#start-round").click()
    expect(page.get_by_role("heading", name="More people at the party")).to_be_visible()
    expect(page.get_by_role("timer")).to_have_text(re.compile(r"^[23]:\d\d$"))
    write(page, "Soup from one pot")
    write(page, "Chalk the road")
    expect(page.locator("#round-ideas")).to_contain_text("hidden until the round ends")
    expect(page.get_by_label("Your idea", exact=True)).to_have_value("")
    if not has_script:
        expect(page.get_by_role("link", name="Load again")).to_be_visible()

    page.locator("#end-round").click()
    expect(page.get_by_role("heading", name="All ideas of the round")).to_be_visible()
    expect(page.locator("#round-ideas > li")).to_have_count(2)
    expect(page.locator("#round-ideas")).not_to_contain_text("hidden until")
    page.locator("#round-rank").click()
    page.locator("#vote-first").click()
    expect(page.locator("#voted-text")).to_contain_text("comes before")
    expect(page).to_have_url(re.compile(r"round="))


def test_the_page_shows_all_ideas_when_the_time_is_up(page: Page, pool: Pool, begun: str) -> None:
    let_end(pool, begun, in_s=4)
    page.goto(f"/boards/{pool.board_id}/rounds/{begun}")

    expect(page.get_by_role("heading", name="All ideas of the round")).to_be_visible()
    assert page.locator("#round-form").count() == 0


def test_what_somebody_writes_when_the_time_is_up_is_not_lost(
    page: Page, pool: Pool, begun: str
) -> None:
    page.goto(f"/boards/{pool.board_id}/rounds/{begun}")
    page.get_by_label("Your idea", exact=True).fill("Half an id")
    # The page learns of it when it asks the next time.
    let_end(pool, begun, in_s=0)

    expect(page.locator("#round-over")).to_be_visible(timeout=60_000)
    expect(page.get_by_label("Your idea", exact=True)).to_have_value("Half an id")
    page.locator("#write-idea").click()
    expect(page.locator("#flash")).to_contain_text(
        "The round is over, so “Half an id” is on the board"
    )
    page.goto(f"/boards/{pool.board_id}")
    expect(page.locator("#ideas")).to_contain_text("Half an id")


def test_the_clock_follows_the_server_when_that_of_the_device_is_wrong(
    page: Page, pool: Pool, begun: str
) -> None:
    page.add_init_script("const now = Date.now; Date.now = () => now() + 45 * 60 * 1000;")
    page.goto(f"/boards/{pool.board_id}/rounds/{begun}")

    expect(page.get_by_role("timer")).to_have_text(re.compile(r"^[45]:\d\d$"))
    expect(page.locator("#round-over")).to_be_hidden()


def test_a_round_and_the_variety_of_ideas_pass_axe(page: Page, pool: Pool, begun: str) -> None:
    rounds = f"/boards/{pool.board_id}/rounds"
    for address in (rounds, f"{rounds}/{begun}", f"/boards/{pool.board_id}"):
        page.goto(address)
        assert_accessible(page, address)
    for number in range(9):
        pool.add(f"Idea {number}", "Each household adds one vegetable. " * number)
    pool.store.rounds.end(pool.board_id, begun)
    for address in (rounds, f"{rounds}/{begun}"):
        page.goto(address)
        assert_accessible(page, address)
    page.goto(f"/boards/{pool.board_id}/likeness")
    expect(page.locator(".likeness")).to_be_visible()
    assert_accessible(page, "variety of the ideas")
    page.goto(f"/boards/{pool.board_id}/summary")
    expect(page.locator("#likeness .likeness")).to_be_visible()
