"""After every action the focus is somewhere that makes sense; what happened is said, streams are not."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Pool, Visitors, settled
from tests.browser.test_runs import brainstorm

pytestmark = pytest.mark.browser
LOST = "document.activeElement === null || document.activeElement === document.body"
# Not by the class of what sends: a page fetched anew meanwhile takes it away.
COUNT_REQUESTS = """
window.underWay = 0;
document.addEventListener("htmx:before:request", () => { window.underWay += 1; });
document.addEventListener("htmx:finally:request", () => { window.underWay -= 1; });
"""
BUSY = "underWay > 0 || document.querySelector('.htmx-swapping, .htmx-settling') !== null"
PAUSE_MS, MOST_PAUSES = 100, 150
HIDDEN = """() => {
  const at = document.activeElement, box = at.getBoundingClientRect();
  const xs = [box.left + 2, (box.left + box.right) / 2, box.right - 2];
  const ys = [box.top + 2, (box.top + box.bottom) / 2, box.bottom - 2];
  const seen = xs.some((x) => ys.some((y) => {
    const top = document.elementFromPoint(x, y);
    return top && (at.contains(top) || top.contains(at));
  }));
  return seen ? "" : at.outerHTML.slice(0, 120);
}"""


@pytest.fixture
def page(visit: Visitors) -> Page:
    page = visit()
    page.add_init_script(COUNT_REQUESTS)
    return page


def press(page: Page, selector: str, key: str = "Enter") -> None:
    """Activates one control by keyboard; the focus may not be lost by it."""
    target = page.locator(selector).first
    # Without scrolling: what comes into view may ask for more cards by itself.
    target.evaluate("element => element.focus({preventScroll: true})")
    page.keyboard.press(key)
    page.wait_for_timeout(PAUSE_MS)
    for _ in range(MOST_PAUSES):
        if not page.evaluate(BUSY):
            break
        page.wait_for_timeout(PAUSE_MS)
    page.wait_for_timeout(PAUSE_MS)
    assert not page.evaluate(LOST), f"{selector} lost the focus"


def test_no_action_of_a_board_loses_the_focus(page: Page, pool: Pool) -> None:
    for number in range(35):
        pool.add(f"Idea {number}", "A text of some words.", tags=["food"] if number % 2 else [])
    page.goto("/")
    card = page.locator("#ideas li.card[tabindex]").first.get_attribute("id") or ""
    idea = card.removeprefix("idea-")

    press(page, f"#star-{idea}")
    press(page, f"#status-{idea} > summary")
    press(page, f"#status-{idea} button[value=kept]")
    press(page, f"#edit-{idea}")
    press(page, f"#{card} form button.primary")
    press(page, f"#{card} .card-delete button")
    press(page, "#undo")
    press(page, "#more a")
    page.locator("#q").focus()
    page.keyboard.type("idea 3")
    press(page, "#q")
    page.locator("#filter-sort").focus()
    press(page, "#filter-sort", "ArrowDown")
    page.goto("/")
    press(page, "#ideas .pick", "Space")
    press(page, ".bulk-acts > button[value=archived]")
    press(page, "#undo")
    press(page, ".board-settings > summary")
    press(page, ".board-settings form:first-of-type button.primary")


def test_no_action_of_a_brainstorm_loses_the_focus(page: Page, pool: Pool) -> None:
    brainstorm(page, pool)
    expect(page.locator("#keep-all")).to_be_visible()
    settled(page)

    press(page, "#run [id^=keep-]:not(#keep-all)")
    press(page, "#run [id^=discard-]")
    press(page, "#run [id^=reopen-]")
    press(page, "#run [id^=edit-] > summary")
    press(page, "#run [id^=edit-] form button.primary")
    press(page, "#keep-all")


def test_no_action_of_an_idea_loses_the_focus(page: Page, pool: Pool) -> None:
    idea = pool.add("Soup from one pot", "Each household adds one vegetable.")
    page.goto(f"/ideas/{idea.id}")

    press(page, "#star")
    press(page, "#status", "ArrowDown")
    press(page, "#editor > summary")
    page.locator("#text").fill("Each household adds two vegetables.")
    press(page, "#save")
    press(page, ".presets button")
    expect(page.locator("#accept")).to_be_visible()
    settled(page)
    press(page, "#reject")
    press(page, "#refine")
    expect(page.locator("#accept")).to_be_visible()
    settled(page)
    press(page, "#accept")
    press(page, "#evaluate")
    expect(page.locator("#evaluation")).to_be_visible()
    assert not page.evaluate(LOST)


def test_no_action_of_a_ranking_loses_the_focus(page: Page, pool: Pool) -> None:
    for title in ("First", "Second", "Third"):
        pool.add(title)
    page.goto(f"/boards/{pool.board_id}/rank")

    for selector in ("#vote-first", "#undo-vote", "#skip", "#vote-tie", "#compare"):
        press(page, selector)


def test_what_an_action_did_is_announced(page: Page, pool: Pool) -> None:
    pool.add("Soup from one pot")
    page.goto("/")
    page.locator("#ideas .card-delete button").first.click()

    expect(page.get_by_role("status").filter(has_text="is deleted")).to_have_count(1)


def test_a_stream_is_not_announced_word_by_word(page: Page, pool: Pool) -> None:
    pool.backend.delay_s = 0.05
    brainstorm(page, pool)
    expect(page.locator("#run .is-draft").first).to_be_visible()

    live = "[aria-live]:not([aria-live=off]), [role=status], [role=alert], [role=log]"
    assert page.locator("#live").evaluate(f"element => !element.closest('{live}')")
    assert page.locator(f"#live :is({live}) .is-draft").count() == 0
    expect(page.locator("#announcer")).not_to_be_empty()
    assert len(page.locator("#announcer").inner_text().split()) < 8


@pytest.mark.parametrize("is_narrow", [False, True], ids=["wide", "narrow"])
def test_a_focused_control_is_not_hidden_by_what_floats(
    page: Page, pool: Pool, is_narrow: bool
) -> None:
    for number in range(12):
        pool.add(f"Idea {number}", "A text of some words.", tags=["food"])
    if is_narrow:
        page.set_viewport_size({"width": 390, "height": 700})
    page.goto("/")
    page.locator("#ideas .card-delete button").first.click()
    expect(page.locator("#undo")).to_be_visible()
    page.locator("#ideas .pick").first.check()
    page.evaluate("scrollTo(0, 0); document.activeElement.blur()")

    hidden = []
    for _ in range(70):
        page.keyboard.press("Tab")
        hidden.append(page.evaluate(HIDDEN))
    for _ in range(40):
        page.keyboard.press("Shift+Tab")
        hidden.append(page.evaluate(HIDDEN))

    assert [one for one in hidden if one] == []
