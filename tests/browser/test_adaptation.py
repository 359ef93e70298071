"""Pages fit their reader: small screens, large text, other languages, forced colours, no motion."""

import httpx2
import pytest
from playwright.sync_api import FloatRect, Page, ViewportSize, expect

from service.schemas.ideas import IdeaUpdate
from tests.browser.conftest import Pool, Visitors
from tests.browser.test_accessibility import assert_accessible

pytestmark = pytest.mark.browser
SMALL: ViewportSize = {"width": 320, "height": 640}
TOO_WIDE = "document.documentElement.scrollWidth - window.innerWidth"
CUT = """() => [...document.querySelectorAll(".button, .chip, label, h1, h2, h3, summary")]
  .filter((one) => one.checkVisibility() && !one.closest(".visually-hidden"))
  .filter((one) => one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflow !== "visible")
  .map((one) => one.outerHTML.slice(0, 100))"""


@pytest.fixture
def addresses(pool: Pool) -> list[str]:
    """Every page that reads, with something on it."""
    board = f"/boards/{pool.board_id}"
    first = pool.add("Grannsamverkansföreningens sommarfestplaneringskommitté", "Ord. " * 60)
    pool.add("Soup from one pot", "Each household adds one vegetable.", tags=["food"])
    pool.store.ideas.update(first.id, IdeaUpdate(body="Changed."))
    idea = f"/ideas/{first.id}"
    names = "rank table rubrics clusters lineage summary runs print".split()
    pages = [board, *(f"{board}/{name}" for name in names), "/import"]
    return ["/boards", *pages, idea, f"{idea}/edit", f"{idea}/lineage", f"{idea}/compare", "/login"]


def test_pages_fit_a_small_screen_in_swedish(visit: Visitors, addresses: list[str]) -> None:
    page = visit(locale="sv-SE")
    page.set_viewport_size(SMALL)

    wide = {}
    for address in addresses:
        page.goto(address)
        expect(page.locator("html")).to_have_attribute("lang", "sv")
        wide[address] = page.evaluate(TOO_WIDE)

    assert {address: by for address, by in wide.items() if by > 0} == {}


def test_pages_keep_together_with_text_of_twice_the_size(page: Page, addresses: list[str]) -> None:
    found = {}
    for address in addresses:
        page.goto(address)
        page.evaluate("document.documentElement.style.fontSize = '200%'")
        found[address] = (page.evaluate(TOO_WIDE), page.evaluate(CUT))

    assert {one: what for one, what in found.items() if what[0] > 0 or what[1]} == {}


def test_swedish_pages_pass_axe(visit: Visitors, pool: Pool) -> None:
    page = visit(locale="sv-SE")
    pool.add("Soppa ur en gryta", "Varje hushåll tar med en grönsak.", tags=["mat"])
    page.goto("/")
    assert_accessible(page, "a Swedish board")
    page.locator(".more-menu > summary").click()
    assert_accessible(page, "the Swedish menu", ".more-menu")


def test_nothing_moves_for_those_who_asked_for_less_motion(page: Page, pool: Pool) -> None:
    pool.add("Soup from one pot")
    page.goto("/")
    page.locator("#ideas .card-delete button").first.click()
    expect(page.locator("#undo")).to_be_visible()

    longest = page.evaluate(
        "Math.max(0, ...document.getAnimations().map((one) => one.effect.getTiming().duration))"
    )

    assert longest <= 1


def test_states_are_visible_in_forced_colours(page: Page, pool: Pool) -> None:
    starred = pool.add("Starred", star=True)
    plain = pool.add("Plain")
    page.emulate_media(forced_colors="active")
    page.goto("/")

    def look(selector: str, name: str) -> str:
        return str(
            page.locator(selector).evaluate(
                f"one => getComputedStyle(one).getPropertyValue('{name}')"
            )
        )

    fills = [look(f"#star-{idea.id} .icon", "fill") for idea in (starred, plain)]
    page.locator("#topic").focus()

    assert fills[0] != fills[1]
    assert look("#topic", "outline-style") != "none"


def test_the_language_of_the_pages_is_chosen_in_the_menu(visit: Visitors) -> None:
    page = visit(java_script_enabled=False)
    page.goto("/boards")
    page.locator(".more-menu > summary").click()

    page.get_by_role("button", name="Svenska").click()

    expect(page.locator("html")).to_have_attribute("lang", "sv")
    page.locator(".more-menu > summary").click()
    expect(page.get_by_role("button", name="Svenska")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")


def box(page: Page, selector: str) -> FloatRect:
    found = page.locator(selector).first.bounding_box()
    assert found is not None
    return found


def test_hover_controls_cover_no_part_of_a_card(page: Page, pool: Pool) -> None:
    for number in range(30):
        pool.add(f"A title that is long enough to fill the width of its card, number {number}")
    page.goto("/")
    for card in ("#ideas li.card[tabindex] >> nth=0", "#ideas li.card[tabindex] >> nth=29"):
        page.locator(card).hover(position={"x": 60, "y": 60})

        more, title = box(page, f"{card} >> .card-more"), box(page, f"{card} >> h3 a")
        star = box(page, f"{card} >> .star .icon")
        assert more["y"] + more["height"] <= min(title["y"], star["y"]) + 1
        page.mouse.move(more["x"] + 10, more["y"] + 10)
        top = "([x, y]) => document.elementFromPoint(x, y).closest('.card-more') !== null"
        assert page.evaluate(top, [more["x"] + 10, more["y"] + 10]), "it stays under the pointer"


@pytest.mark.parametrize("locale", ["en-GB", "sv-SE"])
def test_the_bin_of_an_idea_stands_beside_its_star_on_a_phone(
    visit: Visitors, pool: Pool, locale: str
) -> None:
    task = {"topic": "a street party", "n": 1}
    made = httpx2.post(f"{pool.url}/api/v1/brainstorm", json=task).json()["suggestions"][0]
    idea, _ = pool.store.suggestions.keep(made["id"])
    page = visit(width=390, locale=locale)
    page.goto(f"/ideas/{idea.id}")

    star, bin_ = box(page, "#star"), box(page, ".sheet-top .ghost")
    assert abs(star["y"] - bin_["y"]) < star["height"] / 2
    assert bin_["x"] > star["x"]


def test_menu_words_do_not_break_across_lines(page: Page) -> None:
    page.goto("/boards")
    page.locator(".more-menu > summary").click()

    theme, language = (
        box(page, f".more-menu .segments button[name={name}]") for name in ("theme", "language")
    )
    assert language["height"] == theme["height"]
