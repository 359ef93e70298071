"""The palette by keyboard alone, for two roles, and its page without JavaScript."""

import re
from contextlib import ExitStack
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from service.schemas.ideas import BoardCreate
from tests.browser.conftest import Pool, Visitors
from tests.browser.test_people import join, team

__all__ = ["team"]

pytestmark = pytest.mark.browser
# What a script puts off to its next turn comes late, as on a busy machine.
LATE = """
const later = window.setTimeout;
window.setTimeout = (act, after = 3_000, ...more) => later(act, after, ...more);
"""


def option(page: Page, name: str) -> Locator:
    return page.locator("#palette-list").get_by_role("option", name=re.compile(f"^{name}"))


def opened(page: Page) -> Locator:
    page.keyboard.press("Control+k")
    field = page.get_by_role("combobox", name="Search ideas, pages and commands")
    expect(field).to_be_focused()
    expect(option(page, "All boards")).to_be_attached()
    return field


def expect_active(page: Page, wanted: Locator) -> None:
    expect(wanted).to_have_attribute("aria-selected", "true")
    active = wanted.get_attribute("id")
    expect(page.locator("#palette-q")).to_have_attribute("aria-activedescendant", str(active))
    expect(page.locator("#palette [aria-selected=true]")).to_have_count(1)


def test_arrows_choose_and_escape_gives_the_focus_back(page: Page, pool: Pool) -> None:
    pool.add("Soup")
    pool.add("Bread")
    page.goto("/")
    page.keyboard.press("j")
    opened(page)
    options = page.locator("#palette-list").get_by_role("option")

    expect_active(page, options.first)
    page.keyboard.press("ArrowDown")
    expect_active(page, options.nth(1))
    page.keyboard.press("Home")
    page.keyboard.press("ArrowUp")
    expect_active(page, options.filter(visible=True).last)
    page.keyboard.press("Home")
    expect_active(page, options.first)
    page.keyboard.press("Escape")

    expect(page.locator("#palette")).to_be_hidden()
    expect(page.locator("#ideas li.card[tabindex]").first).to_be_focused()


def test_enter_opens_an_idea_of_another_board_although_its_word_is_misspelt(
    page: Page, pool: Pool
) -> None:
    garden = pool.store.boards.create(BoardCreate(name="Garden")).id
    idea = pool.add("Red bicycle", board_id=garden)
    page.goto("/")
    opened(page)

    page.keyboard.type("biycle")
    expect(option(page, "Red bicycle")).to_contain_text("Garden")
    expect(page.locator("#palette-list")).to_contain_text("Nothing contains “biycle”")
    expect_active(page, option(page, "Red bicycle"))
    page.keyboard.press("Enter")

    page.wait_for_url(f"**/ideas/{idea.id}")
    page.goto("/")
    opened(page)
    expect_active(page, option(page, "Red bicycle"))


def test_enter_before_the_answer_waits_for_the_ideas(page: Page, pool: Pool) -> None:
    idea = pool.add("Zucchini")
    page.goto("/")
    opened(page)

    page.keyboard.type("zucchini")
    page.keyboard.press("Enter")

    page.wait_for_url(f"**/ideas/{idea.id}")
    assert len(pool.store.ideas.texts(pool.board_id)) == 1


def test_control_enter_opens_a_new_tab(page: Page) -> None:
    page.goto("/")
    opened(page)
    page.keyboard.type("models")
    expect_active(page, option(page, "Models"))

    with page.context.expect_page() as other:
        page.keyboard.press("Control+Enter")

    other.value.wait_for_url("**/models")
    expect(page.locator("#palette")).to_be_visible()


def test_what_was_typed_becomes_an_idea_and_keys_do_not_act_meanwhile(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("Control+k")
    page.keyboard.type("jn? xs")
    expect(option(page, "Add it as an idea")).to_contain_text("“jn? xs”")
    page.keyboard.press("End")
    page.keyboard.press("Home")
    expect_active(page, option(page, "Add it as an idea"))
    page.keyboard.press("Enter")

    expect(page.locator("#flash")).to_contain_text("Added “jn? xs”.")


def test_commands_change_the_card_that_has_the_focus_without_leaving_the_page(
    page: Page, pool: Pool
) -> None:
    idea = pool.add("Soup")
    page.goto("/")
    page.keyboard.press("j")
    page.evaluate("window.isSame = true")
    for typed, name in (("star", "Star this idea"), ("status: kept", "Status: Kept")):
        opened(page)
        page.keyboard.type(typed)
        expect_active(page, option(page, name))
        page.keyboard.press("Enter")
        expect(page.locator("#palette")).to_be_hidden()
        expect(page.locator(f"#idea-{idea.id}")).to_be_focused()

    expect(page.locator(f"#star-{idea.id}")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(f"#idea-{idea.id} summary.status")).to_contain_text("Kept")
    assert page.evaluate("window.isSame")
    assert pool.store.ideas.get(idea.id).status == "kept"


def test_the_theme_changes_at_once(page: Page) -> None:
    page.goto("/")
    opened(page)
    page.keyboard.type("dark")
    expect_active(page, option(page, "Dark theme"))
    page.keyboard.press("Enter")

    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_the_button_opens_the_palette_and_works_without_javascript(
    visit: Visitors, pool: Pool
) -> None:
    pool.add("Red bicycle")
    page = visit()
    page.goto("/")
    page.get_by_role("link", name="Search", exact=True).click()
    expect(page.locator("#palette-q")).to_be_focused()

    plain = visit(java_script_enabled=False, width=390)
    plain.goto("/")
    plain.locator(".palette-open").click()
    plain.get_by_role("searchbox").fill("biycle")
    plain.get_by_role("button", name="Search", exact=True).click()
    expect(plain.get_by_role("main")).to_contain_text("Ideas with “bicycle”:")
    plain.get_by_role("link", name="Red bicycle").click()
    expect(plain.get_by_role("heading", name="Red bicycle")).to_be_visible()
    plain.goto(f"/search?board={pool.board_id}&q=Written+plainly")
    plain.get_by_role("button", name=re.compile("^Add it as an idea")).click()
    expect(plain.locator("#flash")).to_contain_text("Added “Written plainly”.")


def test_a_server_that_does_not_answer_leaves_the_page_of_results(visit: Visitors) -> None:
    visit.traps.expect("net::ERR_FAILED")
    page = visit()
    page.goto("/")
    page.context.route("**/palette?*", lambda route: route.abort())
    page.keyboard.press("Control+k")
    page.keyboard.type("soup")
    expect(page.locator("#palette-none")).to_contain_text("The server does not answer.")
    page.keyboard.press("Enter")

    page.wait_for_url("**/search?q=soup*")


@pytest.mark.parametrize(
    ("key", "check"),
    [
        ("s", lambda idea: idea.star),
        ("l", lambda idea: idea.likes == 1),
        ("2", lambda idea: idea.status == "kept"),
        ("4", lambda idea: idea.status == "done"),
    ],
)
def test_keys_change_the_focused_card(page: Page, pool: Pool, key: str, check: Any) -> None:
    idea = pool.add("Soup")
    page.goto("/")
    card = page.locator(f"#idea-{idea.id}")
    page.keyboard.press("j")
    with page.expect_response("**/ideas/**"):
        page.keyboard.press(key)

    expect(card).to_be_focused()
    page.wait_for_function("() => !document.querySelector('.htmx-request')")
    assert check(pool.store.ideas.get(idea.id))


def test_a_key_pressed_at_once_changes_the_card_and_not_the_page(page: Page, pool: Pool) -> None:
    idea = pool.add("Soup")
    page.add_init_script(LATE)
    page.goto("/")
    page.keyboard.press("j")
    page.evaluate("window.isSame = true")
    page.keyboard.press("s")

    expect(page.locator(f"#star-{idea.id}")).to_have_attribute("aria-pressed", "true")
    assert page.evaluate("window.isSame")
    expect(page.locator(f"#idea-{idea.id}")).to_be_focused()


@pytest.mark.parametrize("key", ["#", "Delete"])
def test_a_key_deletes_the_focused_card_and_z_undoes_it(page: Page, pool: Pool, key: str) -> None:
    idea, other = pool.add("Soup"), pool.add("Bread")
    page.goto("/")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press(key)

    expect(page.locator(f"#idea-{idea.id}")).to_have_count(0)
    expect(page.locator(f"#idea-{other.id}")).to_be_focused()
    page.keyboard.press("z")
    expect(page.locator(f"#idea-{idea.id}")).to_be_visible()


def test_e_edits_the_focused_card_and_escape_leaves_it(page: Page, pool: Pool) -> None:
    idea = pool.add("Soup")
    page.goto("/")
    page.keyboard.press("j")
    page.keyboard.press("e")
    expect(page.locator(f"#idea-{idea.id}").get_by_label("Title")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(f"#idea-{idea.id}")).to_be_focused()


def test_control_enter_saves_the_card_and_gives_it_the_focus(page: Page, pool: Pool) -> None:
    idea = pool.add("Soup", "Of leeks")
    page.goto("/")
    page.keyboard.press("j")
    page.keyboard.press("e")
    page.locator(f"#body-{idea.id}").press("End")
    page.keyboard.type(" and potatoes")
    page.keyboard.press("Control+Enter")

    card = page.locator(f"#idea-{idea.id}")
    expect(card.locator("p").first).to_have_text("Of leeks and potatoes")
    expect(card).to_be_focused()
    assert pool.store.ideas.get(idea.id).body == "Of leeks and potatoes"


def test_escape_ends_a_selection(page: Page, pool: Pool) -> None:
    pool.add("Soup")
    page.goto("/")
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.locator(".pick:checked")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.locator(".pick:checked")).to_have_count(0)


@pytest.mark.parametrize(
    ("key", "wanted"), [("r", "/rank"), ("o", "/summary"), ("t", "/table"), ("b", "")]
)
def test_g_and_a_letter_go_to_a_page_of_the_board(
    page: Page, pool: Pool, key: str, wanted: str
) -> None:
    page.goto(f"/ideas/{pool.add('Soup').id}")
    page.keyboard.press("g")
    page.keyboard.press(key)

    page.wait_for_url(re.compile(f"/boards/{pool.board_id}{wanted}$"))


def test_no_single_key_acts_where_they_are_off(page: Page, pool: Pool) -> None:
    idea = pool.add("Soup")
    page.goto("/")
    page.context.add_cookies([{"name": "shortcuts", "value": "off", "url": page.url}])
    page.reload()
    page.locator(f"#idea-{idea.id}").focus()
    for key in ("s", "l", "2", "#", "Delete", "x", "e", "g", "r"):
        page.keyboard.press(key)

    expect(page.locator(f"#pick-{idea.id}")).not_to_be_checked()
    left = pool.store.ideas.get(idea.id)
    assert (left.star, left.likes, left.status) == (False, 0, "draft")
    opened(page)


def test_a_reader_finds_ideas_and_is_offered_no_change(chromium: Browser, team: Pool) -> None:
    secret = team.store.boards.create(BoardCreate(name="Secret")).id
    team.add("Hidden soup", board_id=secret)
    shown = team.add("Soup")
    key = team.store.keys.create("owner")
    with ExitStack() as stack:
        visit = Visitors(chromium, team.url, stack)
        page = visit()
        join(page, invited_to(team, key), "Bo")
        page.goto(f"/boards/{team.board_id}")
        page.keyboard.press("j")
        opened(page)
        expect(option(page, "Lineage").first).to_be_visible()
        for name in ("Star this idea", "Delete", "New idea", "Trash of this board", "Webhooks"):
            expect(option(page, name)).to_have_count(0)
        page.keyboard.type("soup")
        expect(option(page, "Soup")).to_be_visible()
        expect(option(page, "Hidden soup")).to_have_count(0)
        expect(option(page, "Add it as an idea")).to_have_count(0)
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/ideas/{shown.id}")
    visit.traps.check()


def invited_to(team: Pool, key: str) -> str:
    """A link for readers of the first board."""
    with httpx2.Client(base_url=team.url, headers={"authorization": f"Bearer {key}"}) as owner:
        body = {"role": "reader", "board_id": team.board_id}
        return str(owner.post("/api/v1/invitations", json=body).json()["url"])
