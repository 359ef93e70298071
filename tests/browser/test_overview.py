"""Groups that one looks at, names and makes tags of; lineage as a list and a map; a board's summary."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Pool, Visitors
from tests.browser.test_accessibility import assert_accessible
from tests.support.fake_backend import IDEAS
from tests.support.groupable_ideas import TEXTS

pytestmark = pytest.mark.browser
both_ways = pytest.mark.parametrize(
    "has_script", [True, False], ids=["with scripts", "without scripts"]
)


@pytest.fixture
def ideas(pool: Pool) -> dict[str, str]:
    return {title: pool.add(title, body).id for title, body in TEXTS.items()}


@pytest.fixture
def address(pool: Pool, ideas: dict[str, str]) -> str:
    assert ideas
    return f"/boards/{pool.board_id}/clusters"


def group(page: Page, title: str) -> Locator:
    """The one that holds an idea."""
    return page.locator("fieldset.group").filter(has=page.get_by_role("link", name=title))


def name_of(page: Page, title: str) -> Locator:
    return group(page, title).get_by_label("Title (used as the tag)")


def tags(pool: Pool, ideas: dict[str, str]) -> dict[str, list[str]]:
    found = {title: pool.store.ideas.get(idea_id).tags for title, idea_id in ideas.items()}
    return {title: tags for title, tags in found.items() if tags}


@both_ways
def test_groups_are_named_and_turned_into_tags_which_can_be_undone(
    visit: Visitors, pool: Pool, ideas: dict[str, str], has_script: bool
) -> None:
    page = visit(java_script_enabled=has_script)
    page.goto(f"/boards/{pool.board_id}")
    page.get_by_role("link", name="Overview").click()
    page.get_by_role("link", name="Groups", exact=True).click()
    expect(page.locator("fieldset.group")).to_have_count(2)
    assert tags(pool, ideas) == {}

    name_of(page, "Tool shelf").fill("lending")
    group(page, "Walking bus").get_by_role("checkbox").uncheck()
    page.get_by_role("button", name="Tag the selected groups").click()

    expect(page.get_by_text("2 ideas have a new tag.")).to_be_visible()
    expect(page.get_by_text("All of these ideas are already tagged “lending”.")).to_be_visible()
    assert tags(pool, ideas) == {"Tool shelf": ["lending"], "Tool library": ["lending"]}
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(page.get_by_text("All of these ideas are already tagged")).to_have_count(0)
    assert tags(pool, ideas) == {}


@both_ways
def test_titles_and_choices_of_groups_survive_a_reload(
    visit: Visitors, pool: Pool, address: str, has_script: bool
) -> None:
    for title, body in IDEAS[:8]:
        pool.add(title, body)
    page = visit(java_script_enabled=has_script)
    page.goto(address)
    name_of(page, "Tool shelf").fill("Lending & borrowing")
    group(page, "Walking bus").get_by_role("checkbox").uncheck()

    expect(page.locator("#groups-count")).to_contain_text("4 groups")
    expect(page.get_by_role("button", name="More groups")).to_be_disabled()
    for button, count in (("Fewer", 3), ("More", 4), ("Fewer", 3)):
        page.get_by_role("button", name=f"{button} groups").click()
        expect(page.locator("#groups-count")).to_contain_text(f"{count} groups")
    page.reload()

    expect(name_of(page, "Tool shelf")).to_have_value("Lending & borrowing")
    expect(group(page, "Walking bus").get_by_role("checkbox")).not_to_be_checked()
    name_of(page, "Tool shelf").press("Enter")
    expect(page.locator("#groups-count")).to_contain_text("3 groups")
    expect(name_of(page, "Tool shelf")).to_have_value("Lending & borrowing")


def test_a_group_without_a_title_shows_an_error_and_nothing_is_lost(
    visit: Visitors, pool: Pool, ideas: dict[str, str], address: str
) -> None:
    page = visit()
    page.goto(address)
    name_of(page, "Tool shelf").fill("lending, borrowing")
    name_of(page, "Walking bus").fill("way to school")
    visit.traps.expect("422")
    page.locator("#apply").click()

    expect(page.get_by_role("alert")).to_contain_text("Nothing was tagged")
    expect(group(page, "Tool shelf")).to_contain_text("Use a title without a comma.")
    expect(name_of(page, "Tool shelf")).to_have_value("lending, borrowing")
    expect(name_of(page, "Walking bus")).to_have_value("way to school")
    assert tags(pool, ideas) == {}
    assert_accessible(page, "a group without a title")


def test_groups_that_have_changed_since_are_shown_again_before_anything_is_tagged(
    visit: Visitors, pool: Pool, ideas: dict[str, str], address: str
) -> None:
    page = visit(java_script_enabled=False)
    page.goto(address)
    name_of(page, "Tool shelf").fill("lending")
    pool.add("Tools for all", "Drills and ladders, lent to neighbours from a list in the hall.")
    visit.traps.expect("422")
    page.locator("#apply").click()

    expect(page.get_by_role("alert")).to_contain_text(
        "The ideas have changed since you opened this page"
    )
    expect(name_of(page, "Tool shelf")).to_have_value("lending")
    expect(group(page, "Tools for all")).to_be_visible()
    assert tags(pool, ideas) == {}
    page.locator("#apply").click()
    expect(page.get_by_text("have a new tag")).to_be_visible()
    assert len(tags(pool, ideas)) == 4


def test_a_tree_is_a_list_for_all_and_a_map_beside_it(page: Page, pool: Pool) -> None:
    root = pool.add("Root")
    child = pool.add("A child with a title that is too long for its box", parent_id=root.id)
    leaf = pool.add("Leaf", parent_id=child.id)
    page.goto(f"/ideas/{leaf.id}")
    page.get_by_role("link", name="Lineage of this idea").click()

    expect(page.locator(".tree > li > ul > li > ul > li")).to_contain_text("Leaf")
    expect(page.locator(".tree [aria-current]")).to_contain_text("this idea")
    expect(page.locator(".map-box")).to_have_count(3)
    expect(page.locator(".map-line")).to_have_count(2)
    boxes = page.locator(".map-box rect").evaluate_all("all => all.map(r => r.getBBox().width)")
    labels = page.locator(".map-box text").evaluate_all("all => all.map(t => t.getBBox().width)")
    assert all(label + 20 < box for label, box in zip(labels, boxes, strict=True))
    page.locator(".map-box").first.click()
    expect(page).to_have_url(re.compile(f"/ideas/{root.id}$"))


def test_a_board_shows_its_trees_page_by_page(page: Page, pool: Pool) -> None:
    for number in range(11):
        root = pool.add(f"Root {number}")
        pool.add(f"Child {number}", parent_id=root.id)
    page.goto(f"/boards/{pool.board_id}/lineage")
    expect(page.locator(".lineage-tree")).to_have_count(10)
    page.get_by_role("link", name="Older trees").click()
    expect(page.locator(".lineage-tree h2")).to_have_text(["Root 0"])
    page.get_by_role("link", name="Newer trees").click()
    expect(page.locator(".lineage-tree h2").first).to_have_text("Root 10")


def test_a_summary_leads_to_what_it_counts(page: Page, pool: Pool, ideas: dict[str, str]) -> None:
    pool.add("Star", star=True, tags=["sky"], status="kept")
    page.goto(f"/boards/{pool.board_id}/summary")
    expect(page.locator(".figures dd").first).to_have_text("6")
    page.get_by_role("link", name="Kept").click()
    expect(page.locator(".card h3").filter(has_text="Star")).to_be_visible()
    page.go_back()
    page.get_by_role("link", name="sky").click()
    expect(page.get_by_text("1 idea found.")).to_be_visible()
    page.goto(f"/ideas/{ideas['Tool shelf']}")
    page.get_by_role("link", name="Tool library").click()
    expect(page).to_have_url(re.compile(ideas["Tool library"]))


def test_overviews_pass_axe(page: Page, pool: Pool) -> None:
    here = f"/boards/{pool.board_id}"
    for name in ("summary", "clusters", "lineage"):
        page.goto(f"{here}/{name}")
        assert_accessible(page, f"empty {name}")
    parent = None
    for title, body in TEXTS.items():
        made = pool.add(title, body, parent_id=parent, tags=["a"], status="kept")
        parent = made.id
    for path in ("summary", "clusters", "lineage"):
        page.goto(f"{here}/{path}")
        assert_accessible(page, path)
    page.goto(f"/ideas/{made.id}/lineage")
    assert_accessible(page, "lineage of an idea")
    page.goto(f"/ideas/{made.id}")
    assert_accessible(page, "idea with what is similar")


@both_ways
def test_the_charts_of_a_summary_have_their_numbers_beside_them(
    visit: Visitors, pool: Pool, ideas: dict[str, str], has_script: bool
) -> None:
    page = visit(java_script_enabled=has_script)
    page.goto(f"/ideas/{ideas['Tool shelf']}")
    page.locator("#evaluate").click()
    expect(page.locator("#evaluation .insight")).to_be_visible()
    page.goto(f"/boards/{pool.board_id}/summary")

    expect(page.get_by_role("img", name="5 ideas over time")).to_be_visible()
    expect(page.get_by_role("img", name="Overall score of 1 idea")).to_be_visible()
    tables = page.locator(".chart-table")
    expect(tables).to_have_count(2)
    for table in tables.all():
        table.locator("summary").focus()
        table.locator("summary").click()
    expect(tables.first.locator("tbody tr").last).to_contain_text("5")
    if has_script:
        assert_accessible(page, "a summary with charts")


def test_a_tag_in_a_chart_is_text(page: Page, pool: Pool) -> None:
    pool.add("Soup", tags=["<b>bold</b>"])
    page.goto(f"/boards/{pool.board_id}/summary")

    expect(page.get_by_role("link", name="<b>bold</b>")).to_be_visible()
