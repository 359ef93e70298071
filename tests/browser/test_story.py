"""A newcomer's way through the product, with the real small model, with and without scripts."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visitors, settled

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(900)]
# The small model's answers cannot always be used; then a person tries again, as the page says.
ATTEMPTS = 6
MODEL_MS = 90_000
TITLE = "One chair, one dish"
TEXT = "Every household brings one chair and one dish to the closed lane on Saturday at noon."


@pytest.mark.parametrize("has_script", [True, False], ids=["with scripts", "without scripts"])
def test_a_newcomer_gets_from_a_topic_to_an_exported_ranking(
    visit_server: Visitors, has_script: bool
) -> None:
    page = visit_server(java_script_enabled=has_script)
    page.goto("/")
    _make_a_board(page, f"Story {has_script}")

    title = _brainstorm_and_keep(page)
    page.locator("#ideas").get_by_role("link", name=title, exact=True).click()
    expect(page.get_by_role("heading", level=1, name=title)).to_be_visible()
    _refine_and_accept(page)
    _edit(page)
    _insist(page, "Evaluate", "#evaluation")
    address = page.url
    shown = page.get_by_role("heading", level=1).inner_text()
    overall = page.locator("#evaluation .overall b").inner_text()
    page.goto("/")
    page.goto(address)

    expect(page.get_by_role("heading", level=1)).to_have_text(shown)
    expect(page.locator("#evaluation .overall b")).to_have_text(overall)
    expect(page.locator("#evaluation meter")).to_have_count(4)
    expect(page.locator(".versions > li")).to_have_count(3)
    _rank(page, shown)
    _take_away(page, shown)


def _make_a_board(page: Page, name: str) -> None:
    page.locator(".boards-menu > summary").click()
    page.get_by_label("New board").fill(name)
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", name="No ideas yet")).to_be_visible()


def _brainstorm_and_keep(page: Page) -> str:
    page.get_by_label("What do you want ideas for?").fill("a street party that costs nothing")
    page.get_by_label("Ideas", exact=True).fill("2")
    cards = "#run .suggestion:not(.is-draft)"
    _insist(page, "Brainstorm", cards)
    first = page.locator(cards).first
    title = first.get_by_role("heading").inner_text()
    first.get_by_role("button", name="Keep “").click()
    expect(first.get_by_text("On the board", exact=True)).to_be_visible()
    expect(page.locator("#ideas").get_by_role("link", name=title, exact=True)).to_be_visible()
    return title


def _refine_and_accept(page: Page) -> None:
    _insist(page, "Shorter", "#accept")
    # The change may be a deletion alone: the small model often just drops words.
    expect(page.locator("#diff :is(ins, del)").first).to_be_attached()
    page.locator("#accept").click()
    expect(page.locator("#diff")).to_have_count(0)


def _edit(page: Page) -> None:
    """The small model's own texts are often too poor to be judged; a person mends them.

    A title of ours reads the same in every format.
    """
    page.locator("#editor > summary").click()
    page.locator("#title").fill(TITLE)
    page.locator("#text").fill(TEXT)
    page.locator("#save").click()
    expect(page.locator("#body")).to_have_text(TEXT)


def _rank(page: Page, title: str) -> None:
    """It takes two; the other one is written by hand."""
    page.locator(".crumb a").first.click()
    page.locator("#new-title").fill("Do nothing at all")
    page.locator("#add-idea").click()
    expect(page.get_by_role("link", name="Do nothing at all", exact=True)).to_be_visible()
    page.locator("#rank-link").click()
    page.get_by_role("button", name=f"“{title}”").click()
    expect(page.locator("#ranking tbody tr")).to_have_count(2)
    expect(page.locator("#ranking tbody tr").first).to_contain_text(title)


def _take_away(page: Page, title: str) -> None:
    with page.expect_download() as ranking:
        page.get_by_role("link", name="CSV").click()
    assert title in ranking.value.path().read_text()
    page.locator(".more-menu > summary").click()
    with page.expect_download() as everything:
        files = page.get_by_role("group", name="Export this board")
        files.get_by_role("link", name="Markdown").click()
    assert title in everything.value.path().read_text()


def _insist(page: Page, button: str, wanted: str) -> None:
    for _ in range(ATTEMPTS):
        _ask(page, button)
        button = "Try again"
        found = page.locator(wanted).first
        expect(found.or_(page.get_by_role("button", name=button)).first).to_be_visible()
        if found.is_visible():
            return
    raise AssertionError(f"no usable answer in {ATTEMPTS} attempts")


def _ask(page: Page, button: str) -> None:
    """Press the button and wait for the end of the run it starts.

    Without scripts the page asks again by itself while the run is under way.
    """
    before = page.url
    page.get_by_role("button", name=button, exact=True).click()
    expect(page).not_to_have_url(before)
    over = page.locator("#run .state:not(.state-running, .state-queued)")
    # An evaluation that is done is shown without its run.
    expect(over.or_(page.locator("#evaluation")).first).to_be_visible(timeout=MODEL_MS)
    settled(page)
