"""What people and models write is shown and does nothing; the traps of `conftest` are the test."""

import pytest
from playwright.sync_api import Page, expect

from service.prompts.answers import brainstorm_answer, evaluate_answer, refine_answer
from tests.browser.conftest import Pool, Visitors
from tests.browser.test_runs import brainstorm

pytestmark = pytest.mark.browser
ATTACK = (
    "<script>alert(1)</script><img src=http://evil.example/a.png onerror=alert(2)> "
    '<b hx-get="/runs/1" hx-trigger="load">x</b> ![pixel](http://evil.example/b.png) '
    "[click](javascript:alert(3)) <hx-partial hx-target='#main'>gone</hx-partial> "
    "{{ 7 * 7 }} <style>body{display:none}</style>"
)
SENTENCE = f"Everybody brings one chair and one story to the table {ATTACK} at noon."


def assert_harmless(page: Page) -> None:
    page.wait_for_timeout(300)
    main = page.locator("main")
    expect(main).to_be_visible()
    for selector in ("main script", "main img", "main style", "main [onerror]", "main b[hx-get]"):
        expect(page.locator(selector)).to_have_count(0)
    expect(page.locator("main a[href^='javascript']")).to_have_count(0)


def test_a_models_suggestions_are_only_text(page: Page, pool: Pool) -> None:
    pool.backend.delay_s = 0.005
    pool.backend.replies.append(brainstorm_answer(f"Chairs {ATTACK[:120]}", SENTENCE))

    brainstorm(page, pool, n=1)

    expect(page.locator("#run .suggestion:not(.is-draft)")).to_contain_text("<script>")
    assert_harmless(page)
    page.get_by_role("button", name="Keep “").click()
    expect(page.locator("#run .is-kept")).to_be_visible()
    assert_harmless(page)


def test_an_idea_of_a_person_is_sanitised(visit: Visitors, pool: Pool) -> None:
    idea = pool.add(f"Title {ATTACK[:150]}", SENTENCE, tags=["<b onclick=alert(1)>"])
    visit.traps.expect("404")
    page = visit()

    for address in ("/", f"/ideas/{idea.id}", "/?q=<script>alert(1)</script>", f"/ideas/{ATTACK}"):
        page.goto(address)
        assert_harmless(page)


def test_refinements_and_evaluations_are_only_text(page: Page, pool: Pool) -> None:
    idea = pool.add("Chairs", "Everybody brings one chair.")
    pool.backend.replies.append(refine_answer(f"Chairs {ATTACK[:120]}", SENTENCE, (ATTACK,)))
    page.goto(f"/ideas/{idea.id}")
    page.get_by_role("button", name="Bolder").click()
    expect(page.locator("#diff")).to_contain_text("<script>")
    assert_harmless(page)
    page.locator("#accept").click()
    expect(page.locator("#diff")).to_have_count(0)
    assert_harmless(page)

    pool.backend.replies.append(evaluate_answer((SENTENCE,), (SENTENCE,), SENTENCE))
    page.locator("#evaluate").click()
    expect(page.locator("#evaluation .next-step")).to_contain_text("<script>")
    assert_harmless(page)
