"""Suggestions in the browser: kept as ticked, drawn anew, more and less like them; and all runs."""

import re

import pytest
from playwright.sync_api import Page, expect

from service.errors import EngineCrashed
from service.store.runs import NewRun
from tests.browser.conftest import Pool, Visitors, settled
from tests.browser.test_accessibility import assert_accessible
from tests.browser.test_runs import brainstorm, run_id

pytestmark = pytest.mark.browser
CARDS = "#run .suggestion:not(.is-draft)"


@pytest.fixture(params=[True, False], ids=["with scripts", "without scripts"])
def anybody(request: pytest.FixtureRequest, visit: Visitors) -> Page:
    return visit(java_script_enabled=request.param)


def new_run(pool: Pool, topic: str) -> NewRun:
    return NewRun("brainstorm", {"topic": topic, "n": 1}, 1, board_id=pool.board_id)


def brainstormed(page: Page, pool: Pool, n: int = 4) -> None:
    brainstorm(page, pool, n)
    expect(page.locator("#keep-all")).to_be_visible()
    settled(page)


def test_ticked_suggestions_are_kept_together(anybody: Page, pool: Pool) -> None:
    brainstormed(anybody, pool)
    for place in (0, 2):
        anybody.locator(CARDS).nth(place).get_by_role("checkbox").check()

    anybody.get_by_role("button", name="Keep selected").click()

    expect(anybody.locator("#run .is-kept")).to_have_count(2)
    expect(anybody.locator("#ideas .card:not(.add)")).to_have_count(2)


def test_ticks_survive_the_stream(page: Page, pool: Pool) -> None:
    pool.backend.delay_s = 0.04
    brainstorm(page, pool, n=5)
    tick = page.locator(CARDS).first.get_by_role("checkbox")
    tick.check()

    expect(page.locator("#keep-all")).to_be_visible(timeout=20_000)

    expect(tick).to_be_checked()
    page.get_by_role("button", name="Keep selected").click()
    expect(page.locator("#run .is-kept")).to_have_count(1)


def test_keeping_without_a_tick_shows_an_error(page: Page, pool: Pool, visit: Visitors) -> None:
    visit.traps.expect("422")
    brainstormed(page, pool)

    page.get_by_role("button", name="Keep selected").click()

    expect(page.locator("#keep-selected-problem")).to_contain_text("Select suggestions first")
    expect(page.locator("#run .is-kept")).to_have_count(0)


def test_an_edited_suggestion_shows_both_texts_in_its_history(anybody: Page, pool: Pool) -> None:
    brainstorm(anybody, pool, n=1)
    card = anybody.locator(CARDS)
    expect(card).to_have_count(1)
    expect(anybody.locator("#run .state-done")).to_be_visible()
    settled(anybody)
    was = card.locator("h3").inner_text()
    card.locator(".edit > summary").click()
    card.get_by_label("Title").fill("My own words")
    card.get_by_role("button", name="Keep this version").click()

    anybody.locator("#ideas").get_by_role("link", name="My own words", exact=True).click()

    expect(anybody.locator(".versions > li")).to_have_count(2)
    expect(anybody.locator(".versions > li").last).to_contain_text(was)


def test_another_one_replaces_a_suggestion_and_can_be_undone(anybody: Page, pool: Pool) -> None:
    brainstormed(anybody, pool)
    card = anybody.locator(CARDS).nth(1)
    was, angle = card.locator("h3").inner_text(), card.locator(".angle").inner_text()

    card.get_by_role("button", name="Another one").click()

    instead = anybody.locator(CARDS).nth(1)
    expect(instead.locator(".instead")).to_contain_text(was)
    assert instead.locator("h3").inner_text() != was
    assert instead.locator(".angle").inner_text() == angle
    expect(anybody.locator(CARDS)).to_have_count(4)
    instead.get_by_role("button", name="Restore").click()
    expect(anybody.locator(CARDS)).to_have_count(5)
    expect(anybody.locator(CARDS).nth(1).locator("h3")).to_have_text(was)


def test_another_one_is_seen_being_written_and_can_be_stopped(page: Page, pool: Pool) -> None:
    brainstormed(page, pool)
    pool.backend.delay_s = 0.5
    page.locator(CARDS).first.get_by_role("button", name="Another one").click()
    draft = page.locator("#run .is-draft")

    expect(draft.locator(".card-text")).not_to_be_empty()
    expect(page.locator("#announcer")).to_have_text("Writing another idea")
    draft.get_by_role("button", name="Stop").click()

    expect(page.get_by_text("No new suggestion")).to_be_visible()
    settled(page)
    pool.backend.delay_s = 0
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#run .instead")).to_have_count(1)


def test_a_redraw_that_fails_says_why(anybody: Page, pool: Pool) -> None:
    brainstormed(anybody, pool)
    pool.backend.replies.append(EngineCrashed("It ran dry."))

    anybody.locator(CARDS).first.get_by_role("button", name="Another one").click()

    expect(anybody.locator("#run")).to_contain_text("It ran dry.")
    expect(anybody.locator("#run .is-discarded")).to_have_count(1)


def test_more_like_one_is_a_brainstorm_of_its_own(anybody: Page, pool: Pool) -> None:
    brainstormed(anybody, pool)
    title = anybody.locator(CARDS).first.locator("h3").inner_text()
    before = anybody.url

    anybody.locator(CARDS).first.get_by_role("button", name="More like this").click()

    expect(anybody).not_to_have_url(before)
    expect(anybody.locator("#run-title")).to_contain_text(title)
    expect(anybody.locator("#keep-all")).to_be_visible()
    expect(anybody.get_by_role("link", name="From this suggestion")).to_be_visible()


def test_less_like_one_is_remembered_for_more_ideas(anybody: Page, pool: Pool) -> None:
    brainstormed(anybody, pool)
    card = anybody.locator(CARDS).first
    title = card.locator("h3").inner_text()
    card.get_by_role("button", name="Less like this").click()
    expect(anybody.locator("#run .is-avoided")).to_have_count(1)
    before = anybody.url

    anybody.get_by_role("button", name="More ideas").click()

    expect(anybody).not_to_have_url(before)
    expect(anybody.locator("#keep-all")).to_be_visible()
    request = pool.store.runs.get(run_id(anybody)).request
    assert [text.split(". ")[0] for text in request["avoid"]] == [title]
    anybody.locator("#run .provenance > summary").click()
    expect(anybody.locator("#run .provenance")).to_contain_text(title)


def test_selected_ideas_are_combined(anybody: Page, pool: Pool) -> None:
    for title in ("Tool shelf", "Soup day", "Film night"):
        pool.add(title, "Said in a few words.")
    anybody.goto(f"/boards/{pool.board_id}")
    for title in ("Tool shelf", "Film night"):
        anybody.get_by_role("checkbox", name=f"Select “{title}”").check()

    anybody.get_by_role("button", name="Combine").click()

    expect(anybody.locator("#keep-all")).to_be_visible()
    expect(anybody.locator("#run-title")).to_contain_text(re.compile("Tool shelf|Film night"))
    assert len(pool.store.runs.get(run_id(anybody)).request["idea_ids"]) == 2
    expect(
        anybody.locator("#run").get_by_role("link", name="Tool shelf", exact=True)
    ).to_be_visible()


def test_one_idea_cannot_be_combined_and_stays_selected(
    page: Page, pool: Pool, visit: Visitors
) -> None:
    visit.traps.expect("422")
    pool.add("Tool shelf")
    page.goto(f"/boards/{pool.board_id}")
    page.get_by_role("checkbox", name="Select “Tool shelf”").check()

    page.get_by_role("button", name="Combine").click()

    expect(page.locator("#bulk-problem")).to_contain_text("Select two to 5 ideas")
    expect(page.get_by_role("checkbox", name="Select “Tool shelf”")).to_be_checked()


def test_what_is_on_the_board_is_avoided_unless_it_is_unticked(anybody: Page, pool: Pool) -> None:
    for avoids in (True, False):
        anybody.goto(f"/boards/{pool.board_id}")
        box = anybody.get_by_role("checkbox", name="Avoid ideas already on the board")
        expect(box).to_be_checked()
        box.set_checked(avoids)
        anybody.get_by_label("What do you want ideas for?").fill("a street party")
        anybody.get_by_label("Ideas", exact=True).fill("2")
        anybody.get_by_role("button", name="Brainstorm", exact=True).click()
        expect(anybody.locator("#keep-all")).to_be_visible()

        assert pool.store.runs.get(run_id(anybody)).request["avoid_board"] is avoids


def test_every_run_of_a_board_is_found_and_repeated(anybody: Page, pool: Pool) -> None:
    idea = pool.add("Tool shelf", "Lend drills.")
    brainstormed(anybody, pool)
    anybody.goto(f"/ideas/{idea.id}")
    anybody.locator("#evaluate").click()
    expect(anybody.locator("#evaluation")).to_be_visible()

    anybody.goto(f"/boards/{pool.board_id}")
    anybody.get_by_role("link", name="All runs").click()
    anybody.wait_for_load_state()
    expect(anybody.locator(".runs > li")).to_have_count(2)
    anybody.get_by_label("Kind").select_option("brainstorm")
    if anybody.get_by_role("button", name="Show").is_visible():
        anybody.get_by_role("button", name="Show").click()
    expect(anybody.locator(".runs > li")).to_have_count(1)
    anybody.locator(".runs-topic").click()
    first = anybody.url
    expect(anybody.locator(".provenance").first).to_contain_text("f" * 64)
    anybody.locator("#prompts > summary").click()
    expect(anybody.locator("#prompt-1")).to_contain_text("a street party that costs nothing")
    anybody.get_by_role("button", name="Run again with the same seed").click()

    expect(anybody).not_to_have_url(first)
    expect(anybody.locator("#repeat-new")).to_be_visible()
    again, _, before = pool.store.runs.recent()
    assert again.seed == before.seed


def test_runs_are_listed_page_by_page(page: Page, pool: Pool) -> None:
    for place in range(31):
        pool.store.runs.create(new_run(pool, f"topic {place}"))
    page.goto(f"/boards/{pool.board_id}/runs")
    expect(page.locator(".runs > li")).to_have_count(30)

    page.get_by_role("link", name="Older runs").click()

    expect(page.locator(".runs-topic")).to_have_text(["topic 0"])


def test_suggestions_and_runs_pass_axe(page: Page, pool: Pool) -> None:
    pool.add("Film night", "Everyone brings a chair, and we watch on the wall of the school.")
    brainstormed(page, pool)
    page.locator(CARDS).nth(1).get_by_role("button", name="Less like this").click()
    expect(page.locator("#run .is-avoided")).to_have_count(1)
    page.locator(CARDS).nth(2).get_by_role("button", name="Another one").click()
    expect(page.locator("#run .instead")).to_have_count(1)
    page.locator(CARDS).first.get_by_role("checkbox").check()
    assert_accessible(page, "suggestions handled")
    page.goto(f"/runs/{run_id(page)}")
    page.locator("#prompts > summary").click()
    assert_accessible(page, "a run")
    page.goto(f"/boards/{pool.board_id}/runs")
    assert_accessible(page, "all runs")
    page.goto(f"/boards/{pool.board_id}/runs?status=failed")
    assert_accessible(page, "no such run")
