"""Suggestions in the browser: kept as ticked, drawn anew, more and less like them; and all runs."""

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from service.errors import EngineCrashed
from service.schemas.brainstorm import SuggestionPublic
from service.schemas.identity import new_id
from service.store.runs import NewRun, RunOutcome
from tests.browser.conftest import Pool, Visitors, settled
from tests.browser.test_accessibility import assert_accessible
from tests.browser.test_runs import brainstorm, run_id
from tests.support.fake_backend import IDEAS

pytestmark = pytest.mark.browser
DRY = {"type": "engine-crashed", "detail": "It ran dry."}
CARDS = "#run .suggestion:not(.is-draft)"


@pytest.fixture(params=[True, False], ids=["with scripts", "without scripts"])
def anybody(request: pytest.FixtureRequest, visit: Visitors) -> Page:
    return visit(java_script_enabled=request.param)


def more(card: Locator) -> Locator:
    """Opens the menu of a suggestion."""
    card.locator(".suggestion-menu > summary").click()
    return card


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


def test_keeping_without_a_tick_shows_an_error(pool: Pool, visit: Visitors) -> None:
    # With scripts, the button is there once something is ticked.
    visit.traps.expect("422")
    page = visit(java_script_enabled=False)
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
    more(card).locator(".edit > summary").click()
    card.get_by_label("Title").fill("My own words")
    card.get_by_role("button", name="Keep this version").click()

    anybody.locator("#ideas").get_by_role("link", name="My own words", exact=True).click()

    expect(anybody.locator(".versions > li")).to_have_count(2)
    expect(anybody.locator(".versions > li").last).to_contain_text(was)


def test_another_one_replaces_a_suggestion_and_can_be_undone(anybody: Page, pool: Pool) -> None:
    brainstormed(anybody, pool)
    card = anybody.locator(CARDS).nth(1)
    was, angle = card.locator("h3").inner_text(), card.locator(".angle").inner_text()

    more(card).get_by_role("button", name="Another one").click()

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
    more(page.locator(CARDS).first).get_by_role("button", name="Another one").click()
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

    more(anybody.locator(CARDS).first).get_by_role("button", name="Another one").click()

    expect(anybody.locator("#run")).to_contain_text("It ran dry.")
    expect(anybody.locator("#run .is-discarded")).to_have_count(1)


def test_more_like_one_is_a_brainstorm_of_its_own(anybody: Page, pool: Pool) -> None:
    brainstormed(anybody, pool)
    title = anybody.locator(CARDS).first.locator("h3").inner_text()
    before = anybody.url

    more(anybody.locator(CARDS).first).get_by_role("button", name="More like this").click()

    expect(anybody).not_to_have_url(before)
    expect(anybody.locator("#run-title")).to_contain_text(title)
    expect(anybody.locator("#keep-all")).to_be_visible()
    expect(anybody.get_by_role("link", name="From this suggestion")).to_be_visible()


def test_less_like_one_is_remembered_for_more_ideas(anybody: Page, pool: Pool) -> None:
    brainstormed(anybody, pool)
    card = anybody.locator(CARDS).first
    title = card.locator("h3").inner_text()
    more(card).get_by_role("button", name="Less like this").click()
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
    more(page.locator(CARDS).nth(1)).get_by_role("button", name="Less like this").click()
    expect(page.locator("#run .is-avoided")).to_have_count(1)
    more(page.locator(CARDS).nth(2)).get_by_role("button", name="Another one").click()
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


def test_a_suggestion_shows_two_buttons_and_a_menu_in_one_row(visit: Visitors, pool: Pool) -> None:
    kinds: list[dict[str, Any]] = [
        {},
        {"has_touch": True, "is_mobile": True},
        {"java_script_enabled": False},
    ]
    for options in kinds:
        page = visit(width=390, **options)
        brainstormed(page, pool, n=2)
        card = page.locator(CARDS).first
        controls = card.locator(".card-foot > form button, .suggestion-menu > summary")
        expect(controls).to_have_count(3)
        boxes = [one.bounding_box() for one in controls.all()]
        middles = [box["y"] + box["height"] / 2 for box in boxes if box is not None]
        assert max(middles) - min(middles) < 4

        more(card)
        for name in ("More like this", "Less like this", "Another one", "Keep and refine"):
            expect(card.get_by_role("button", name=name)).to_be_visible()


def test_the_tick_box_is_quiet_until_it_is_of_use(visit: Visitors, pool: Pool) -> None:
    page = visit()
    brainstormed(page, pool, n=2)
    page.mouse.move(0, 0)
    ticks = page.locator(".take")
    expect(ticks.nth(1)).to_have_css("opacity", "0")

    page.locator(CARDS).nth(1).hover()
    expect(ticks.nth(1)).to_have_css("opacity", "1")
    ticks.first.focus()
    expect(ticks.first).to_have_css("opacity", "1")
    page.keyboard.press("Space")
    page.mouse.move(0, 0)
    expect(ticks.nth(1)).to_have_css("opacity", "1")
    expect(page.locator("#take-selected")).to_be_visible()

    plain = visit(java_script_enabled=False)
    plain.goto(page.url)
    expect(plain.locator(".take").first).to_have_css("opacity", "1")


def test_keys_keep_and_discard_the_focused_suggestion(page: Page, pool: Pool) -> None:
    brainstormed(page, pool, n=3)
    page.locator(CARDS).first.focus()

    page.keyboard.press("K")
    expect(page.locator(CARDS).first).to_have_class(re.compile("is-kept"))
    expect(page.locator(CARDS).first).to_be_focused()
    page.keyboard.press("j")
    expect(page.locator(CARDS).nth(1)).to_be_focused()
    page.keyboard.press("d")
    expect(page.locator(CARDS).nth(1)).to_have_class(re.compile("is-discarded"))
    page.keyboard.press("k")
    expect(page.locator(CARDS).first).to_be_focused()


def test_keeping_is_undone_by_the_message_about_it(anybody: Page, pool: Pool) -> None:
    brainstormed(anybody, pool, n=2)
    anybody.locator(CARDS).first.get_by_role("button", name="Keep “").click()
    expect(anybody.locator("#ideas .card:not(.add)")).to_have_count(1)

    anybody.get_by_role("button", name="Undo").click()

    expect(anybody.locator("#ideas .card:not(.add)")).to_have_count(0)
    expect(anybody.locator(CARDS).first.get_by_role("button", name="Keep “")).to_be_visible()


def test_the_editor_stays_open_for_clicks_beside_it_and_escape_leaves_it(
    page: Page, pool: Pool
) -> None:
    brainstormed(page, pool, n=2)
    card = page.locator(CARDS).first
    more(card).locator(".edit > summary").click()
    card.get_by_label("Title").fill("My own words")

    page.locator("#run-title").click()
    expect(card.get_by_label("Title")).to_have_value("My own words")
    card.get_by_label("Title").press("Escape")
    expect(card.get_by_label("Title")).to_be_hidden()
    expect(card.locator(".suggestion-menu > summary")).to_be_focused()


def test_a_suggestion_is_kept_and_refined(anybody: Page, pool: Pool) -> None:
    brainstormed(anybody, pool, n=2)

    more(anybody.locator(CARDS).first).get_by_role("button", name="Keep and refine").click()

    anybody.wait_for_url("**/ideas/*#instruction")
    expect(anybody.locator("#instruction")).to_be_in_viewport()


def rated(pool: Pool, fits: list[float], n: int = 3) -> str:
    """A brainstorm that goes on, with suggestions that people are expected to keep so likely."""
    request = {"topic": "a street party", "n": n}
    run = pool.store.runs.create(NewRun("brainstorm", request, 1, board_id=pool.board_id))
    for place, fit in enumerate(fits):
        title, text = IDEAS[place]
        idea = SuggestionPublic(id=new_id(), angle="", title=title, text=text, fit=fit)
        pool.store.suggestions.add(run.run_id, place, idea)
    return run.run_id


@pytest.mark.parametrize("is_used", [False, True])
def test_the_best_come_first_at_the_end_unless_somebody_uses_them(
    page: Page, pool: Pool, is_used: bool
) -> None:
    run = rated(pool, [0.1, 0.9, 0.5])
    as_made = [title for title, _ in IDEAS[:3]]
    page.goto(f"/boards/{pool.board_id}?run={run}")
    expect(page.locator(f"{CARDS} h3")).to_have_text(as_made)
    page.mouse.move(0, 0)
    if is_used:
        page.locator(CARDS).first.focus()

    # The stream is there.
    expect(page.locator("#run .elapsed")).to_contain_text(re.compile("[1-9] s"))
    pool.store.runs.finish(run, RunOutcome("done", result={}))

    expect(page.locator(".by-taste")).to_be_visible(timeout=20_000)
    settled(page)
    if is_used:
        expect(page.locator(f"{CARDS} h3")).to_have_text(as_made)
        page.get_by_role("link", name="Put the best first").click()
    expect(page.locator(f"{CARDS} h3")).to_have_text([as_made[1], as_made[2], as_made[0]])
    expect(page.locator(".by-taste")).to_contain_text("Best first")


def test_the_missing_ideas_of_a_partial_result_are_asked_for(anybody: Page, pool: Pool) -> None:
    run = rated(pool, [0.5, 0.4], n=3)
    pool.store.runs.finish(run, RunOutcome("failed", error=DRY))
    anybody.goto(f"/boards/{pool.board_id}?run={run}")
    expect(anybody.locator("#cut-off")).to_contain_text("2 new ideas; 1 is missing")
    expect(anybody.locator("#run .notice-bad")).to_have_count(0)

    anybody.get_by_role("button", name="Get the missing idea").click()

    expect(anybody.locator(".run-count")).to_have_text("1 of 1")


def test_a_menu_and_a_partial_result_pass_axe(page: Page, pool: Pool) -> None:
    run = rated(pool, [0.5, 0.4], n=3)
    pool.store.runs.finish(run, RunOutcome("failed", error=DRY))
    page.goto(f"/boards/{pool.board_id}?run={run}")
    expect(page.locator("#cut-off")).to_contain_text("2 new ideas; 1 is missing")
    assert_accessible(page, "partial result")
    more(page.locator(CARDS).first)
    assert_accessible(page, "menu of a suggestion", "#run .suggestion-menu .menu-box")
    page.locator(CARDS).first.locator(".edit > summary").click()
    assert_accessible(page, "editor of a suggestion")
