"""Rubrics, evaluating many ideas in one run, and the table, by mouse and without scripts."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from service.errors import EngineCrashed
from service.schemas.evaluation import CriterionShape, RubricCreate, RubricPublic
from service.schemas.ideas import IdeaUpdate
from service.store.runs import NewRun
from tests.browser.conftest import Pool, Visitors, settled
from tests.browser.test_accessibility import assert_accessible
from tests.support.fake_backend import IDEAS

pytestmark = pytest.mark.browser
BOTH = pytest.mark.parametrize("has_script", [True, False], ids=["with scripts", "without scripts"])


@pytest.fixture
def board(pool: Pool) -> str:
    """The address of a board with four ideas, the first and third of them tagged."""
    for number, (title, body) in enumerate(IDEAS[:4]):
        pool.add(title, body, tags=["street"] if number % 2 == 0 else [])
    return f"/boards/{pool.board_id}"


@pytest.fixture
def rubric(pool: Pool) -> RubricPublic:
    criteria = [
        CriterionShape(name="cost", description="how little money it takes", weight=2),
        CriterionShape(name="fun"),
    ]
    shape = RubricCreate(name="For the street", criteria=criteria)
    rubric = pool.store.rubrics.create(pool.board_id, shape)
    # Cards show the scores of one rubric.
    pool.store.rubrics.show(pool.board_id, rubric.id)
    return rubric


def rows(page: Page) -> Locator:
    return page.locator("#scores tbody tr")


def fill(page: Page, key: str, place: int, name: str, meaning: str, weight: str) -> None:
    page.locator(f"#criterion-{key}-{place}").fill(name)
    page.locator(f"#description-{key}-{place}").fill(meaning)
    page.locator(f"#weight-{key}-{place}").fill(weight)


@BOTH
def test_a_rubric_is_created_changed_deleted_and_restored(
    visit: Visitors, pool: Pool, board: str, has_script: bool
) -> None:
    page = visit(java_script_enabled=has_script)
    page.goto(f"{board}/rubrics")
    page.locator("#rubric-name-new").fill("For the street")
    fill(page, "new", 0, "cost", "how little money it takes", "2,5")
    fill(page, "new", 1, "fun", "", "1")
    page.locator("#save-new").click()

    expect(page.get_by_role("heading", name="For the street")).to_be_visible()
    # The form is ready for the next one.
    for field, value in (("rubric-name-new", ""), ("criterion-new-0", ""), ("weight-new-0", "1")):
        expect(page.locator(f"#{field}")).to_have_value(value)
    made = pool.store.rubrics.all(pool.board_id)[0]
    assert [(one.name, one.weight) for one in made.criteria] == [("cost", 2.5), ("fun", 1)]

    page.locator(f"#edit-{made.id} > summary").click()
    page.locator(f"#rubric-name-{made.id}").fill("For all")
    fill(page, made.id, 1, "", "", "1")
    fill(page, made.id, 2, "reach", "how many it reaches", "3")
    page.locator(f"#save-{made.id}").click()
    expect(page.get_by_role("heading", name="For all")).to_be_visible()
    expect(page.locator(f"#rubric-{made.id} > dl dt")).to_have_text(["cost", "reach"])

    page.get_by_role("button", name="Delete “For all”").click()
    expect(page.get_by_role("heading", name="For all")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("heading", name="For all")).to_be_visible()


@BOTH
def test_a_refused_rubric_says_why_and_loses_nothing(
    visit: Visitors, pool: Pool, board: str, rubric: RubricPublic, has_script: bool
) -> None:
    page = visit(java_script_enabled=has_script)
    visit.traps.expect("the server responded with a status of")
    page.goto(f"{board}/rubrics")
    page.locator("#rubric-name-new").fill(rubric.name)
    fill(page, "new", 0, "cost", "how little money it takes", "much")
    page.locator("#save-new").click()

    weight, name = page.locator("#weight-new-0"), page.locator("#rubric-name-new")
    expect(weight).to_have_accessible_description("It must be a number.")
    expect(weight).to_be_focused()
    expect(page.locator("#description-new-0")).to_have_value("how little money it takes")
    expect(weight).to_have_value("much")
    weight.fill("2")
    page.locator("#save-new").click()
    expect(page.locator("#rubric-name-new-problem")).to_contain_text("another name")
    expect(name).to_be_focused()
    expect(page.locator("#criterion-new-0")).to_have_value("cost")
    assert len(pool.store.rubrics.all(pool.board_id)) == 1


@BOTH
def test_the_ideas_that_are_shown_are_evaluated_in_one_run(
    visit: Visitors, board: str, rubric: RubricPublic, has_script: bool
) -> None:
    page = visit(java_script_enabled=has_script)
    page.goto(f"{board}?tag=street")
    page.locator("#evaluate-all > summary").click()
    page.locator("#all-rubric").select_option(label=rubric.name)
    page.locator("#start-all").click()

    expect(page.locator("#run .state-done")).to_be_visible()
    expect(page.locator("#run .run-count")).to_have_text("2 of 2 ideas")
    expect(page).to_have_url(re.compile(r"tag=street&run="))
    expect(page.locator("#ideas .glass")).to_have_count(2)
    page.get_by_role("link", name="Compare in the table").click()
    expect(rows(page)).to_have_count(4)
    expect(rows(page).filter(has_text="not yet")).to_have_count(2)

    page.locator("#evaluate-missing").click()
    expect(page.locator("#run .state-done")).to_be_visible()
    expect(page.locator("#run .run-count")).to_have_text("2 of 2 ideas")
    expect(rows(page).filter(has_text="not yet")).to_have_count(0)
    expect(page.locator("#evaluate-missing")).to_have_count(0)


def test_progress_survives_a_reload_and_stopping_keeps_what_is_finished(
    page: Page, pool: Pool, board: str
) -> None:
    pool.backend.delay_s = 0.04
    page.goto(board)
    page.locator("#evaluate-all > summary").click()
    page.locator("#start-all").click()
    expect(page.locator("#run-title")).to_be_focused()
    expect(page.locator("#announcer")).to_have_text("Evaluating: 1 of 4 ideas")
    pool.backend.delay_s = 30

    page.goto(board)
    expect(page.locator("#run .state-running")).to_be_visible()
    page.locator("#stop").click()

    expect(page.get_by_text("You stopped this run")).to_be_visible()
    settled(page)
    expect(page.locator("#ideas .glass").first).to_be_visible()
    done = page.locator("#ideas .glass").count()
    assert 1 <= done < 4
    assert not pool.backend.running
    pool.backend.delay_s = 0
    page.locator("#go-on").click()
    expect(page.locator("#run .run-count")).to_have_text(f"{4 - done} of {4 - done} ideas")
    expect(page.locator("#ideas .glass")).to_have_count(4)


def test_an_idea_that_fails_is_named_with_the_reason(page: Page, pool: Pool, board: str) -> None:
    pool.backend.replies.append(EngineCrashed("The model process stopped."))
    page.goto(board)
    page.locator("#evaluate-all > summary").click()
    page.locator("#start-all").click()

    failures = page.locator("#run .failures li")
    expect(failures).to_have_count(1)
    expect(failures).to_contain_text(IDEAS[3][0])
    expect(failures).to_contain_text("The model process stopped.")
    expect(page.locator("#run .state-done")).to_be_visible()
    settled(page)
    assert_accessible(page, "a failure among evaluations")


@BOTH
def test_ideas_that_are_ticked_are_evaluated(
    visit: Visitors, pool: Pool, board: str, rubric: RubricPublic, has_script: bool
) -> None:
    page = visit(java_script_enabled=has_script)
    page.goto(board)
    page.get_by_role("checkbox", name=f"Select “{IDEAS[1][0]}”").check()
    page.locator("#bulk-evaluate > summary").click()
    page.locator("#bulk-evaluate").get_by_role("button", name=rubric.name).click()

    expect(page.locator("#run .run-count")).to_have_text("1 of 1 idea")
    expect(
        page.locator("#ideas .card").filter(has_text=IDEAS[1][0]).locator(".glass")
    ).to_be_visible()
    run = pool.store.runs.recent(kind="evaluate-all")[0]
    assert run.request["rubric_id"] == rubric.id


@BOTH
def test_the_table_sorts_by_links_and_marks_what_is_out_of_date(
    visit: Visitors, pool: Pool, board: str, rubric: RubricPublic, has_script: bool
) -> None:
    page = visit(java_script_enabled=has_script)
    page.goto(board)
    page.get_by_role("link", name="Table", exact=True).click()
    page.wait_for_load_state()
    expect(page.get_by_role("heading", name="Compare ideas")).to_be_visible()
    page.locator("#by-rubric").select_option(label=rubric.name)
    if not has_script:
        page.get_by_role("button", name="Show").click()
    page.wait_for_url(f"**/table?rubric={rubric.id}")
    page.locator("#evaluate-missing").click()
    expect(page.locator("#run .state-done")).to_be_visible()
    expect(rows(page).first).to_contain_text("± ")
    expect(page.get_by_role("columnheader", name="cost")).to_contain_text("× 2")

    page.get_by_role("columnheader", name="Idea").get_by_role("link").click()
    expect(page.locator("th[aria-sort=ascending]")).to_contain_text("Idea")
    titles = rows(page).locator("th")
    expect(titles).to_have_text(sorted(title for title, _ in IDEAS[:4]))
    page.get_by_role("columnheader", name="Idea").get_by_role("link").click()
    expect(page.locator("th[aria-sort=descending]")).to_contain_text("Idea")
    idea = pool.store.ideas.titles(
        [row.id for row in pool.store.comparisons.contenders(pool.board_id)]
    )
    changed = next(one for one, title in idea.items() if title == IDEAS[0][0])
    pool.store.ideas.update(changed, IdeaUpdate(body="Another text."))
    page.reload()
    expect(page.locator(f"#row-{changed}")).to_contain_text("outdated")
    page.goto(board)
    expect(page.locator(f"#idea-{changed}")).to_contain_text("outdated score")


def test_error_bars_show_and_explain_the_uncertainty_of_a_score(
    page: Page, pool: Pool, rubric: RubricPublic
) -> None:
    idea = pool.add(*IDEAS[0])
    page.goto(f"/ideas/{idea.id}")
    page.locator("#rubric").select_option(label=rubric.name)
    page.locator("#evaluate").click()

    evaluation = page.locator("#evaluation")
    expect(evaluation.locator("meter")).to_have_count(2)
    expect(evaluation.locator(".whisker")).to_have_count(2)
    expect(evaluation.get_by_role("heading", name="by “For the street”")).to_be_visible()
    expect(evaluation.locator(".bar.is-rough")).to_have_count(2)
    expect(evaluation.get_by_text("rough estimate")).to_have_count(1)
    expect(evaluation.locator(".why-text")).to_be_hidden()
    evaluation.locator(".why > summary").focus()
    page.keyboard.press("Enter")
    expect(evaluation.locator(".why-text")).to_contain_text("how undecided the model was")
    expect(evaluation).to_contain_text("cost × 2, fun × 1")
    expect(page.locator("#rubric")).to_have_value(rubric.id)
    assert_accessible(page, "an evaluation by an own rubric")


def test_a_score_of_unknown_error_has_no_error_bar(page: Page, pool: Pool) -> None:
    idea = pool.add(*IDEAS[0])
    page.goto(f"/ideas/{idea.id}")
    page.locator("#evaluate").click()
    expect(page.locator("#evaluation .whisker")).to_have_count(4)
    old = pool.store.evaluations.of_idea(idea.id)[0]
    result = old.model_dump(
        include={"rubric_id", "scores", "overall", "strengths", "concerns", "next_step"}
    )
    result |= {"criteria": [one.model_dump() for one in old.criteria]}
    result |= {"spread": dict.fromkeys(old.scores)}
    result |= {"scoring": {"method": "head", "calibrated": True, "uncalibrated": []}}
    run = pool.store.runs.create(NewRun("evaluate-all", {}, 1, idea.board_id))
    pool.store.evaluations.add(run.run_id, idea.id, 1, result)

    page.goto(f"/ideas/{idea.id}")

    expect(page.locator("#evaluation meter")).to_have_count(4)
    expect(page.locator("#evaluation .whisker")).to_have_count(0)
    expect(page.locator("#evaluation .insight")).to_contain_text("is not known")
    page.locator("#evaluation .why > summary").click()
    expect(page.locator(".why-text")).to_contain_text("the error is not known")


def test_rubrics_and_the_table_pass_axe(page: Page, board: str, rubric: RubricPublic) -> None:
    page.goto(f"{board}/table")
    assert_accessible(page, "nothing evaluated")
    page.goto(f"{board}/table?rubric={rubric.id}")
    page.locator("#evaluate-missing").click()
    expect(page.locator("#run .state-done")).to_be_visible()
    settled(page)
    assert_accessible(page, "a table of scores")
    page.goto(f"{board}/rubrics")
    page.locator(f"#edit-{rubric.id} > summary").click()
    assert_accessible(page, "rubrics")
    page.goto(board)
    page.locator("#evaluate-all > summary").click()
    assert_accessible(page, "asking for evaluations")


def test_the_table_of_an_empty_board_explains_itself(page: Page, pool: Pool) -> None:
    page.goto(f"/boards/{pool.board_id}/table")

    expect(page.get_by_text("Nothing to compare yet")).to_be_visible()
    assert_accessible(page, "an empty table")


@BOTH
def test_the_table_says_which_ideas_score_about_the_same(
    visit: Visitors, board: str, has_script: bool
) -> None:
    page = visit(java_script_enabled=has_script)
    page.goto(f"{board}/table")
    page.locator("#evaluate-missing").click()
    if has_script:
        expect(page.locator("#run .state-done")).to_be_visible()
    page.goto(f"{board}/table")
    expect(rows(page).first).to_contain_text("1– to 4")

    expect(page.locator(".table-lead .insight")).to_contain_text("about the same")
    page.locator(".table-lead .why > summary").click()
    expect(page.locator(".why-text")).to_contain_text("share a place")
    page.get_by_role("link", name="How scores are made").click()
    expect(page.get_by_role("heading", name="How scores are made")).to_be_visible()
    if has_script:
        assert_accessible(page, "how scores are made")
