"""A run follows the reader: while one scrolls, on other pages of the board, and to its end."""

import re

import pytest
from playwright.sync_api import Page, expect

from service.errors import EngineCrashed
from tests.browser.conftest import Pool, Visitors, settled
from tests.browser.test_accessibility import assert_accessible

pytestmark = pytest.mark.browser
IS_IN_SIGHT = """element => {
  const { top, bottom } = element.getBoundingClientRect();
  return top >= 0 && bottom <= window.innerHeight;
}"""
COVERS = """toast => {
  const one = toast.getBoundingClientRect();
  const other = document.activeElement.getBoundingClientRect();
  return !(other.right <= one.left || other.left >= one.right
    || other.bottom <= one.top || other.top >= one.bottom);
}"""


def fill(pool: Pool, count: int = 12) -> list[str]:
    return [pool.add(f"Idea {place}", "Said in a few words. " * 8).id for place in range(count)]


def evaluate_all(page: Page, pool: Pool) -> None:
    page.goto(f"/boards/{pool.board_id}")
    page.locator("#evaluate-all > summary").click()
    page.locator("#start-all").click()
    expect(page.locator("#run")).to_be_visible()


def test_an_evaluation_follows_to_other_pages_until_its_end_is_seen(page: Page, pool: Pool) -> None:
    ids = fill(pool, 3)
    pool.backend.gate.clear()
    evaluate_all(page, pool)
    expect(page.locator(".toast")).to_have_count(0)

    page.goto(f"/ideas/{ids[0]}")
    toast = page.locator(".toast")
    expect(toast).to_contain_text("Evaluating: 0 of 3 ideas")
    expect(toast.get_by_role("progressbar")).to_be_visible()
    page.goto(f"/boards/{pool.board_id}/summary")
    expect(toast).to_contain_text("Evaluation of several ideas")
    pool.backend.gate.set()

    expect(toast).to_contain_text("3 ideas evaluated")
    expect(page.locator("#announcer")).to_have_text("3 ideas evaluated")
    toast.get_by_role("link", name="Show").click()
    expect(page.locator("#run-title")).to_be_visible()
    expect(toast).to_have_count(0)
    page.goto(f"/ideas/{ids[0]}")
    expect(page.locator("#sheet")).to_be_visible()
    expect(toast).to_have_count(0)


def test_a_toast_shows_where_the_panel_is_out_of_sight(page: Page, pool: Pool) -> None:
    fill(pool)
    pool.backend.gate.clear()
    evaluate_all(page, pool)
    toast = page.locator(".toast")

    page.mouse.wheel(0, 4000)
    expect(toast).to_be_visible()
    page.evaluate("window.scrollTo(0, 0)")
    expect(toast).to_be_hidden()
    pool.backend.gate.set()


def test_a_run_is_stopped_from_its_toast(page: Page, pool: Pool) -> None:
    ids = fill(pool, 3)
    pool.backend.gate.clear()
    evaluate_all(page, pool)
    page.goto(f"/ideas/{ids[0]}")

    page.locator(".toast").get_by_role("button", name="Stop").click()

    expect(page.locator(".toast")).to_have_attribute("data-state", "done")
    expect(page.locator(".toast")).to_contain_text("0 ideas evaluated")
    expect(page.locator("#flash")).to_contain_text("Stopped.")
    pool.backend.gate.set()


def test_a_toast_that_is_put_away_stays_away(page: Page, pool: Pool) -> None:
    ids = fill(pool, 3)
    pool.backend.gate.clear()
    evaluate_all(page, pool)
    page.goto(f"/ideas/{ids[0]}")

    page.get_by_role("button", name="Hide this. The run goes on.").click()

    expect(page.locator(".toast")).to_have_count(0)
    page.goto(f"/ideas/{ids[1]}")
    expect(page.locator("#sheet")).to_be_visible()
    page.wait_for_timeout(300)
    expect(page.locator(".toast")).to_have_count(0)
    assert not pool.store.runs.recent()[0].finished_at
    pool.backend.gate.set()


def test_a_toast_covers_neither_the_bulk_bar_nor_what_has_the_focus(
    visit: Visitors, pool: Pool
) -> None:
    fill(pool)
    pool.backend.gate.clear()
    for width in (1280, 390):
        page = visit(width=width)
        evaluate_all(page, pool)
        page.locator(".pick").nth(8).check()
        toast, bar = page.locator("#toasts"), page.locator("#bulk")
        expect(page.locator(".toast:visible").first).to_be_visible()
        one, other = toast.bounding_box(), bar.bounding_box()
        assert one is not None
        assert other is not None
        assert one["y"] + one["height"] <= other["y"] or one["y"] >= other["y"] + other["height"]
        page.locator(".pick").nth(8).uncheck()
        for _ in range(12):
            page.keyboard.press("Tab")
            page.wait_for_timeout(60)
            if toast.is_visible() and not page.evaluate(
                "document.activeElement.closest('#toasts')"
            ):
                assert not toast.evaluate(COVERS)
    pool.backend.gate.set()


def test_combining_from_the_end_of_a_long_board_brings_the_result_into_sight(
    visit: Visitors, pool: Pool
) -> None:
    # The oldest are at the end of the list.
    for title in ("Tool shelf", "Film night"):
        pool.add(title, "Said in a few words.")
    fill(pool)
    for has_script in (True, False):
        page = visit(java_script_enabled=has_script)
        page.goto(f"/boards/{pool.board_id}")
        for title in ("Tool shelf", "Film night"):
            page.get_by_role("checkbox", name=f"Select “{title}”").check()

        page.get_by_role("button", name="Combine").click()

        expect(page.locator("#run-title")).to_be_visible()
        expect(page.locator("#keep-all")).to_be_attached()
        if has_script:
            expect(page.locator("#run-title")).to_be_focused()
            settled(page)
            assert page.locator("#run-title").evaluate(IS_IN_SIGHT)


def test_without_scripts_the_line_on_the_board_tells_what_goes_on(
    visit: Visitors, pool: Pool
) -> None:
    fill(pool, 3)
    pool.backend.gate.clear()
    page = visit(java_script_enabled=False)
    page.goto(f"/boards/{pool.board_id}")
    page.locator("#topic").fill("A street party")
    page.locator("#brainstorm").click()
    expect(page.locator("#run")).to_be_visible()

    page.goto(f"/boards/{pool.board_id}")

    expect(page.locator("#under-way")).to_contain_text("A street party")
    expect(page.locator("#toasts")).to_be_hidden()
    pool.backend.gate.set()


def test_toasts_pass_axe(page: Page, pool: Pool) -> None:
    ids = fill(pool, 3)
    pool.backend.gate.clear()
    evaluate_all(page, pool)
    page.goto(f"/ideas/{ids[0]}")
    expect(page.locator(".toast.is-live")).to_be_visible()
    assert_accessible(page, "toast of a run under way", "#toasts")
    pool.backend.gate.set()
    expect(page.locator(".toast.is-done")).to_be_visible()
    assert_accessible(page, "toast of a run that is done", "#toasts")

    pool.backend.gate.clear()
    page.goto(f"/boards/{pool.board_id}")
    page.locator("#topic").fill("A street party")
    page.locator("#brainstorm").click()
    expect(page.locator("#run[data-toast]")).to_be_visible()
    page.goto(f"/ideas/{ids[0]}")
    expect(page.locator(".toast.is-live")).to_be_visible()
    pool.backend.replies.extend([EngineCrashed("It ran dry.")] * 4)
    pool.backend.gate.set()
    expect(page.locator(".toast.is-failed, .toast.is-done").last).to_contain_text(
        re.compile("failed|new idea")
    )
    assert_accessible(page, "toast of a run that failed", "#toasts")
