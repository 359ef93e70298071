"""The map of a board: moving over it, keys, tags by dragging and without, lists, and two people at once."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from service.schemas.ideas import IdeaUpdate
from tests.browser.conftest import Pool, Visitors
from tests.browser.test_accessibility import assert_accessible
from tests.browser.test_lanes import drag, middle, stored
from tests.support.groupable_ideas import TEXTS

pytestmark = pytest.mark.browser


def fill(pool: Pool, **tags: str) -> dict[str, str]:
    """Returns the ids by title. `tags` has the tag of an idea, by the first word of its title."""
    return {
        title: pool.add(
            title, body, tags=[tags[word]] if (word := title.split()[0]) in tags else []
        ).id
        for title, body in TEXTS.items()
    }


def show(page: Page, pool: Pool, query: str = "") -> None:
    page.goto(f"/boards/{pool.board_id}/map{query}")
    page.locator("#map-frame").evaluate("frame => frame.scrollIntoView({block: 'center'})")


def card(page: Page, title: str) -> Locator:
    return page.locator(f'.map-card[aria-label^="{title}"]')


def area(page: Page, name: str) -> Locator:
    return page.locator(f'.map-area[data-name="{name}"]')


def group_of(page: Page, title: str) -> str:
    return card(page, title).get_attribute("data-group") or ""


def name_place(page: Page, name: str) -> tuple[float, float]:
    """Within the area, where no card is."""
    return middle(page.locator(".map-name", has_text=name))


def zoom(page: Page) -> float:
    return float(page.locator("#map-svg").evaluate("svg => svg.style.getPropertyValue('--zoom')"))


def view(page: Page) -> list[float]:
    return [float(one) for one in (page.locator("#map-svg").get_attribute("viewBox") or "").split()]


def test_the_ground_is_dragged_and_no_idea_is_opened(page: Page, pool: Pool) -> None:
    fill(pool)
    show(page, pool)
    before = view(page)
    box = page.locator("#map-frame").bounding_box()
    assert box is not None

    page.mouse.move(box["x"] + 8, box["y"] + 8)
    page.mouse.down()
    page.mouse.move(box["x"] + 68, box["y"] + 38, steps=4)
    page.mouse.up()

    after = view(page)
    assert after[0] == pytest.approx(before[0] - 60 / zoom(page), abs=1)
    assert after[1] == pytest.approx(before[1] - 30 / zoom(page), abs=1)
    expect(page).to_have_url(re.compile(r"/map$"))


def test_the_wheel_zooms_and_the_point_under_the_pointer_stays(page: Page, pool: Pool) -> None:
    fill(pool)
    show(page, pool)
    before, place = zoom(page), middle(card(page, "Bees on the roof"))

    page.mouse.move(*place)
    page.mouse.wheel(0, -240)

    expect(page.locator("#map-svg")).not_to_have_attribute("style", f"--zoom: {before:.3f};")
    assert zoom(page) > before * 1.4
    assert middle(card(page, "Bees on the roof")) == pytest.approx(place, abs=2)


def test_buttons_and_keys_zoom_and_show_everything(page: Page, pool: Pool) -> None:
    fill(pool)
    show(page, pool)
    fitting = zoom(page)

    page.get_by_role("button", name="Zoom in").click()
    assert zoom(page) > fitting
    page.get_by_role("button", name="Fit").click()
    assert zoom(page) == fitting
    page.get_by_role("button", name="Zoom out").click()
    assert zoom(page) < fitting
    page.locator('.map-card[tabindex="0"]').focus()
    page.keyboard.press("0")
    assert zoom(page) == fitting
    page.keyboard.press("+")
    assert zoom(page) > fitting
    page.keyboard.press("-")
    assert zoom(page) == pytest.approx(fitting, abs=0.01)


def test_arrow_keys_go_to_the_nearest_card_and_enter_opens_it(page: Page, pool: Pool) -> None:
    ids = fill(pool)
    show(page, pool)
    expect(page.locator('.map-card[tabindex="0"]')).to_have_count(1)
    page.locator("#filter-status").focus()
    for _ in range(6):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('.map-card')"):
            break
    expect(page.locator(".map-card:focus")).to_have_count(1)

    seen = set()
    for key in ("ArrowDown", "ArrowUp", "ArrowLeft", "ArrowRight") * 3:
        before = middle(page.locator(".map-card:focus"))
        title = page.locator(".map-card:focus title").text_content()
        page.keyboard.press(key)
        after = middle(page.locator(".map-card:focus"))
        seen.add(title)
        if page.locator(".map-card:focus title").text_content() != title:
            way = {
                "ArrowDown": (1, 1),
                "ArrowUp": (1, -1),
                "ArrowLeft": (0, -1),
                "ArrowRight": (0, 1),
            }
            axis, sign = way[key]
            assert (after[axis] - before[axis]) * sign > 0
    assert len(seen) > 2
    title = page.locator(".map-card:focus title").text_content() or ""
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"/ideas/{ids[title]}"))


def test_a_card_that_is_dragged_into_an_area_gets_its_tag(page: Page, pool: Pool) -> None:
    fill(pool, Tool="lending")
    show(page, pool)
    name = group_of(page, "Tool shelf")
    place = middle(card(page, "Bees on the roof"))

    drag(page, card(page, "Bees on the roof"), name_place(page, name))
    expect(area(page, name)).to_have_class(re.compile("is-target"))
    page.mouse.up()

    expect(page.locator("#flash")).to_contain_text("“Bees on the roof” is now tagged “lending”.")
    assert stored(pool, "Bees on the roof")[1] == ["lending"]
    expect(card(page, "Bees on the roof").locator("circle")).to_have_count(1)
    row = page.locator("#map-list li", has_text="Bees on the roof")
    expect(row.locator(".tag")).to_have_text(["lending"])
    # By meaning, its text says where it is.
    assert middle(card(page, "Bees on the roof")) == pytest.approx(place, abs=3)
    expect(page).to_have_url(re.compile(r"/map$"))

    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#flash")).to_contain_text("The idea is back where it was.")
    assert stored(pool, "Bees on the roof")[1] == []
    expect(card(page, "Bees on the roof").locator("circle")).to_have_count(0)


def test_an_area_without_a_common_tag_gives_its_name(page: Page, pool: Pool) -> None:
    fill(pool)
    show(page, pool)
    name = group_of(page, "Tool shelf")

    drag(page, card(page, "Bees on the roof"), name_place(page, name))
    page.mouse.up()

    expect(page.locator("#flash")).to_contain_text(f"is now tagged “{name}”.")
    assert stored(pool, "Bees on the roof")[1] == [name]


def test_another_area_of_tags_replaces_the_tag_and_the_card_moves_there(
    page: Page, pool: Pool
) -> None:
    fill(pool, Tool="lending", Walking="street", On="street")
    show(page, pool, "?group=tag")

    drag(page, card(page, "Tool shelf"), name_place(page, "street"))
    page.mouse.up()

    expect(card(page, "Tool shelf")).to_have_attribute("data-group", "street")
    expect(page.locator("#flash")).to_contain_text("is now tagged “street” instead of “lending”.")
    assert stored(pool, "Tool shelf")[1] == ["street"]
    page.reload()
    expect(card(page, "Tool shelf")).to_have_attribute("data-group", "street")


def test_escape_or_the_open_ground_ends_a_drag_and_nothing_is_tagged(
    page: Page, pool: Pool
) -> None:
    fill(pool)
    show(page, pool)
    title, name = "Bees on the roof", group_of(page, "Tool shelf")
    place = middle(card(page, title))
    box = page.locator("#map-frame").bounding_box()
    assert box is not None

    drag(page, card(page, title), name_place(page, name))
    page.keyboard.press("Escape")
    page.mouse.up()
    expect(page.locator("#announcer")).to_have_text(f"“{title}” stays where it was.")
    assert middle(card(page, title)) == pytest.approx(place, abs=2)
    drag(page, card(page, title), (box["x"] + 60, box["y"] + 60))
    page.mouse.up()

    expect(page.locator(".is-target, .is-dragged")).to_have_count(0)
    expect(page).to_have_url(re.compile(r"/map$"))
    assert stored(pool, title)[1] == []


def test_a_menu_does_the_same_with_keys_alone(page: Page, pool: Pool) -> None:
    fill(pool, Tool="lending")
    show(page, pool)
    card(page, "Bees on the roof").focus()
    expect(page.locator("#map-bar-title")).to_have_text("Bees on the roof")

    page.keyboard.press("t")
    expect(page.locator("#map-menu button:focus")).to_have_count(1)
    page.locator("#map-menu button", has_text=group_of(page, "Tool shelf")).focus()
    page.keyboard.press("Enter")

    expect(page.locator("#flash")).to_contain_text("is now tagged “lending”.")
    assert stored(pool, "Bees on the roof")[1] == ["lending"]
    expect(card(page, "Bees on the roof")).to_be_focused()
    page.keyboard.press("t")
    expect(page.locator("#map-menu button:visible")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.locator("#map-menu")).not_to_have_attribute("open", "")


def test_the_list_tags_without_dragging(page: Page, pool: Pool) -> None:
    ids = fill(pool)
    show(page, pool)

    page.locator(f"#put-{ids['Bees on the roof']} > summary").click()
    page.locator(f"#put-{ids['Bees on the roof']} [name=lane]").fill("city")
    page.keyboard.press("Enter")

    expect(page.locator("#flash")).to_contain_text("is now tagged “city”.")
    expect(page.locator(f"#put-{ids['Bees on the roof']} > summary")).to_be_focused()
    assert stored(pool, "Bees on the roof")[1] == ["city"]


def test_a_refused_tag_is_told_and_the_card_goes_back(
    page: Page, pool: Pool, visit: Visitors
) -> None:
    ids = fill(pool)
    show(page, pool)
    visit.traps.expect("404")
    pool.store.ideas.delete(ids["Bees on the roof"])

    drag(page, card(page, "Bees on the roof"), name_place(page, group_of(page, "Tool shelf")))
    page.mouse.up()

    expect(page.locator("#alerts")).to_contain_text("deleted")


def test_what_others_do_is_shown_and_the_view_stays(page: Page, pool: Pool) -> None:
    ids = fill(pool)
    show(page, pool)
    page.get_by_role("button", name="Zoom in").click()
    before = zoom(page)

    pool.store.ideas.update(ids["Bees on the roof"], IdeaUpdate(tags=["city"]))
    expect(card(page, "Bees on the roof").locator("circle")).to_have_count(1)
    pool.add("Bees in the park", "A beekeeper puts colonies of bees into the town park.")

    expect(card(page, "Bees in the park")).to_have_count(1)
    assert zoom(page) == before


def test_a_long_press_drags_and_two_fingers_zoom(visit: Visitors, pool: Pool) -> None:
    fill(pool)
    page = visit(has_touch=True)
    show(page, pool)
    fitting, name = zoom(page), group_of(page, "Tool shelf")
    touch = page.context.new_cdp_session(page)

    def send(kind: str, *points: tuple[float, float]) -> None:
        touch.send(
            "Input.dispatchTouchEvent",
            {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]},
        )

    send("touchStart", middle(card(page, "Bees on the roof")))
    expect(page.locator(".map-card.is-dragged")).to_have_count(1)
    send("touchMove", name_place(page, name))
    send("touchEnd")
    expect(page.locator("#flash")).to_contain_text(f"is now tagged “{name}”.")

    x, y = middle(page.locator("#map-frame"))
    send("touchStart", (x - 40, y), (x + 40, y))
    send("touchMove", (x - 120, y), (x + 120, y))
    send("touchEnd")
    assert zoom(page) > fitting * 1.5
    expect(page).to_have_url(re.compile(r"/map$"))


def test_a_phone_begins_with_a_part_that_can_be_read(visit: Visitors, pool: Pool) -> None:
    fill(pool)
    for number in range(20):
        pool.add(f"Soup number {number}", "Each household brings a vegetable.")
    page = visit(width=390, has_touch=True, is_mobile=True)
    show(page, pool)

    assert zoom(page) >= 0.4
    page.get_by_role("button", name="Fit").tap()
    boxes = [one.bounding_box() for one in page.locator(".map-card").all()]
    frame = page.locator("#map-frame").bounding_box()
    assert frame is not None
    assert all(
        one and frame["x"] <= one["x"] and one["x"] + one["width"] <= frame["x"] + frame["width"]
        for one in boxes
    )


def test_without_scripts_the_map_stands_still_and_the_list_tags(
    visit: Visitors, pool: Pool
) -> None:
    ids = fill(pool)
    page = visit(java_script_enabled=False)
    page.goto(f"/boards/{pool.board_id}/map")
    expect(page.locator(".map-zoom")).to_be_hidden()
    expect(page.locator("#map-bar")).to_be_hidden()

    page.locator(f"#put-{ids['Bees on the roof']} > summary").click()
    page.locator(f"#put-{ids['Bees on the roof']} [name=lane]").fill("city")
    page.locator(f"#put-{ids['Bees on the roof']} button").click()

    expect(page).to_have_url(re.compile(r"/map$"))
    expect(page.locator("#flash")).to_contain_text("is now tagged “city”.")
    assert stored(pool, "Bees on the roof")[1] == ["city"]
    page.get_by_role("link", name="tag", exact=True).click()
    expect(page.locator(".map-name")).to_have_text(["city"])
    card(page, "Tool shelf").click()
    expect(page).to_have_url(re.compile(f"/ideas/{ids['Tool shelf']}"))


def test_the_map_passes_axe(page: Page, pool: Pool) -> None:
    page.goto(f"/boards/{pool.board_id}/map")
    assert_accessible(page, "empty map")
    fill(pool, Tool="lending", Walking="street")
    pool.add("ቤት")
    show(page, pool)
    assert_accessible(page, "map")
    card(page, "Bees on the roof").focus()
    assert_accessible(page, "map with a focused card")
    page.keyboard.press("t")
    assert_accessible(page, "menu of a card of the map", "#map-menu .menu-box")
    page.keyboard.press("Escape")
    show(page, pool, "?group=tag")
    page.locator(".map-put > summary").first.click()
    assert_accessible(page, "map of tags with an open form")
    page.goto(f"/boards/{pool.board_id}/map?q=nothing-like-this")
    assert_accessible(page, "nothing found on the map")
