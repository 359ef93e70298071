"""Runs in the browser: they belong to the server, and the page keeps up with them."""

import re
import time

import pytest
from playwright.sync_api import Page, Route, expect

from service.errors import EngineCrashed
from service.prompts.answers import brainstorm_answer
from tests.browser.conftest import Pool, Visitors, settled
from tests.support.fake_backend import IDEAS, Broken, Endless

pytestmark = pytest.mark.browser
STOPPED_WITHIN_S = 5.0
COUNT_SUGGESTIONS = """
window.seenCounts = new Set();
document.addEventListener("htmx:after:swap", () => {
  const done = document.querySelectorAll("#run .suggestion:not(.is-draft)");
  window.seenCounts = [...new Set([...window.seenCounts, done.length])];
});
"""
MARK_FETCHED = """
document.addEventListener("htmx:finally:request", (event) => {
  const isWhole = event.detail.ctx.sourceElement.id === "main";
  if (isWhole) document.documentElement.setAttribute("data-fetched", "anew");
});
"""


def brainstorm(page: Page, pool: Pool, n: int = 4) -> None:
    page.goto(f"/boards/{pool.board_id}")
    page.get_by_label("What do you want ideas for?").fill("a street party that costs nothing")
    if not page.locator("#n").is_visible():
        # Without scripts, the focus does not open the options.
        page.locator("#ask-more > summary").click()
    page.get_by_label("Ideas", exact=True).fill(str(n))
    page.get_by_role("button", name="Brainstorm").click()
    expect(page.locator("#run")).to_be_visible()


def run_id(page: Page) -> str:
    found = re.search(r"run=([0-9a-f-]+)", page.url)
    assert found is not None
    return found[1]


def await_end(pool: Pool, run: str) -> str:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        status = pool.store.runs.get(run).status
        if status not in ("queued", "running"):
            return status
        time.sleep(0.02)
    raise TimeoutError(run)


def test_ideas_appear_one_by_one_beside_the_board(page: Page, pool: Pool) -> None:
    pool.add("Rain plan in the garage")
    pool.backend.delay_s = 0.2
    page.add_init_script(COUNT_SUGGESTIONS)

    brainstorm(page, pool)

    expect(page.locator("#run .is-draft").first).to_be_visible()
    expect(page.locator("#live")).to_have_attribute("aria-busy", "true")
    expect(page.locator("#announcer")).to_have_text(re.compile("Writing"))
    expect(
        page.locator("#ideas").get_by_role("link", name="Rain plan in the garage", exact=True)
    ).to_be_visible()
    pool.backend.delay_s = 0.05
    expect(page.locator("#run .suggestion:not(.is-draft)")).to_have_count(4)
    expect(page.locator("#live")).to_have_attribute("aria-busy", "false")
    expect(page.locator("#announcer")).to_have_text("Done: 4 ideas")
    counts = page.evaluate("window.seenCounts")
    assert len([count for count in counts if 0 < count < 4]) >= 1


def test_the_list_of_brainstorms_counts_up_with_the_run(page: Page, pool: Pool) -> None:
    # One of the two drafts has no end.
    pool.backend.delay_s = 0.05
    pool.backend.replies.extend([brainstorm_answer(*IDEAS[0]), Endless("Title: Half")])

    brainstorm(page, pool, n=2)

    expect(page.locator(".run-count")).to_have_text("1 of 2")
    expect(page.locator(f"#made-{run_id(page)}")).to_have_text("1 of 2")


def test_a_closed_tab_does_not_stop_the_run(visit: Visitors, pool: Pool) -> None:
    pool.backend.delay_s = 0.2
    page = visit()
    brainstorm(page, pool)
    expect(page.locator("#run .is-draft").first).to_be_visible()
    run = run_id(page)

    page.close()
    pool.backend.delay_s = 0.02

    assert await_end(pool, run) == "done"
    assert len(pool.store.runs.get(run).suggestions) == 4


def test_stop_frees_the_model_before_its_next_word(page: Page, pool: Pool) -> None:
    pool.backend.delay_s = 0.2
    brainstorm(page, pool)
    expect(page.locator("#run .is-draft").first).to_be_visible()

    pool.backend.delay_s = 6 * STOPPED_WITHIN_S
    page.locator("#stop").click()
    began = time.monotonic()
    while pool.backend.running and time.monotonic() < began + STOPPED_WITHIN_S:
        time.sleep(0.01)

    assert not pool.backend.running
    expect(page.get_by_text("You stopped this run")).to_be_visible()


def test_a_reload_amid_a_run_shows_all_of_it(page: Page, pool: Pool) -> None:
    pool.backend.delay_s = 0.03
    brainstorm(page, pool)
    expect(page.locator("#run .suggestion:not(.is-draft)").first).to_be_visible()
    first = page.locator("#run .suggestion:not(.is-draft) h3").first.inner_text()

    page.reload()

    expect(page.locator("#run h3").get_by_text(first)).to_be_visible()
    expect(page.locator("#run .suggestion:not(.is-draft)")).to_have_count(4)
    expect(page.locator("#stop")).to_have_count(0)


def test_half_typed_edits_and_focus_survive_the_stream(page: Page, pool: Pool) -> None:
    pool.backend.delay_s = 0.04
    brainstorm(page, pool, n=5)
    card = page.locator("#run .suggestion:not(.is-draft)").first
    card.locator(".suggestion-menu > summary").click()
    card.locator(".edit > summary").click()
    field = card.get_by_label("Title")
    field.fill("My own words")

    expect(page.locator("#run .suggestion:not(.is-draft)")).to_have_count(5, timeout=20_000)
    expect(page.locator("#stop")).to_have_count(0)

    expect(field).to_have_value("My own words")
    expect(field).to_be_focused()
    card.get_by_role("button", name="Keep this version").click()
    expect(
        page.locator("#ideas").get_by_role("link", name="My own words", exact=True)
    ).to_be_visible()


def test_a_double_click_starts_one_run(visit: Visitors, pool: Pool) -> None:
    pool.backend.delay_s = 0.03
    for has_script in (True, False):
        page = visit(java_script_enabled=has_script)
        page.goto(f"/boards/{pool.board_id}")
        page.get_by_label("What do you want ideas for?").fill(f"quiet evenings {has_script}")
        page.get_by_label("Ideas", exact=True).fill("1")
        page.get_by_role("button", name="Brainstorm").dblclick()
        expect(page.locator("#run .suggestion:not(.is-draft)")).to_have_count(1)

    assert len(pool.store.runs.recent()) == 2


def test_a_failed_run_says_why_and_keeps_what_there_is(page: Page, pool: Pool) -> None:
    pool.backend.replies.extend(
        [brainstorm_answer(*IDEAS[0])] + [Broken("Title: Half", EngineCrashed("It ran dry."))] * 8
    )

    brainstorm(page, pool)

    # It failed or was cut short, whichever came first: the first idea or the crash.
    expect(page.locator("#run .notice")).to_contain_text("It ran dry.")
    page.get_by_role("button", name=re.compile("Try again|More ideas")).click()
    expect(page.locator("#run .state")).to_be_visible()


def test_a_refused_run_leaves_the_form_as_it_was(visit: Visitors, pool: Pool) -> None:
    visit.traps.expect("422")
    page = visit()
    page.goto(f"/boards/{pool.board_id}")
    page.get_by_label("What do you want ideas for?").fill("anything")
    page.locator("#method").evaluate("select => { select.options[0].value = 'no-such'; }")

    page.get_by_role("button", name="Brainstorm").click()

    expect(page.locator("#method-problem")).to_be_visible()
    expect(page.get_by_label("What do you want ideas for?")).to_have_value("anything")


def test_suggestions_are_kept_discarded_undone_and_all_kept(page: Page, pool: Pool) -> None:
    brainstorm(page, pool)
    cards = page.locator("#run .suggestion:not(.is-draft)")
    expect(page.locator("#keep-all")).to_be_visible()
    settled(page)

    cards.nth(0).get_by_role("button", name="Keep “").click()
    expect(cards.nth(0)).to_contain_text("On the board")
    cards.nth(1).get_by_role("button", name="Discard").click()
    expect(cards.nth(1)).to_contain_text("Discarded")
    page.get_by_role("button", name="Undo").click()
    expect(cards.nth(1).get_by_role("button", name="Keep “")).to_be_visible()
    page.locator("#keep-all").click()

    expect(page.locator("#run .is-kept")).to_have_count(4)
    expect(page.locator("#ideas .card:not(.add)")).to_have_count(4)


def test_a_change_made_while_the_page_reloads_stays_in_sight(page: Page, pool: Pool) -> None:
    kept: list[str] = []

    def keep_meanwhile(route: Route) -> None:
        # Not what the page fetches because the board has news.
        if kept or "x-live" in route.request.headers:
            route.continue_()
            return
        kept.append(route.request.url)
        older = route.fetch()
        page.locator("#run").get_by_role("button", name="Keep “").first.click()
        expect(page.locator("#run .is-kept")).to_have_count(1)
        route.fulfill(response=older)

    page.add_init_script(MARK_FETCHED)
    # The page after the form's answer comes by redirect, which is not heard of here.
    page.route("**/boards/*run=*", keep_meanwhile)
    # A run that is over before its page is shown has no end to be heard of.
    pool.backend.delay_s = 1
    brainstorm(page, pool)
    pool.backend.delay_s = 0

    expect(page.locator("html")).to_have_attribute("data-fetched", "anew")
    expect(page.locator("#run .is-kept")).to_have_count(1)
    expect(page.locator("#ideas .card:not(.add)")).to_have_count(1)
    settled(page)


def test_the_same_seed_is_run_again_and_more_ideas_take_a_new_one(page: Page, pool: Pool) -> None:
    brainstorm(page, pool, n=2)
    expect(page.locator("#stop")).to_have_count(0)

    for name in ("Run again", "More ideas"):
        before = page.url
        page.get_by_role("button", name=name).click()
        expect(page).not_to_have_url(before)
        expect(page.locator("#stop")).to_have_count(0)

    newest, again, first = pool.store.runs.recent()
    assert again.seed == first.seed
    assert newest.seed != first.seed
