"""Refused forms and long texts are met with scripts and without."""

import pytest
from playwright.sync_api import Page, expect

from service.schemas.ideas import IdeaUpdate
from tests.browser.conftest import Pool, Visitors, settled
from tests.browser.test_runs import brainstorm

pytestmark = pytest.mark.browser
TOPIC = "What do you want ideas for?"
LONG = "a street party that " * 12
LONG_TAG = "bicycle" * 6


@pytest.fixture(params=["with scripts", "without"])
def anybody(request: pytest.FixtureRequest, visit: Visitors) -> Page:
    visit.traps.expect("422")
    return visit(java_script_enabled=request.param == "with scripts")


def loaded_anew(page: Page) -> None:
    """What the address bar shows, as if it had been typed there."""
    answer = page.goto(page.url)

    assert answer is not None
    assert answer.status == 200
    expect(page.locator("main")).to_be_visible()


def brainstormed(page: Page, pool: Pool) -> None:
    brainstorm(page, pool, n=2)
    expect(page.locator("#keep-all")).to_be_visible()
    settled(page)


def test_an_empty_selection_shows_an_error_beside_the_button(visit: Visitors, pool: Pool) -> None:
    visit.traps.expect("422")
    page = visit(java_script_enabled=False)
    brainstormed(page, pool)

    page.get_by_role("button", name="Keep selected").click()

    problem = page.locator("#keep-selected-problem")
    expect(problem).to_contain_text("Select suggestions first")
    expect(problem).to_be_focused()
    keep_one(page)
    expect(page.get_by_text("Method not allowed")).to_have_count(0)
    loaded_anew(page)


def test_scripts_offer_to_keep_a_selection_only_while_there_is_one(page: Page, pool: Pool) -> None:
    brainstormed(page, pool)
    keep = page.get_by_role("button", name="Keep selected")
    expect(keep).to_be_hidden()

    first = page.locator("#run .take").first
    first.check()
    expect(keep).to_be_visible()
    first.uncheck()
    expect(keep).to_be_hidden()
    keep_one(page)

    loaded_anew(page)


def keep_one(page: Page) -> None:
    page.locator("#run .take").first.check()
    page.get_by_role("button", name="Keep selected").click()
    expect(page.locator("#run .is-kept")).to_have_count(1)
    expect(page.locator("#flash")).to_contain_text("1 idea is on the board now.")


def test_a_blank_topic_shows_an_error_beside_its_field(anybody: Page, pool: Pool) -> None:
    anybody.goto(f"/boards/{pool.board_id}?sort=old")
    topic = anybody.get_by_label(TOPIC)
    topic.fill("   ")
    anybody.locator("#fine > summary").click()
    anybody.get_by_label("Background to take into account").fill("In June")

    anybody.get_by_role("button", name="Brainstorm", exact=True).click()

    expect(topic).to_have_accessible_description(
        "Write something here. Spaces alone are not enough."
    )
    expect(topic).to_have_attribute("aria-invalid", "true")
    expect(topic).to_be_focused()
    expect(topic).to_have_value("   ")
    expect(anybody.get_by_label("Background to take into account")).to_have_value("In June")

    topic.fill("a street party")
    anybody.get_by_role("button", name="Brainstorm", exact=True).click()

    expect(anybody.locator("#keep-all")).to_be_visible()
    expect(anybody.locator("#topic-problem")).to_have_count(0)
    loaded_anew(anybody)


def test_a_tag_that_is_too_long_shows_an_error_beside_its_field(anybody: Page, pool: Pool) -> None:
    pool.add("Tool shelf")
    anybody.goto(f"/boards/{pool.board_id}")
    anybody.get_by_label("Select “Tool shelf”").check()
    anybody.locator("#bulk-tags > summary").click()
    tag = anybody.locator("#bulk-tag")
    tag.fill(LONG_TAG)

    anybody.locator("#bulk-tags").get_by_role("button", name="Add").click()

    expect(tag).to_have_accessible_description(
        "The tag “bicyclebicyclebicyclebi…” has 42 characters, and the limit is 40. Shorten it."
    )
    expect(tag).to_be_focused()
    expect(tag).to_have_value(LONG_TAG)
    expect(anybody.get_by_label("Select “Tool shelf”")).to_be_checked()

    tag.fill("bicycle")
    anybody.locator("#bulk-tags").get_by_role("button", name="Add").click()

    expect(anybody.locator("#flash")).to_contain_text("1 idea tagged bicycle.")
    loaded_anew(anybody)


def test_the_address_bar_keeps_its_page_whatever_is_refused(visit: Visitors, pool: Pool) -> None:
    visit.traps.expect("422")
    pool.add("Tool shelf")
    page = visit()
    board = f"{pool.url}/boards/{pool.board_id}?sort=old"
    page.goto(board)
    for field, button in (("#topic", "#brainstorm"), ("#new-title", "#add-idea")):
        page.locator(field).fill("  ")
        page.locator(button).click()
        expect(page.locator(f"{field}-problem")).to_be_visible()

        assert page.url == board

    # This form leaves the page without htmx.
    page.locator(".boards-menu > summary").click()
    page.locator("#new-board").fill("  ")
    page.locator(".boards-menu").get_by_role("button", name="Create").click()

    expect(page.locator("#new-board")).to_be_focused()
    expect(page.locator("#new-board-problem")).to_be_visible()
    assert page.url == board
    page.reload()
    expect(page.locator("#new-board-problem")).to_have_count(0)
    expect(page.get_by_role("heading", name="Tool shelf")).to_be_visible()


def test_a_conflict_leaves_the_address_bar_alone(visit: Visitors, pool: Pool) -> None:
    visit.traps.expect("409")
    visit.traps.expect("422")
    idea = pool.add("Tool shelf", "A shelf.")
    page = visit()
    page.goto(f"/boards/{pool.board_id}")
    before = page.url
    page.locator(f"#edit-{idea.id}").click()
    pool.store.ideas.update(idea.id, IdeaUpdate(body="Theirs."))
    page.locator(f"#body-{idea.id}").fill("Mine.")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#conflict-title")).to_be_visible()
    assert page.url == before

    page.locator("#mine-title").fill("  ")
    page.get_by_role("button", name="Save your version").click()

    # The board has no such form: what was typed stays where it is.
    expect(page.locator("#alerts")).to_contain_text("Title: Write something here.")
    expect(page.locator("#mine-text")).to_have_value("Mine.")
    assert page.url == before


def test_a_card_that_is_edited_says_what_is_wrong_and_is_not_lost(
    visit: Visitors, pool: Pool
) -> None:
    visit.traps.expect("422")
    idea = pool.add("Tool shelf", "A shelf.")
    page = visit()
    page.goto(f"/boards/{pool.board_id}")
    page.locator(f"#edit-{idea.id}").click()
    page.locator(f"#body-{idea.id}").fill("A shelf in the hall.")
    page.locator(f"#tags-{idea.id}").fill(LONG_TAG)
    page.get_by_role("button", name="Save").click()

    tags = page.locator(f"#tags-{idea.id}")
    expect(tags).to_be_focused()
    expect(page.locator(f"#tags-{idea.id}-problem")).to_contain_text("the limit is 40")
    expect(page.locator(f"#body-{idea.id}")).to_have_value("A shelf in the hall.")
    # It is as unsaved as before: the search does not take it away, nor does the Escape key.
    page.keyboard.press("Escape")
    expect(tags).to_be_visible()

    tags.fill("tools")
    page.get_by_role("button", name="Save").click()

    expect(page.locator(".is-edited")).to_have_count(0)
    expect(page.locator(f"#idea-{idea.id}")).to_contain_text("A shelf in the hall.")
    assert pool.store.ideas.get(idea.id).tags == ["tools"]


def test_a_pasted_topic_is_not_cut_and_its_length_is_shown(visit: Visitors, pool: Pool) -> None:
    visit.traps.expect("422")
    page = visit()
    page.goto(f"/boards/{pool.board_id}")
    topic, counter = page.get_by_label(TOPIC), page.locator("#topic-count")
    topic.focus()
    expect(counter).to_be_hidden()

    page.keyboard.insert_text("x" * 180)
    expect(counter).to_have_text("180 of 200 characters")
    page.keyboard.insert_text("x" * 60)

    expect(topic).to_have_value("x" * 240)
    expect(counter).to_have_text("240 characters; the limit is 200")
    expect(topic).to_have_accessible_description("240 characters; the limit is 200")
    expect(page.locator("#announcer")).to_have_text("240 characters; the limit is 200")

    page.get_by_role("button", name="Brainstorm", exact=True).click()

    problem = "The topic has 240 characters, and the limit is 200. Shorten it."
    expect(topic).to_have_accessible_description(problem)
    expect(counter).to_be_hidden()
    expect(topic).to_have_value("x" * 240)

    topic.press("End")
    for _ in range(50):
        topic.press("Backspace")

    expect(page.locator("#topic-problem")).to_have_count(0)
    expect(counter).to_have_text("190 of 200 characters")


def test_a_pasted_topic_is_not_cut_without_scripts(visit: Visitors, pool: Pool) -> None:
    visit.traps.expect("422")
    page = visit(java_script_enabled=False)
    page.goto(f"/boards/{pool.board_id}")
    topic = page.get_by_label(TOPIC)
    topic.focus()
    page.keyboard.insert_text(LONG)

    page.get_by_role("button", name="Brainstorm", exact=True).click()

    expect(topic).to_have_value(LONG)
    expect(topic).to_have_accessible_description(
        "The topic has 239 characters, and the limit is 200. Shorten it."
    )


def test_the_longest_of_several_tags_is_counted(page: Page, pool: Pool) -> None:
    idea = pool.add("Tool shelf")
    page.goto(f"/ideas/{idea.id}")
    page.locator("#editor > summary").click()
    tags, counter = page.locator("#tags"), page.locator("#tags-count")

    tags.fill("cheap, outside, summer, evening, for everybody")
    expect(counter).to_be_hidden()
    tags.fill(f"cheap, #{LONG_TAG}, outside")

    expect(counter).to_have_text("A tag has 42 characters; the limit is 40")


def test_an_emoji_counts_as_one_character(page: Page, pool: Pool) -> None:
    page.goto(f"/boards/{pool.board_id}")
    page.get_by_label(TOPIC).fill("🌊" * 190)

    expect(page.locator("#topic-count")).to_have_text("190 of 200 characters")
