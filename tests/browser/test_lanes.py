"""The board as lanes: dragging, keys, menus without scripts, and two people at once."""

import re

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from service.schemas.ideas import IdeaUpdate
from service.store.places import LaneEdit, Spot
from service.web.pages.lanes import LANE_SIZE
from tests.browser.conftest import Pool, Visitors

pytestmark = pytest.mark.browser


def lane(page: Page, key: str) -> Locator:
    return page.locator(f'.lane[data-lane="{key}"]')


def card(page: Page, title: str) -> Locator:
    return page.locator(".lane-card:not(.lane-ghost)", has_text=title)


def expect_titles(page: Page, key: str, *titles: str) -> None:
    expect(lane(page, key).locator(".lane-card h3")).to_have_text([*titles])


def fill(pool: Pool) -> dict[str, str]:
    """Three drafts, from Soup down to Shelf, and one kept idea. Returns their ids."""
    ids = {"Bench": pool.add("Bench", status="kept").id}
    return ids | {title: pool.add(title).id for title in ("Shelf", "Chalk", "Soup")}


def show_lanes(page: Page, pool: Pool, more: str = "") -> None:
    page.goto(f"/boards/{pool.board_id}?view=lanes{more}")
    page.locator("#lanes").evaluate("lanes => lanes.scrollIntoView()")


def middle(of: Locator) -> tuple[float, float]:
    box = of.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(page: Page, what: Locator, to: tuple[float, float]) -> None:
    """Takes the card and moves it, without letting go."""
    page.mouse.move(*middle(what))
    page.mouse.down()
    page.mouse.move(*to, steps=6)


def stored(pool: Pool, title: str) -> tuple[str, list[str]]:
    found = next(one for one in pool.store.archive.readable()[0][1] if one.title == title)
    return found.status, found.tags


def test_a_card_is_dragged_to_another_lane_and_back_by_undo(page: Page, pool: Pool) -> None:
    fill(pool)
    show_lanes(page, pool)
    x, y = middle(card(page, "Bench"))

    drag(page, card(page, "Chalk"), (x, y + 60))
    expect(page.locator(".lane-ghost")).to_be_visible()
    expect(lane(page, "kept").locator(".drop-line")).to_have_count(1)
    page.mouse.up()

    expect_titles(page, "kept", "Bench", "Chalk")
    expect(page.locator("#announcer")).to_have_text("Moved “Chalk” to Kept, 2 of 2.")
    expect(page.locator("#flash")).to_contain_text("Moved “Chalk” to “Kept”.")
    expect(lane(page, "kept").locator(".lane-count [aria-hidden]")).to_have_text("2")
    assert stored(pool, "Chalk")[0] == "kept"
    page.reload()
    expect_titles(page, "kept", "Bench", "Chalk")

    drag(page, card(page, "Soup"), middle(card(page, "Bench")))
    page.mouse.up()
    page.get_by_role("button", name="Undo").click()
    expect_titles(page, "draft", "Soup", "Shelf")
    expect(page.locator("#flash")).to_contain_text("The idea is back where it was.")


def test_a_card_is_dragged_within_its_lane(page: Page, pool: Pool) -> None:
    fill(pool)
    show_lanes(page, pool)
    x, y = middle(card(page, "Shelf"))

    drag(page, card(page, "Soup"), (x, y - 5))
    page.mouse.up()

    expect_titles(page, "draft", "Chalk", "Soup", "Shelf")
    expect(page.locator("#flash")).to_contain_text("Moved “Soup” within “Draft”.")
    expect(page).to_have_url(re.compile(r"view=lanes"))
    page.reload()
    expect_titles(page, "draft", "Chalk", "Soup", "Shelf")


def test_escape_ends_a_drag_and_nothing_moves(page: Page, pool: Pool) -> None:
    fill(pool)
    show_lanes(page, pool)

    drag(page, card(page, "Chalk"), middle(lane(page, "done")))
    expect(lane(page, "done")).to_have_class(re.compile("is-target"))
    page.keyboard.press("Escape")
    page.mouse.up()

    expect(page.locator(".lane-ghost, .drop-line, .is-dragged")).to_have_count(0)
    expect(page.locator("#announcer")).to_have_text("“Chalk” stays where it was.")
    expect_titles(page, "draft", "Soup", "Chalk", "Shelf")
    assert stored(pool, "Chalk")[0] == "draft"


def test_a_lane_scrolls_while_a_card_is_held_at_its_edge(page: Page, pool: Pool) -> None:
    for number in range(LANE_SIZE):
        pool.add(f"Idea {number}", "Some text to read. " * 5)
    show_lanes(page, pool)
    lanes = page.locator("#lanes")
    box = lanes.bounding_box()
    assert box is not None
    first = card(page, f"Idea {LANE_SIZE - 1}")

    drag(page, first, (box["x"] + 100, min(box["y"] + box["height"], 900) - 5))
    expect(card(page, "Idea 0").first).to_be_in_viewport()
    page.mouse.up()

    expect(page.locator("#flash")).to_contain_text(f"Moved “Idea {LANE_SIZE - 1}” within “Draft”.")
    assert lanes.evaluate("lanes => lanes.scrollTop") > 0


def test_a_click_still_opens_the_idea_and_back_finds_its_card(page: Page, pool: Pool) -> None:
    ids = fill(pool)
    show_lanes(page, pool)

    card(page, "Shelf").get_by_role("link", name="Shelf").click()
    expect(page).to_have_url(re.compile(f"/ideas/{ids['Shelf']}"))
    page.go_back()

    expect(card(page, "Shelf").get_by_role("link", name="Shelf")).to_be_focused()


def test_a_long_press_drags_on_a_touch_screen(visit: Visitors, pool: Pool) -> None:
    fill(pool)
    page = visit(has_touch=True)
    page.set_viewport_size({"width": 390, "height": 844})
    show_lanes(page, pool)
    card(page, "Soup").scroll_into_view_if_needed()
    touch = page.context.new_cdp_session(page)
    x, y = middle(card(page, "Soup"))

    def send(kind: str, *points: tuple[float, float]) -> None:
        touch.send(
            "Input.dispatchTouchEvent",
            {"type": kind, "touchPoints": [{"x": at, "y": down} for at, down in points]},
        )

    send("touchStart", (x, y))
    expect(page.locator(".lane-ghost")).to_be_visible()
    to = middle(card(page, "Shelf"))
    for part in (0.3, 0.6, 1.0):
        send("touchMove", (x, y + (to[1] + 15 - y) * part))
    send("touchEnd")

    expect_titles(page, "draft", "Chalk", "Shelf", "Soup")


def test_keys_move_a_card_and_it_keeps_the_focus(page: Page, pool: Pool) -> None:
    fill(pool)
    show_lanes(page, pool)
    soup = card(page, "Soup")
    soup.focus()

    page.keyboard.press("Alt+ArrowDown")
    expect(page.locator("#announcer")).to_have_text("Moved “Soup” to Draft, 2 of 3.")
    page.keyboard.press("Alt+ArrowDown")
    expect_titles(page, "draft", "Chalk", "Shelf", "Soup")
    page.keyboard.press("Alt+ArrowUp")
    expect_titles(page, "draft", "Chalk", "Soup", "Shelf")
    expect(soup).to_be_focused()
    page.keyboard.press("Alt+ArrowRight")
    expect(page.locator("#announcer")).to_have_text("Moved “Soup” to Kept, 1 of 2.")
    page.keyboard.press("Alt+ArrowRight")
    expect_titles(page, "in-progress", "Soup")
    expect(soup).to_be_focused()
    page.keyboard.press("Alt+ArrowLeft")
    expect_titles(page, "kept", "Soup", "Bench")

    expect(page.locator("#flash")).to_contain_text("Moved “Soup” to “Kept”.")
    page.reload()
    expect_titles(page, "kept", "Soup", "Bench")
    expect_titles(page, "draft", "Chalk", "Shelf")


def test_the_menu_moves_a_card(page: Page, pool: Pool) -> None:
    fill(pool)
    show_lanes(page, pool)
    menu = card(page, "Soup").locator(".move-menu")

    menu.locator("summary").click()
    menu.get_by_role("button", name="To the bottom").click()
    expect_titles(page, "draft", "Chalk", "Shelf", "Soup")
    expect(menu.locator("summary")).to_be_focused()
    page.keyboard.press("Enter")
    menu.get_by_role("button", name="Done").click()

    expect_titles(page, "done", "Soup")
    expect(page.locator("#announcer")).to_have_text("Moved “Soup” to Done, 1 of 1.")


def test_cards_move_without_scripts(visit: Visitors, pool: Pool) -> None:
    fill(pool)
    page = visit(java_script_enabled=False)
    show_lanes(page, pool)

    for button in ("Down", "Done"):
        menu = card(page, "Soup").locator(".move-menu")
        menu.locator("summary").click()
        menu.get_by_role("button", name=button).click()
        if button == "Down":
            expect_titles(page, "draft", "Chalk", "Soup", "Shelf")

    expect_titles(page, "done", "Soup")
    expect(page).to_have_url(re.compile(r"view=lanes"))
    page.get_by_role("button", name="Undo").click()
    expect_titles(page, "draft", "Chalk", "Soup", "Shelf")


def test_a_refused_move_is_put_back_with_a_message(visit: Visitors, pool: Pool) -> None:
    visit.traps.expect("404")
    ids = fill(pool)
    page = visit()
    show_lanes(page, pool)

    def delete_first(route: Route) -> None:
        pool.store.ideas.delete(ids["Soup"])
        route.continue_()

    page.route(f"**/ideas/{ids['Soup']}/place", delete_first)
    card(page, "Soup").focus()

    page.keyboard.press("Alt+ArrowRight")

    expect(page.locator("#alerts")).to_contain_text("does not exist or was deleted")
    expect(card(page, "Soup")).to_have_count(0)
    expect_titles(page, "kept", "Bench")


def test_a_move_while_the_server_is_away_is_put_back(visit: Visitors, pool: Pool) -> None:
    visit.traps.expect("ERR_FAILED")
    fill(pool)
    page = visit()
    show_lanes(page, pool)
    page.route("**/place", lambda route: route.abort())
    card(page, "Soup").focus()

    page.keyboard.press("Alt+ArrowRight")

    expect(page.locator("#alerts")).to_contain_text("The server cannot be reached")
    expect_titles(page, "draft", "Soup", "Chalk", "Shelf")
    expect(lane(page, "draft").locator(".lane-count [aria-hidden]")).to_have_text("3")


@pytest.mark.usefixtures("ada")
def test_what_others_move_is_seen_while_a_card_is_dragged(page: Page, pool: Pool) -> None:
    ids = fill(pool)
    show_lanes(page, pool)
    page.evaluate("window.sameDocument = true")
    drag(page, card(page, "Chalk"), middle(lane(page, "in-progress")))
    ghost = page.locator(".lane-ghost").bounding_box()

    pool.store.places.move(ids["Shelf"], Spot(after=ids["Bench"]), LaneEdit(status="kept"))

    expect_titles(page, "kept", "Bench", "Shelf")
    expect(page.locator("#announcer")).to_have_text("Ada moved “Shelf” to Kept.")
    assert page.locator(".lane-ghost").bounding_box() == ghost
    expect(lane(page, "in-progress").locator(".drop-line")).to_have_count(1)
    page.mouse.up()
    expect_titles(page, "in-progress", "Chalk")
    expect_titles(page, "draft", "Soup")
    assert page.evaluate("window.sameDocument")


def test_two_people_end_with_the_same_order(visit: Visitors, pool: Pool) -> None:
    fill(pool)
    one, other = visit(), visit()
    for page in (one, other):
        show_lanes(page, pool)
    card(one, "Soup").focus()
    card(other, "Shelf").focus()

    one.keyboard.press("Alt+ArrowDown")
    other.keyboard.press("Alt+Home")
    other.keyboard.press("Alt+ArrowRight")
    expect(lane(one, "kept").locator(".lane-card")).to_have_count(2)

    for page in (one, other):
        expect_titles(page, "kept", "Shelf", "Bench")
        expect_titles(page, "draft", "Chalk", "Soup")


@pytest.mark.usefixtures("ada")
def test_lanes_show_what_others_add_change_and_delete(page: Page, pool: Pool) -> None:
    ids = fill(pool)
    show_lanes(page, pool)

    pool.store.ideas.update(ids["Soup"], IdeaUpdate(title="Stew"))
    expect_titles(page, "draft", "Stew", "Chalk", "Shelf")
    pool.add("Kettle", status="done")
    expect_titles(page, "done", "Kettle")
    pool.store.ideas.delete(ids["Bench"])
    expect_titles(page, "kept")
    expect(lane(page, "kept").locator(".lane-empty")).to_be_visible()
    expect(page.locator("#announcer")).to_have_text("Ada removed “Bench” from this list.")


def test_a_move_to_another_tag_swaps_the_tags(page: Page, pool: Pool) -> None:
    pool.add("Soup", tags=["food", "street"])
    pool.add("Seeds", tags=["garden"])
    pool.add("Walk")
    show_lanes(page, pool, "&by=tag")
    expect_titles(page, "", "Walk")
    expect_titles(page, "street", "Soup")

    lane(page, "food").locator(".lane-card").focus()
    page.keyboard.press("Alt+ArrowRight")

    expect_titles(page, "garden", "Soup", "Seeds")
    expect(page.locator("#flash")).to_contain_text(
        "“Soup” is now tagged “garden” instead of “food”."
    )
    # A tag that no idea has is no lane.
    expect(lane(page, "food")).to_have_count(0)
    expect_titles(page, "street", "Soup")
    assert stored(pool, "Soup")[1] == ["garden", "street"]


def test_a_new_idea_begins_in_the_lane_where_it_is_written(page: Page, pool: Pool) -> None:
    fill(pool)
    show_lanes(page, pool)

    lane(page, "kept").locator(".lane-add summary").click()
    for title in ("Kettle", "Lamp"):
        expect(lane(page, "kept").locator("[name=title]")).to_be_focused()
        page.keyboard.type(title)
        page.keyboard.press("Enter")
        expect(lane(page, "kept").locator(".lane-card").first).to_contain_text(title)

    expect_titles(page, "kept", "Lamp", "Kettle", "Bench")
    pool.add("Seeds", tags=["garden"])
    show_lanes(page, pool, "&by=tag")
    lane(page, "garden").locator(".lane-add summary").click()
    expect(lane(page, "garden").locator("[name=title]")).to_be_focused()
    page.keyboard.type("Hedge")
    page.keyboard.press("Enter")
    expect_titles(page, "garden", "Hedge", "Seeds")


def test_a_long_lane_shows_more_on_request(page: Page, pool: Pool) -> None:
    for number in range(LANE_SIZE + 3):
        pool.add(f"Idea {number}")
    show_lanes(page, pool)
    drafts = lane(page, "draft").locator(".lane-card")
    expect(drafts).to_have_count(LANE_SIZE)

    lane(page, "draft").get_by_role("link", name="Show more").click()

    expect(drafts).to_have_count(LANE_SIZE + 3)
    expect(page).to_have_url(re.compile("more=draft"))
    page.reload()
    expect(drafts).to_have_count(LANE_SIZE + 3)


def test_a_board_remembers_its_view(page: Page, pool: Pool) -> None:
    fill(pool)
    board = f"/boards/{pool.board_id}"
    page.goto(board)
    expect(page.locator("#ideas.cards")).to_be_visible()

    page.get_by_role("link", name="Lanes", exact=True).click()
    page.get_by_role("link", name="tag", exact=True).click()
    page.goto(board)
    expect(page.locator("#lanes[data-by=tag]")).to_be_visible()
    expect(page).to_have_url(re.compile("view=lanes&by=tag"))

    page.get_by_role("link", name="List", exact=True).click()
    page.goto(board)
    expect(page.locator("#ideas.rows")).to_be_visible()
    page.get_by_role("link", name="Cards", exact=True).click()
    page.goto(board)
    expect(page.locator("#ideas.cards")).to_be_visible()


@pytest.mark.parametrize("view", ["lanes", "list"])
def test_filters_and_the_bulk_bar_work_in_each_view(page: Page, pool: Pool, view: str) -> None:
    fill(pool)
    page.goto(f"/boards/{pool.board_id}?view={view}")
    shown = page.locator(".lane-card, .row")

    page.get_by_role("searchbox").fill("s")
    page.get_by_role("searchbox").fill("soup")
    expect(shown).to_have_count(1)
    expect(page).to_have_url(re.compile(f"view={view}"))
    page.get_by_role("searchbox").fill("nothing-like-this")
    expect(page.get_by_role("heading", name="No idea matches “nothing-like-this”")).to_be_visible()
    page.get_by_role("searchbox").fill("")
    expect(shown).to_have_count(4)

    for title in ("Soup", "Chalk"):
        page.get_by_label(f"Select “{title}”").check()
    page.locator("#bulk-status > summary").click()
    page.locator("#bulk-status").get_by_role("button", name="Done").click()
    expect(page.locator("#flash")).to_contain_text("2 ideas are now “Done”.")
    if view == "lanes":
        expect_titles(page, "done", "Soup", "Chalk")
    else:
        expect(page.locator(".status-menu > summary", has_text="Done")).to_have_count(2)
    expect(page.locator(".pick:checked")).to_have_count(0)


def test_a_row_of_the_list_is_changed_in_place(page: Page, pool: Pool) -> None:
    fill(pool)
    page.goto(f"/boards/{pool.board_id}?view=list")
    soup = page.locator(".row", has_text="Soup")

    soup.get_by_role("button", name="Like “Soup”").click()
    expect(soup.locator(".like")).to_have_attribute("aria-pressed", "true")
    soup.locator(".status-menu > summary").click()
    soup.get_by_role("button", name="Kept").click()
    expect(soup.locator(".status-menu > summary")).to_contain_text("Kept")
    soup.hover()
    soup.get_by_role("link", name="Edit “Soup”").click()
    page.get_by_label("Title").first.fill("Stew")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".row", has_text="Stew")).to_be_visible()
