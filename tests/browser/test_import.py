"""Ideas come in from a file or a pasted text, and go out to paper and files."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from service.schemas.ranking import ComparisonCreate
from service.store.listing import IdeaQuery
from tests.browser.conftest import Pool, Visitors
from tests.browser.test_accessibility import assert_accessible

pytestmark = pytest.mark.browser
LIST = "# Street party\n\nSome notes.\n\n- Soup from one pot #food\n- [x] Chalk\n  - in colours\n"
TABLE = "title,status\nSoup,kept\nChalk,Backlog\n"
BOTH = pytest.mark.parametrize("has_script", [True, False], ids=["with scripts", "without scripts"])


def titles(pool: Pool) -> list[str]:
    return [idea.title for idea in pool.store.ideas.page(IdeaQuery(sort="old")).items]


@BOTH
def test_a_pasted_list_is_previewed_and_then_imported_once(
    visit: Visitors, pool: Pool, has_script: bool
) -> None:
    page = visit(java_script_enabled=has_script)
    page.goto("/")
    page.locator(".more-menu > summary").click()
    page.get_by_role("banner").get_by_role("link", name="Import ideas").click()
    page.get_by_label("Or paste text").fill(LIST)
    page.get_by_role("button", name="Preview").click()

    expect(page.get_by_role("heading", name="Preview of the import")).to_be_visible()
    expect(page.locator("#plan")).to_contain_text("2 new ideas · 1 new board")
    assert titles(pool) == []
    page.get_by_role("button", name="Import 2 ideas").click()

    expect(page.get_by_text("Imported 2 ideas.")).to_be_visible()
    expect(page.locator("#ideas .card h3")).to_have_text(["Chalk", "Soup from one pot"])
    page.goto("/import")
    page.get_by_label("Or paste text").fill(LIST)
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#plan")).to_contain_text("0 new ideas · 2 unchanged ideas")
    expect(page.get_by_role("button", name="Import", exact=True)).to_be_disabled()


@BOTH
def test_the_options_of_an_import_can_be_changed_in_its_preview(
    visit: Visitors, pool: Pool, tmp_path: Path, has_script: bool
) -> None:
    file = tmp_path / "ideas.md"
    file.write_text(LIST)
    page = visit(java_script_enabled=has_script)
    page.goto("/import")
    page.get_by_label("File", exact=True).set_input_files(file)
    page.get_by_role("button", name="Preview").click()

    page.get_by_text("Change the options").click()
    page.get_by_label("Headings and the board column").select_option("tags")
    page.get_by_label("Nested lists").select_option("ideas")
    page.get_by_role("button", name="Update the preview").click()
    expect(page.locator("#plan")).to_have_text(re.compile(r"^\s*3 new ideas\s*$"))
    page.get_by_role("button", name="Import 3 ideas").click()

    expect(page.get_by_text("Imported 3 ideas.")).to_be_visible()
    assert titles(pool) == ["Soup from one pot", "Chalk", "in colours"]
    assert page.url.endswith(f"/boards/{pool.board_id}")


def test_a_file_with_a_fault_names_its_place_and_can_be_corrected(
    visit: Visitors, pool: Pool
) -> None:
    page = visit()
    visit.traps.expect("422")
    page.goto("/import")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("Choose a file or paste text.", exact=True)).to_be_visible()
    page.get_by_label("Or paste text").fill(TABLE)
    page.get_by_role("button", name="Preview").click()

    expect(page.locator("#faults")).to_contain_text("Line 3, column 2: “Backlog” is not a status")
    assert_accessible(page, "faults of a file")
    page.get_by_label("Format").select_option("lines")
    page.get_by_role("button", name="Update the preview").click()
    expect(page.locator("#plan")).to_contain_text("3 new ideas")
    assert titles(pool) == []


def test_exported_json_can_be_imported_through_the_page(
    page: Page, pool: Pool, tmp_path: Path
) -> None:
    pool.add("Soup", "One pot.")
    file = tmp_path / "export.json"
    page.goto("/")
    page.locator(".more-menu > summary").click()
    everything = page.get_by_role("group", name="Export everything")
    with page.expect_download() as download:
        everything.get_by_role("link", name="JSON").click()
    file.write_text(download.value.path().read_text().replace('"Soup"', '"Stew"'))

    page.goto("/import")
    page.get_by_label("File", exact=True).set_input_files(file)
    page.get_by_role("button", name="Preview").click()

    expect(page.locator("#plan")).to_contain_text("1 unchanged idea")


def test_an_expired_upload_is_explained(visit: Visitors) -> None:
    page = visit()
    visit.traps.expect("404")
    page.goto(f"/import/{'0' * 32}?format=lines")

    expect(page.get_by_text("Choose the file again")).to_be_visible()


def test_import_pages_pass_axe(page: Page, pool: Pool) -> None:
    pool.add("Chalk")
    page.goto("/import")
    assert_accessible(page, "import")
    page.get_by_label("Or paste text").fill(LIST)
    page.get_by_role("button", name="Preview").click()
    page.get_by_text("Change the options").click()
    assert_accessible(page, "preview")
    page.locator(".more-menu > summary").click()
    assert_accessible(page, "menu with exports")


def test_the_page_of_an_import_shows_its_end_by_itself(page: Page, pool: Pool) -> None:
    imports, token = pool.store.file_imports, "5" * 32
    imports.begin(token)
    imports.watch(token, lambda: False).begin(9000)
    page.goto(f"/import/{token}/progress?format=lines")
    expect(page.locator("#import-state")).to_contain_text("0 of 9,000 ideas are imported")
    assert_accessible(page, "import under way")

    page.get_by_role("button", name="Stop").click()
    imports.end(token, None, None)

    expect(page.get_by_text("The import was stopped")).to_be_visible()
    expect(page.get_by_role("link", name="Import the rest")).to_be_visible()
    assert_accessible(page, "stopped import")


def test_a_board_is_printed_in_its_order_with_what_is_known(page: Page, pool: Pool) -> None:
    soup = pool.add("Soup", "One **pot**.", tags=["food"], status="kept", star=True)
    chalk = pool.add("Chalk")
    pool.add("Old", status="archived")
    vote = ComparisonCreate(first_id=chalk.id, second_id=soup.id, outcome="first")
    pool.store.comparisons.vote(pool.board_id, vote)
    page.goto("/")
    page.locator(".more-menu > summary").click()
    page.get_by_role("link", name="Print this board").click()

    expect(page.locator(".printed h2")).to_have_text(["1– to 2. Chalk", "1– to 2. Soup ★"])
    expect(page.locator(".printed li").nth(1)).to_contain_text("Kept")
    expect(page.locator(".printed li").nth(1)).to_contain_text("#food")
    expect(page.locator(".printed strong")).to_have_text("pot")
    assert_accessible(page, "print")
    page.emulate_media(media="print", color_scheme="dark")
    expect(page.locator(".top")).to_be_hidden()
    expect(page.get_by_role("button", name="Print")).to_be_hidden()
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light"


def test_the_print_button_is_hidden_without_scripts(visit: Visitors, pool: Pool) -> None:
    page = visit(java_script_enabled=False)
    page.goto(f"/boards/{pool.board_id}/print")
    expect(page.get_by_role("button", name="Print")).to_be_hidden()

    page = visit()
    page.add_init_script("window.print = () => { document.title = 'printing' }")
    page.goto(f"/boards/{pool.board_id}/print")
    page.get_by_role("button", name="Print").click()

    expect(page).to_have_title("printing")
