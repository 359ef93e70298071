"""Refinements in the browser: a passage alone, single changes, changed before saving, versions."""

import pytest
from playwright.sync_api import Page, expect

from service.prompts.answers import refine_answer
from service.schemas.ideas import IdeaPublic, IdeaUpdate
from tests.browser.conftest import Pool, Visitors, settled
from tests.support.fake_backend import PASSAGE

pytestmark = pytest.mark.browser
BODY = "A shelf in the **hall**.\n\nPeople lend drills. Ask first.\n\nAsk first!"
PROPOSED = "A shelf in the **cellar**.\n\nNeighbours lend drills. Ask Lena first.\n\nAsk first!"
both = pytest.mark.parametrize("has_script", [True, False], ids=["with scripts", "without scripts"])


@pytest.fixture
def idea(pool: Pool) -> IdeaPublic:
    return pool.add("tool shelf", BODY)


def propose(page: Page, pool: Pool, idea: IdeaPublic) -> None:
    pool.backend.replies.append(refine_answer("Tool Shelf", PROPOSED, ("Said who lends",)))
    page.goto(f"/ideas/{idea.id}")
    page.get_by_role("button", name="Clearer").click()
    expect(page.locator("#diff")).to_be_visible()
    settled(page)


def versions(pool: Pool, idea: IdeaPublic) -> list[tuple[str, str, bool]]:
    return [
        (version.origin, version.body, version.run_id is not None)
        for version in pool.store.ideas.versions(idea.id)
    ]


@both
def test_only_ticked_changes_are_accepted(
    visit: Visitors, pool: Pool, idea: IdeaPublic, has_script: bool
) -> None:
    page = visit(java_script_enabled=has_script)
    propose(page, pool, idea)
    boxes = page.locator("[name=edits]")
    expect(boxes).to_have_count(4)

    boxes.nth(0).uncheck()
    boxes.nth(2).uncheck()
    page.get_by_role("button", name="Accept ticked changes").click()

    expect(page.locator("#flash")).to_contain_text("The idea is now at version 2")
    expect(page.get_by_role("heading", level=1)).to_have_text("tool shelf")
    taken = BODY.replace("hall", "cellar").replace("drills. Ask", "drills. Ask Lena")
    assert versions(pool, idea) == [("model", taken, True), ("human", BODY, False)]


@both
def test_all_changes_are_accepted_at_once_whatever_is_ticked(
    visit: Visitors, pool: Pool, idea: IdeaPublic, has_script: bool
) -> None:
    page = visit(java_script_enabled=has_script)
    propose(page, pool, idea)
    page.locator("[name=edits]").nth(1).uncheck()

    page.locator("#accept-all").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Tool Shelf")
    assert versions(pool, idea)[0] == ("model", PROPOSED, True)


@both
def test_accepted_changes_are_edited_before_they_are_saved(
    visit: Visitors, pool: Pool, idea: IdeaPublic, has_script: bool
) -> None:
    page = visit(java_script_enabled=has_script)
    propose(page, pool, idea)
    for number in (0, 1, 3):
        page.locator("[name=edits]").nth(number).uncheck()

    page.locator("#edit-proposal").click()
    chosen = BODY.replace("People", "Neighbours")
    expect(page.locator("#mine-text")).to_have_value(chosen)
    expect(page.locator("#mine-title")).to_have_value("tool shelf")
    page.locator("#mine-text").fill("Entirely in my own words.")
    page.locator("#save-mine").click()

    expect(page.locator("#body")).to_have_text("Entirely in my own words.")
    assert versions(pool, idea) == [
        ("human", "Entirely in my own words.", False),
        ("model", chosen, True),
        ("human", BODY, False),
    ]


@both
def test_changes_are_shown_again_when_the_idea_was_saved_meanwhile(
    visit: Visitors, pool: Pool, idea: IdeaPublic, has_script: bool
) -> None:
    page = visit(java_script_enabled=has_script)
    propose(page, pool, idea)
    theirs = BODY + "\n\nBring it back."
    pool.store.ideas.update(idea.id, IdeaUpdate(body=theirs))
    if has_script:
        # The new text is shown by itself; the changes stay those that were read.
        expect(page.locator("#body")).to_contain_text("Bring it back.")

    page.locator("#accept").click()

    expect(page.locator("#flash")).to_contain_text("Somebody else saved this idea")
    expect(page.locator("#diff del", has_text="Bring it back.")).to_be_visible()
    assert versions(pool, idea)[0] == ("human", theirs, False)
    page.locator(".edit-choice", has_text="Bring it back.").locator("input").uncheck()
    page.locator("#accept").click()
    expect(page.locator("#flash")).to_contain_text("The idea is now at version 3")
    assert versions(pool, idea)[0] == ("model", PROPOSED + "\n\nBring it back.", True)


def test_changes_accepted_for_an_outdated_text_are_shown_again_before_editing(
    page: Page, pool: Pool, idea: IdeaPublic
) -> None:
    propose(page, pool, idea)
    page.locator("[name=edits]").nth(1).uncheck()
    pool.store.ideas.update(idea.id, IdeaUpdate(body=BODY + "\n\nBring it back."))
    expect(page.locator("#body")).to_contain_text("Bring it back.")
    expect(page.locator("[name=edits]:checked")).to_have_count(3)

    page.locator("#edit-proposal").click()

    expect(page.locator("#flash")).to_contain_text("Somebody else saved this idea")
    expect(page.locator("#diff del", has_text="Bring it back.")).to_be_visible()


@both
def test_typed_text_survives_an_idea_saved_meanwhile(
    visit: Visitors, pool: Pool, idea: IdeaPublic, has_script: bool
) -> None:
    visit.traps.expect("409")
    page = visit(java_script_enabled=has_script)
    propose(page, pool, idea)
    page.locator("#edit-proposal").click()
    page.locator("#mine-text").fill("In my own words.")
    pool.store.ideas.update(idea.id, IdeaUpdate(body="Theirs."))

    page.locator("#save-mine").click()
    expect(page.locator("#theirs")).to_contain_text("Theirs.")
    expect(page.locator("#mine-text")).to_have_value("In my own words.")
    page.locator("#save-mine").click()

    expect(page.locator("#body")).to_have_text("In my own words.")
    assert [(origin, body) for origin, body, _ in versions(pool, idea)] == [
        ("human", "In my own words."),
        ("model", PROPOSED),
        ("human", "Theirs."),
        ("human", BODY),
    ]


@both
def test_a_version_leads_to_the_proposal_that_made_it(
    visit: Visitors, pool: Pool, idea: IdeaPublic, has_script: bool
) -> None:
    page = visit(java_script_enabled=has_script)
    propose(page, pool, idea)
    page.locator("[name=edits]").first.uncheck()
    page.locator("#accept").click()
    expect(page.locator("#diff")).to_have_count(0)

    page.goto(f"/ideas/{idea.id}")
    page.locator("#version-2 > summary").click()
    page.locator("#made-2").click()

    expect(page.locator("#run")).to_contain_text("This proposal was accepted.")
    expect(page.locator("#diff h3")).to_contain_text("Tool Shelf")
    expect(page.locator("#diff del", has_text="People")).to_be_visible()
    expect(page.locator("#accept")).to_have_count(0)


def test_accepting_nothing_says_what_to_do(visit: Visitors, pool: Pool, idea: IdeaPublic) -> None:
    visit.traps.expect("422")
    page = visit()
    propose(page, pool, idea)

    page.locator("#tick-all").click()
    expect(page.locator("[name=edits]:checked")).to_have_count(0)
    page.locator("#accept").click()

    expect(page.locator("#proposal-problem")).to_contain_text("Tick at least one change")
    page.locator("#tick-all").click()
    expect(page.locator("[name=edits]:checked")).to_have_count(4)


def test_the_keyboard_alone_leaves_one_change_and_accepts_the_rest(
    page: Page, pool: Pool, idea: IdeaPublic
) -> None:
    propose(page, pool, idea)
    page.locator("#run-title").focus()

    page.keyboard.press("Tab")
    expect(page.locator("#edit-1")).to_be_focused()
    page.keyboard.press("Space")
    for _ in range(4):
        page.keyboard.press("Tab")
    expect(page.locator("#accept")).to_be_focused()
    page.keyboard.press("Enter")

    expect(page.locator("#flash")).to_contain_text("version 2")
    assert versions(pool, idea)[0] == ("model", PROPOSED, True)
    expect(page.get_by_role("heading", level=1)).to_have_text("tool shelf")


def test_a_change_says_its_number_and_what_it_does(
    page: Page, pool: Pool, idea: IdeaPublic
) -> None:
    propose(page, pool, idea)

    name = "Change 2 of 4: removed: **hall**. (end) added: **cellar**. (end)"
    expect(page.get_by_role("checkbox", name=name)).to_be_checked()


@both
def test_a_passage_is_chosen_from_a_list(
    visit: Visitors, pool: Pool, idea: IdeaPublic, has_script: bool
) -> None:
    page = visit(java_script_enabled=has_script)
    page.goto(f"/ideas/{idea.id}")
    page.locator("#passage > summary").click()
    page.get_by_label("People lend drills. Ask first.").check()
    page.get_by_role("button", name="Friendlier").click()

    expect(page.locator("#only")).to_contain_text("People lend drills. Ask first.")
    expect(page.locator("#diff")).to_be_visible()
    page.locator("#accept").click()
    expect(page.locator("#flash")).to_contain_text("version 2")
    body = BODY.replace("People lend drills. Ask first.", PASSAGE[0])
    assert versions(pool, idea)[0] == ("model", body, True)


@both
def test_a_pasted_passage_that_is_not_there_says_so_and_stays(
    visit: Visitors, pool: Pool, idea: IdeaPublic, has_script: bool
) -> None:
    visit.traps.expect("422")
    page = visit(java_script_enabled=has_script)
    page.goto(f"/ideas/{idea.id}")
    page.locator("#passage > summary").click()
    page.locator("#selection").fill("People borrow drills.")

    page.get_by_role("button", name="Shorter").click()

    expect(page.get_by_text("This passage is not in the text.")).to_be_visible()
    expect(page.locator("#selection")).to_have_value("People borrow drills.")
    assert pool.store.runs.recent() == []


def test_a_passage_that_changed_since_must_be_chosen_again(
    visit: Visitors, pool: Pool, idea: IdeaPublic
) -> None:
    visit.traps.expect("422")
    page = visit()
    page.goto(f"/ideas/{idea.id}")
    page.locator("#passage > summary").click()
    page.get_by_label("People lend drills. Ask first.").check()
    pool.store.ideas.update(idea.id, IdeaUpdate(body="All new.\n\nNothing as it was."))

    page.get_by_role("button", name="Friendlier").click()

    expect(page.locator("#refine-form-problem")).to_contain_text("Select the passage again")
    expect(page.get_by_label("Nothing as it was.")).to_be_visible()
    assert pool.store.runs.recent() == []


SELECT = """([first, last]) => {
  const texts = [];
  const walker = document.createTreeWalker(document.querySelector("#body"), NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) texts.push(walker.currentNode);
  const at = (words, from) => {
    const node = from.find((text) => text.data.includes(words));
    return [node, node.data.indexOf(words)];
  };
  const range = document.createRange();
  range.setStart(...at(first, texts));
  const [node, place] = at(last, [...texts].reverse());
  range.setEnd(node, place + last.length);
  getSelection().removeAllRanges();
  getSelection().addRange(range);
}"""


@pytest.mark.parametrize(
    ("first", "last", "passage"),
    [
        ("People", "drills.", "People lend drills."),
        ("shelf in", "hall", "shelf in the **hall"),
        ("lend", "Ask first!", "lend drills. Ask first.\n\nAsk first!"),
    ],
)
def test_selecting_in_the_text_offers_to_refine_the_selection(
    page: Page, pool: Pool, idea: IdeaPublic, first: str, last: str, passage: str
) -> None:
    page.goto(f"/ideas/{idea.id}")
    expect(page.locator("#selection-offer")).to_be_hidden()

    page.evaluate(SELECT, [first, last])
    page.get_by_role("button", name="Refine the selection").click()

    expect(page.locator("#selection")).to_have_value(passage)
    expect(page.locator("#instruction")).to_be_focused()
    page.keyboard.type("say it better")
    page.locator("#refine").click()
    expect(page.locator("#diff")).to_be_visible()
    expect(page.locator("#selection")).to_have_value("")
    task = pool.store.runs.recent()[0].request
    assert (task["selection"], task["start"]) == (passage, BODY.index(passage))


def test_the_second_of_two_equal_passages_is_the_one_that_was_selected(
    page: Page, pool: Pool
) -> None:
    body = "🛠 Ask first. Then lend.\n\nOr: Ask first. Then go."
    idea = pool.add("tool shelf", body)
    page.goto(f"/ideas/{idea.id}")

    page.evaluate(SELECT.replace("at(first, texts)", "at(first, [...texts].reverse())"), [
        "Ask first", "Ask first"
    ])  # fmt: skip
    page.locator("#refine-selection").click()
    page.locator("#refine").click()

    expect(page.locator("#diff")).to_be_visible()
    assert pool.store.runs.recent()[0].request["start"] == body.rindex("Ask first")


def test_a_selection_in_the_editor_is_refined_by_the_keyboard_alone(
    page: Page, idea: IdeaPublic
) -> None:
    page.goto(f"/ideas/{idea.id}")
    page.locator("#editor > summary").press("Enter")
    page.locator("#text").evaluate("field => { field.focus(); field.setSelectionRange(26, 45); }")

    expect(page.locator("#selection-offer")).to_be_visible()
    for _ in range(5):
        page.keyboard.press("Tab")
    expect(page.locator("#refine-selection")).to_be_focused()
    page.keyboard.press("Enter")

    expect(page.locator("#selection")).to_have_value("People lend drills.")
    expect(page.locator("#instruction")).to_be_focused()


@both
def test_any_two_versions_are_compared_swapped_and_restored(
    visit: Visitors, pool: Pool, idea: IdeaPublic, has_script: bool
) -> None:
    for body in ("A shelf in the cellar.", "A box in the cellar."):
        pool.store.ideas.update(idea.id, IdeaUpdate(body=body))
    page = visit(java_script_enabled=has_script)
    page.goto(f"/ideas/{idea.id}")
    page.locator("#version-2 > summary").click()
    page.locator("#compare-2").click()

    expect(page.locator("#diff del")).to_contain_text("shelf")
    expect(page.locator("#diff ins")).to_contain_text("box")
    page.locator("#swap").click()
    expect(page.locator("#diff del")).to_contain_text("box")
    page.locator("#compare-to").select_option("1")
    page.locator("#compare").click()
    expect(page).to_have_url(f"{pool.url}/ideas/{idea.id}/compare?from=3&to=1")
    page.locator("#restore-1").click()
    expect(page.locator("#flash")).to_contain_text("Restored version 1")
    assert pool.store.ideas.get(idea.id).body == BODY


def test_an_unknown_version_is_reported(visit: Visitors, idea: IdeaPublic) -> None:
    visit.traps.expect("404")
    page = visit()

    page.goto(f"/ideas/{idea.id}/compare?from=7")

    expect(page.get_by_text("has no version 7")).to_be_visible()
