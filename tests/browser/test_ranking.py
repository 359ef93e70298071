"""Which one first? Votes by mouse, keyboard and without scripts; the model's comparisons beside."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from service.schemas.ideas import IdeaUpdate
from service.store.cursors import EVERYTHING
from tests.browser.conftest import Pool, Visitors
from tests.browser.test_accessibility import assert_accessible
from tests.support.fake_backend import IDEAS

pytestmark = pytest.mark.browser


@pytest.fixture
def address(pool: Pool) -> str:
    """The ranking of a board with four ideas."""
    for title, body in IDEAS[:4]:
        pool.add(title, body)
    return f"/boards/{pool.board_id}/rank"


def titles(page: Page) -> tuple[str, str]:
    pair = page.locator("#first-title, #second-title")
    expect(pair).to_have_count(2)
    first, second = pair.all_inner_texts()
    return first, second


def rows(page: Page) -> Locator:
    return page.locator("#ranking tbody tr")


@pytest.mark.parametrize("has_script", [True, False], ids=["with scripts", "without scripts"])
def test_votes_make_a_ranking_that_can_be_undone_and_exported(
    visit: Visitors, pool: Pool, address: str, has_script: bool
) -> None:
    page = visit(java_script_enabled=has_script)
    page.goto(f"/boards/{pool.board_id}")
    page.get_by_role("link", name="Ranking", exact=True).click()
    expect(page).to_have_url(re.compile(f"{address}$"))
    expect(page.get_by_role("heading", name="No votes yet")).to_be_visible()

    first, second = titles(page)
    page.locator("#vote-second").click()
    expect(page.locator("#voted-text")).to_contain_text(f"“{second}” comes before “{first}”.")
    expect(rows(page)).to_have_count(2)
    expect(rows(page).first).to_contain_text(second)
    assert titles(page) != (first, second)

    third = titles(page)
    page.locator("#skip").click()
    expect(page).to_have_url(re.compile("skip="))
    assert titles(page) != third
    skipped_to = titles(page)
    page.locator("#vote-tie").click()
    expect(page.locator("#voted-text")).to_contain_text("are equal")
    assert set(titles(page)) not in (set(third), set(skipped_to))
    expect(page.get_by_text("2 votes by people")).to_be_visible()

    page.locator("#undo-vote").click()
    expect(page.get_by_text("1 vote by people")).to_be_visible()
    assert titles(page) == skipped_to
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    assert second in download.value.path().read_text()


@pytest.mark.parametrize("has_script", [True, False], ids=["with scripts", "without scripts"])
def test_the_model_compares_beside_the_people(
    visit: Visitors, address: str, has_script: bool
) -> None:
    page = visit(java_script_enabled=has_script)
    page.goto(address)
    page.locator("#vote-first").click()
    expect(page.get_by_text("1 vote by people")).to_be_visible()

    page.get_by_label("Pairs", exact=True).fill("6")
    page.get_by_role("button", name="Let the model compare").click()

    expect(page.locator("#run .state-done")).to_be_visible()
    expect(page.locator("#run .verdicts > li")).to_have_count(6)
    expect(page.locator("#ranking .by-model .standing")).to_have_count(4)
    expect(page.get_by_text("A weak signal.")).to_be_visible()
    page.get_by_role("columnheader").get_by_role("link", name="Model").click()
    expect(rows(page).first.locator(".by-model .standing-rank")).to_contain_text("1")


def test_a_comparison_under_way_can_be_stopped_and_voting_goes_on(
    page: Page, pool: Pool, address: str
) -> None:
    pool.backend.delay_s = 30
    page.goto(address)
    page.get_by_role("button", name="Let the model compare").click()
    expect(page.locator("#run-title")).to_be_focused()
    expect(page.locator("#announcer")).to_contain_text("of 6 pairs")

    page.locator("#vote-first").click()
    expect(page.get_by_text("1 vote by people")).to_be_visible()
    page.locator("#stop").click()

    expect(page.get_by_text("You stopped this run")).to_be_visible()
    assert not pool.backend.running


def test_the_keyboard_alone_votes_and_keeps_its_focus(page: Page, address: str) -> None:
    page.goto(address)
    first, second = titles(page)
    page.keyboard.press("1")
    expect(page.locator("#voted-text")).to_contain_text(f"“{first}” comes before “{second}”.")
    first, second = titles(page)
    page.keyboard.press("2")
    expect(page.locator("#voted-text")).to_contain_text(f"“{second}” comes before “{first}”.")
    page.keyboard.press("=")
    expect(page.locator("#voted-text")).to_contain_text("are equal")
    before = titles(page)
    page.keyboard.press("S")
    expect(page).to_have_url(re.compile("skip="))
    assert titles(page) != before

    page.locator("#vote-second").focus()
    page.keyboard.press("Enter")

    expect(page.get_by_text("4 votes by people")).to_be_visible()
    expect(page.locator("#vote-second")).to_be_focused()


def test_single_keys_that_are_off_do_not_vote(visit: Visitors, pool: Pool, address: str) -> None:
    page = visit()
    page.context.add_cookies([{"name": "shortcuts", "value": "off", "url": pool.url}])
    page.goto(address)

    page.keyboard.press("1")
    page.keyboard.press("=")

    page.reload()
    expect(page.get_by_role("heading", name="No votes yet")).to_be_visible()
    expect(page.locator(".duel kbd").first).to_be_hidden()


def test_a_vote_changed_by_going_back_counts_once(
    visit: Visitors, pool: Pool, address: str
) -> None:
    page = visit()
    page.goto(address)
    _, second = titles(page)
    ballot = page.locator("[name=ballot]").input_value()
    page.locator("#vote-first").click()
    expect(page.get_by_text("1 vote by people")).to_be_visible()
    made = pool.store.comparisons.page(pool.board_id, EVERYTHING).items

    form: dict[str, str | float | bool] = {
        "ballot": ballot,
        "outcome": "second",
        "first_version": "1",
        "second_version": "1",
    }
    form |= {"first_id": made[0].first_id, "second_id": made[0].second_id}
    page.request.post(f"{address}/votes", form=form)
    page.reload()

    expect(page.get_by_text("1 vote by people")).to_be_visible()
    expect(rows(page).first).to_contain_text(second)


def test_the_ranking_passes_axe(page: Page, pool: Pool, address: str) -> None:
    page.goto(address)
    assert_accessible(page, "no votes")
    for count, key in enumerate(("1", "2", "=", "1", "2"), start=1):
        before = titles(page)
        page.keyboard.press(key)
        expect(
            page.locator("#first-title").or_(page.locator("#second-title")).first
        ).to_be_visible()
        expect(page.get_by_text(re.compile(f"{count} votes? by people"))).to_be_visible()
        expect(page.locator("#voted-text")).to_contain_text(before[0])
    page.get_by_role("button", name="Let the model compare").click()
    expect(page.locator("#run .state-done")).to_be_visible()
    idea = pool.store.comparisons.contenders(pool.board_id)[0]
    pool.store.ideas.update(idea.id, IdeaUpdate(body="Another text."))
    page.goto(f"{address}?by=model")
    assert_accessible(page, "both rankings")
    page.goto(f"{address}?run={pool.store.runs.recent(kind='rank')[0].run_id}")
    assert_accessible(page, "a finished comparison")


def test_an_empty_ranking_explains_itself_and_passes_axe(page: Page, pool: Pool) -> None:
    page.goto(f"/boards/{pool.board_id}/rank")

    expect(page.get_by_text("A ranking needs two ideas")).to_be_visible()
    assert_accessible(page, "nothing to rank")
