"""Every page for everybody: axe in both themes and at both widths, and the keyboard alone."""

import pytest
from axe_playwright_python.base import AXE_SCRIPT, AxeResults
from playwright.sync_api import Page, expect

from service.errors import EngineCrashed
from service.schemas.ideas import BoardCreate, IdeaUpdate
from service.web.pages.lanes import LANE_SIZE
from tests.browser.conftest import WIDTHS, Pool, Scheme, Visitors, settled
from tests.browser.test_runs import brainstorm
from tests.unit.test_file_types import png

pytestmark = pytest.mark.browser
# Styles follow a change of theme or width in the next frame.
SETTLED_MS = 50
# To tell what passed takes longer than to find what does not. What a theme changes is colours.
RULES: dict[Scheme, dict[str, object]] = {
    "light": {
        "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
        "resultTypes": ["violations"],
    },
    "dark": {
        "runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]},
        "resultTypes": ["violations"],
    },
}
FIND_VIOLATIONS = """([part, rules]) =>
  axe.run(part ?? document, rules).then((results) => ({violations: results.violations}))"""


def assert_accessible(page: Page, state: str, part: str | None = None) -> None:
    """In both themes and at both widths, without going through the page four times.

    `part` is what is looked at while it lies over the rest, whose targets it hides at its edge.
    """
    page.evaluate(AXE_SCRIPT)
    for width, height in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": height})
        over = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert over <= 0, f"{state} at {width} px is too wide by {over} px"
        for scheme, rules in RULES.items():
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.wait_for_timeout(SETTLED_MS)
            results = AxeResults(page.evaluate(FIND_VIOLATIONS, [part, rules]))
            report = f"{state}, {scheme}, {width} px: {results.generate_report()}"
            assert results.violations_count == 0, report


def test_boards_pass_axe(page: Page, pool: Pool) -> None:
    page.goto("/")
    assert_accessible(page, "empty board")
    page.locator("#fine > summary").click()
    page.locator(".boards-menu > summary").click()
    assert_accessible(page, "open menu and options")
    pool.add("Soup from one pot", "Each household adds *one* vegetable.", tags=["food"])
    pool.add("Chalk the road", "x" * 300, star=True, status="archived")
    page.goto("/")
    assert_accessible(page, "board")
    page.goto(f"/boards/{pool.board_id}?q=nothing-like-this")
    expect(page.get_by_role("heading", name="No idea matches")).to_be_visible()
    assert_accessible(page, "nothing found")
    other = pool.store.boards.create(BoardCreate(name="Summer trip", goal="No car."))
    pool.store.boards.delete(other.id)
    page.goto("/boards")
    expect(page.get_by_role("heading", name="Deleted boards")).to_be_visible()
    assert_accessible(page, "boards")
    page.goto(f"/boards/{other.id}/delete-for-good")
    assert_accessible(page, "question about a board")


def test_the_palette_and_its_page_pass_axe(page: Page, pool: Pool) -> None:
    pool.add("Red bicycle")
    page.goto("/")
    page.keyboard.press("j")
    page.keyboard.press("Control+k")
    expect(page.get_by_role("option", name="All boards")).to_be_attached()
    assert_accessible(page, "palette", "#palette")
    page.keyboard.type("biycle")
    expect(page.get_by_role("option", name="Red bicycle")).to_be_visible()
    assert_accessible(page, "palette with a misspelt word", "#palette")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert_accessible(page, "shortcuts", "#shortcuts")
    for q in ("", "biycle", "nothing-like-this"):
        page.goto(f"/search?board={pool.board_id}&q={q}")
        assert_accessible(page, f"search for {q!r}")
    page.goto(f"/boards/{pool.board_id}?q=biycle")
    expect(page.locator("#count")).to_contain_text("Ideas with “bicycle”")
    assert_accessible(page, "board with a corrected search")


def test_lanes_and_the_list_pass_axe(page: Page, pool: Pool) -> None:
    page.goto(f"/boards/{pool.board_id}?view=lanes")
    assert_accessible(page, "empty lanes")
    for number in range(LANE_SIZE + 1):
        pool.add(f"Idea {number}", "Each household adds *one* vegetable.", tags=["food"])
    pool.add("Chalk the road", "x" * 300, star=True, status="kept", tags=["street", "food"])
    pool.add("Old fence", status="archived")
    page.goto(f"/boards/{pool.board_id}?view=lanes")
    assert_accessible(page, "lanes")
    card = page.locator(".lane-card", has_text="Chalk the road")
    card.locator(".move-menu > summary").click()
    expect(card.get_by_role("button", name="To the top")).to_be_visible()
    assert_accessible(page, "menu of a card of a lane", ".move-menu[open] .menu-box")
    page.keyboard.press("Escape")
    page.locator("#lane-archived-fold > summary").click()
    assert_accessible(page, "lanes with the archive")
    card.focus()
    page.keyboard.press("Alt+ArrowRight")
    expect(page.locator("#flash")).to_contain_text("Moved “Chalk the road”")
    assert_accessible(page, "a moved card")
    page.goto(f"/boards/{pool.board_id}?view=lanes&by=tag")
    assert_accessible(page, "lanes of tags")
    page.goto(f"/boards/{pool.board_id}?view=lanes&q=nothing-like-this")
    assert_accessible(page, "nothing found in lanes")
    page.goto(f"/boards/{pool.board_id}?view=list")
    assert_accessible(page, "list")
    page.get_by_label("Select “Chalk the road”").check()
    assert_accessible(page, "list with a selection", "#bulk")


def test_the_state_of_the_server_passes_axe(page: Page) -> None:
    page.goto("/")
    page.locator(".more-menu > summary").click()
    page.get_by_role("link", name="State of the server").click()
    expect(page.get_by_role("heading", name="State of the server")).to_be_visible()
    assert_accessible(page, "state of the server")


def test_the_pages_for_newcomers_pass_axe(page: Page) -> None:
    for address, name in (("/help", "Help"), ("/about", "About Ideapool")):
        page.goto(address)
        expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()
        assert_accessible(page, address)
    page.goto("/boards/new")
    assert_accessible(page, "new board")
    for summary in page.locator(".template-more > summary").all()[:2]:
        summary.click()
    assert_accessible(page, "what templates bring")
    page.get_by_role("button", name="Use this template “Village festival”").click()
    expect(page.locator("#start")).to_be_visible()
    assert_accessible(page, "empty board of a template")
    page.goto("/boards/new")
    page.locator("#open-sample").click()
    expect(page.locator("#remove-sample")).to_be_visible()
    assert_accessible(page, "sample board")


def test_the_models_to_choose_from_pass_axe(page: Page) -> None:
    page.goto("/")
    page.locator("#model-chip").click()
    expect(page.get_by_role("heading", name="Models", exact=True)).to_be_visible()
    expect(page.get_by_role("heading", name="Scores")).to_be_visible()
    assert_accessible(page, "models")


def test_the_trash_passes_axe(visit: Visitors, pool: Pool) -> None:
    page = visit()
    visit.traps.expect("404")
    page.goto(f"/boards/{pool.board_id}/trash")
    assert_accessible(page, "empty trash")
    for number in range(7):
        deleted = pool.add(f"Idea {number}", "Each household adds *one* vegetable. " * number)
        pool.store.ideas.delete(deleted.id)
    page.goto("/")
    assert_accessible(page, "board whose ideas are all deleted")
    page.locator("#to-trash").click()
    assert_accessible(page, "trash")
    page.get_by_label("Select “Idea 3”").check()
    assert_accessible(page, "selected ideas in the trash")
    page.get_by_role("link", name="Empty the trash").click()
    assert_accessible(page, "question")
    page.goto(f"/ideas/{deleted.id}")
    assert_accessible(page, "page of a deleted idea")
    for title in ("Soup", "Chalk"):
        pool.add(title)
    page.goto("/")
    page.get_by_role("link", name="Select all shown").click()
    page.locator("#bulk").get_by_role("button", name="Delete").click()
    assert_accessible(page, "question in a dialog", "#ask-delete")


def test_refused_forms_pass_axe(visit: Visitors, pool: Pool) -> None:
    visit.traps.expect("422")
    idea = pool.add("Soup from one pot", "Each household adds *one* vegetable.", tags=["food"])
    page = visit()
    page.goto("/")
    page.get_by_label("What do you want ideas for?").fill("x" * 180)
    assert_accessible(page, "a counter")
    page.get_by_label("What do you want ideas for?").fill("  ")
    page.get_by_role("button", name="Brainstorm", exact=True).click()
    expect(page.locator("#topic-problem")).to_be_visible()
    assert_accessible(page, "a refused topic")
    page.get_by_label("Select “Soup from one pot”").check()
    page.get_by_role("button", name="Combine").click()
    expect(page.locator("#bulk-problem")).to_be_visible()
    assert_accessible(page, "refused for what is selected")
    page.goto(f"/ideas/{idea.id}")
    page.locator("#editor > summary").click()
    page.locator("#tags").fill("x" * 50)
    page.locator("#save").click()
    expect(page.locator("#tags-problem")).to_be_visible()
    assert_accessible(page, "a refused text")
    # The page asks before it is left with a text that is saved nowhere.
    page = visit()
    page.goto(f"/boards/{pool.board_id}/rubrics")
    page.locator("#rubric-name-new").fill("Street")
    page.locator("#criterion-new-0").fill("x" * 50)
    page.locator("#weight-new-0").fill("much")
    page.locator("#save-new").click()
    expect(page.locator("#criterion-new-0-problem")).to_be_visible()
    assert_accessible(page, "a refused rubric")


def test_changing_ideas_on_the_board_passes_axe(page: Page, pool: Pool) -> None:
    soup = pool.add("Soup from one pot", "Each household adds *one* vegetable.", tags=["food"])
    chalk = pool.add("Chalk the road", star=True)
    old = pool.add("Old fence", status="archived")
    page.goto(f"/boards/{pool.board_id}?status=any")
    page.get_by_label("Select “Chalk the road”").check()
    page.get_by_label("Select “Old fence”").check()
    page.locator("#bulk-tags > summary").click()
    assert_accessible(page, "selected ideas and the open menu over the cards", "#bulk")
    page.keyboard.press("Escape")
    page.locator(f"#edit-{soup.id}").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Title")).to_be_focused()
    page.locator(f"#status-{chalk.id} > summary").click()
    assert_accessible(page, "edited card and open status", "#ideas")
    page.locator("#filter-menu > summary").click()
    page.locator("#filter-tags > summary").click()
    assert_accessible(page, "tags to filter by", "#filters")
    page.goto(f"/ideas/{old.id}/edit")
    assert_accessible(page, "edit page")


def test_brainstorms_pass_axe(page: Page, pool: Pool) -> None:
    pool.backend.delay_s = 0.5
    brainstorm(page, pool)
    expect(page.locator("#run .is-draft").first).to_be_visible()
    assert_accessible(page, "brainstorm under way")
    assert page.locator("#stop").is_visible(), "it was over before it was looked at"
    pool.backend.delay_s = 0
    expect(page.locator("#keep-all")).to_be_visible()
    settled(page)
    page.get_by_role("button", name="Keep “").first.click()
    expect(page.locator("#run .is-kept")).to_be_visible()
    page.get_by_role("button", name="Discard").first.click()
    expect(page.locator("#run .is-discarded")).to_be_visible()
    page.locator("#run .suggestion-menu > summary").first.click()
    page.locator("#run .edit > summary").first.click()
    page.locator("#run .provenance > summary").click()
    assert_accessible(page, "brainstorm done")


def test_ideas_pass_axe(page: Page, pool: Pool) -> None:
    idea = pool.add("Soup from one pot", "Each household adds *one* vegetable.", tags=["food"])
    page.goto(f"/ideas/{idea.id}")
    page.get_by_role("button", name="Clearer").click()
    expect(page.locator("#diff")).to_be_visible()
    settled(page)
    assert_accessible(page, "refinement")
    page.locator("[name=edits]").first.uncheck()
    page.locator("#passage > summary").click()
    assert_accessible(page, "refinement with a change left out")
    page.locator("#edit-proposal").click()
    expect(page.locator("#edit-title")).to_be_focused()
    assert_accessible(page, "proposal to edit")
    page.locator("#save-mine").click()
    expect(page.locator("#diff")).to_have_count(0)
    page.goto(f"/ideas/{idea.id}/compare")
    assert_accessible(page, "versions compared")
    page.goto(f"/ideas/{idea.id}")
    page.locator("#evaluate").click()
    expect(page.locator("#evaluation")).to_be_visible()
    assert_accessible(page, "evaluation")
    pool.backend.replies.append(EngineCrashed("It ran dry."))
    page.locator("#evaluate").click()
    expect(page.get_by_text("This run failed")).to_be_visible()
    settled(page)
    assert_accessible(page, "failed run")


def test_troubles_pass_axe(visit: Visitors, pool: Pool) -> None:
    page = visit()
    visit.traps.expect("404")
    visit.traps.expect("409")
    idea = pool.add("Soup from one pot", "Each household adds *one* vegetable.")
    page.goto(f"/ideas/{idea.id}")
    page.locator("#editor > summary").click()
    assert_accessible(page, "editor")
    pool.store.ideas.update(idea.id, IdeaUpdate(star=True))
    page.locator("#save").click()
    expect(page.locator("#conflict-title")).to_be_focused()
    assert_accessible(page, "lost update")
    for address in ("/ideas/nope", "/login"):
        page.goto(address)
        assert_accessible(page, address)
    page.locator(".more-menu > summary").click()
    page.get_by_role("button", name="Keyboard shortcuts").click()
    assert_accessible(page, "shortcuts")


def test_the_keyboard_alone_adds_brainstorms_and_keeps(page: Page) -> None:
    page.goto("/")
    # A form that is sent before htmx has seen it loads the page anew.
    expect(page.locator("#ask-form[data-htmx-powered]")).to_be_visible()
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
    settled(page)
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
    page.get_by_role("button", name="Turn single-key shortcuts off").click()
    page.get_by_role("button", name="Close").click()
    page.evaluate("document.activeElement.blur()")

    page.keyboard.press("/")

    expect(page.get_by_label("Search", exact=True)).not_to_be_focused()
    page.reload()
    page.keyboard.press("/")
    expect(page.get_by_label("Search", exact=True)).not_to_be_focused()


def test_the_skip_link_leads_past_the_header(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()

    page.keyboard.press("Enter")

    expect(page.locator("#main")).to_be_focused()


def test_writing_on_the_page_of_an_idea_passes_axe(page: Page, pool: Pool) -> None:
    body = "**Soup**\n\n- [ ] Ask\n  - [x] the school\n\n1. [ ] Cook"
    idea = pool.add("Soup from one pot", body)
    image = pool.store.attachments.add(idea.id, "pot.png", png(400, 300))
    pool.store.attachments.add(idea.id, "a very long name of a list " * 3 + ".txt", b"pots")
    pool.store.ideas.update(idea.id, IdeaUpdate(body=f"{body}\n\n{image.markdown}"))
    page.goto(f"/ideas/{idea.id}")
    assert_accessible(page, "boxes and files")
    page.locator(".file-alt > summary").click()
    assert_accessible(page, "words for an image")
    page.locator("#editor > summary").click()
    assert_accessible(page, "editor with tools")
    page.locator("#text").fill("Other **words**")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("region", name="Preview").locator("strong")).to_be_visible()
    assert_accessible(page, "preview")
    page.keyboard.press("Escape")
    expect(page.locator("#draft-note")).to_be_visible()
    assert_accessible(page, "draft")
