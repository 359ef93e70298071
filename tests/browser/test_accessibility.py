"""Every page for everybody: axe in both themes and at both widths, and the keyboard alone."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from service.errors import EngineCrashed
from service.shapes import IdeaUpdate
from tests.browser.conftest import WIDTHS, Pool, Scheme, Visitors
from tests.browser.test_runs import brainstorm

pytestmark = pytest.mark.browser
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


def assert_accessible(page: Page, state: str) -> None:
    page.wait_for_timeout(60)
    results = Axe().run(page, options=RULES)
    assert results.violations_count == 0, f"{state}: {results.generate_report()}"
    width = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert width <= 0, f"{state} is wider than the window by {width} px"


@pytest.fixture(
    params=[(width, scheme) for width in WIDTHS for scheme in ("light", "dark")],
    ids=lambda param: "-".join(map(str, param)),
)
def seen(visit: Visitors, request: pytest.FixtureRequest) -> Page:
    """A page in each theme and width."""
    width: int
    scheme: Scheme
    width, scheme = request.param
    return visit(width=width, scheme=scheme)


def test_boards_pass_axe(seen: Page, pool: Pool) -> None:
    seen.goto("/")
    assert_accessible(seen, "empty board")
    seen.locator("#fine > summary").click()
    seen.locator(".boards-menu > summary").click()
    assert_accessible(seen, "open menu and options")
    pool.add("Soup from one pot", "Each household adds *one* vegetable.", tags=["food"])
    pool.add("Chalk the road", "x" * 300, star=True, status="archived")
    seen.goto("/")
    assert_accessible(seen, "board")
    seen.goto("/?q=nothing-like-this")
    assert_accessible(seen, "nothing found")


def test_brainstorms_pass_axe(seen: Page, pool: Pool) -> None:
    pool.backend.delay_s = 0.03
    brainstorm(seen, pool)
    expect(seen.locator("#run .is-draft").first).to_be_visible()
    assert_accessible(seen, "brainstorm under way")
    pool.backend.delay_s = 0
    expect(seen.locator("#keep-all")).to_be_visible()
    seen.get_by_role("button", name="Keep “").first.click()
    expect(seen.locator("#run .is-kept")).to_be_visible()
    seen.get_by_role("button", name="Discard").first.click()
    expect(seen.locator("#run .is-discarded")).to_be_visible()
    seen.locator("#run .edit > summary").first.click()
    seen.locator("#run .provenance > summary").click()
    assert_accessible(seen, "brainstorm done")


def test_ideas_pass_axe(seen: Page, pool: Pool) -> None:
    idea = pool.add("Soup from one pot", "Each household adds *one* vegetable.", tags=["food"])
    seen.goto(f"/ideas/{idea.id}")
    seen.get_by_role("button", name="Clearer").click()
    expect(seen.locator("#diff")).to_be_visible()
    assert_accessible(seen, "refinement")
    seen.locator("#accept").click()
    expect(seen.locator("#diff")).to_have_count(0)
    seen.locator("#evaluate").click()
    expect(seen.locator("#evaluation")).to_be_visible()
    assert_accessible(seen, "evaluation")
    pool.backend.replies.append(EngineCrashed("It ran dry."))
    seen.locator("#evaluate").click()
    expect(seen.get_by_text("This run failed")).to_be_visible()
    assert_accessible(seen, "failed run")


def test_troubles_pass_axe(visit: Visitors, seen: Page, pool: Pool) -> None:
    visit.traps.expect("404")
    visit.traps.expect("409")
    idea = pool.add("Soup from one pot", "Each household adds *one* vegetable.")
    seen.goto(f"/ideas/{idea.id}")
    seen.locator("#editor > summary").click()
    assert_accessible(seen, "editor")
    pool.store.ideas.update(idea.id, IdeaUpdate(star=True))
    seen.locator("#save").click()
    expect(seen.locator("#conflict-title")).to_be_focused()
    assert_accessible(seen, "lost update")
    for address in ("/ideas/nope", "/login"):
        seen.goto(address)
        assert_accessible(seen, address)
    seen.locator(".more-menu > summary").click()
    seen.get_by_role("button", name="Keyboard shortcuts").click()
    assert_accessible(seen, "shortcuts")


def test_the_keyboard_alone_adds_brainstorms_and_keeps(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("n")
    page.keyboard.type("Written without a mouse")
    page.keyboard.press("Enter")
    expect(page.locator("#ideas .card h3")).to_have_text(["Written without a mouse"])
    page.keyboard.press("Escape")
    page.locator("body").press("Shift+Tab")

    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("b")
    page.keyboard.type("a party for the street")
    page.keyboard.press("Enter")
    expect(page.locator("#run-title")).to_be_focused()
    expect(page.locator("#keep-all")).to_be_visible()
    keep = page.locator("#run").get_by_role("button", name="Keep “").first
    for _ in range(10):
        page.keyboard.press("Tab")
        if keep.evaluate("button => button === document.activeElement"):
            break
    page.keyboard.press("Enter")

    expect(page.locator("#run .is-kept")).to_have_count(1)
    expect(page.locator("#run .is-kept")).to_be_focused()


def test_focus_moves_to_a_neighbour_when_its_card_is_deleted(page: Page, pool: Pool) -> None:
    first, second = pool.add("First"), pool.add("Second")
    page.goto("/")

    page.locator(f"#idea-{second.id} .card-delete button").focus()
    page.keyboard.press("Enter")

    expect(page.locator(f"#idea-{second.id}")).to_have_count(0)
    expect(page.locator(f"#idea-{first.id}")).to_be_focused()


def test_single_keys_can_be_switched_off(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("?")
    page.get_by_role("button", name="Switch single keys off").click()
    page.get_by_role("button", name="Close").click()
    page.evaluate("document.activeElement.blur()")

    page.keyboard.press("/")

    expect(page.get_by_label("Search")).not_to_be_focused()
    page.reload()
    page.keyboard.press("/")
    expect(page.get_by_label("Search")).not_to_be_focused()


def test_the_skip_link_leads_past_the_header(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()

    page.keyboard.press("Enter")

    expect(page.locator("#main")).to_be_focused()
