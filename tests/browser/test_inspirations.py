"""Ideas of the bank on the page of a board, before those that the model writes."""

import pytest
from playwright.sync_api import Page, expect

from service.settings import Settings
from tests.browser.conftest import Pool, settled
from tests.browser.test_accessibility import assert_accessible


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"idea_bank": True})


def brainstorm(page: Page, pool: Pool) -> None:
    page.goto(f"/boards/{pool.board_id}")
    page.get_by_label("What do you want ideas for?").fill("gift for my grandmother")
    page.get_by_label("Ideas", exact=True).fill("3")
    page.get_by_role("button", name="Brainstorm").click()


def test_ideas_of_the_bank_are_there_before_the_model_writes(page: Page, pool: Pool) -> None:
    pool.backend.delay_s = 60
    brainstorm(page, pool)

    cards = page.locator("#run .suggestion:not(.is-draft)")
    expect(cards).to_have_count(3)
    expect(cards.first).to_contain_text("From the idea bank for “")
    expect(page.locator(".run-count")).to_have_text("0 of 3")


def test_a_kept_idea_of_the_bank_says_where_it_is_from(page: Page, pool: Pool) -> None:
    brainstorm(page, pool)
    expect(page.locator("#keep-all")).to_be_visible()
    expect(page.locator("#run .suggestion")).to_have_count(6)
    expect(page.locator(".run-count")).to_have_text("3 of 3")

    page.get_by_role("button", name="Keep “").first.click()

    expect(page.locator("#ideas .card:not(.add)")).to_contain_text("from the idea bank")


def test_a_brainstorm_with_the_bank_passes_axe(page: Page, pool: Pool) -> None:
    brainstorm(page, pool)
    expect(page.locator("#keep-all")).to_be_visible()

    settled(page)
    assert_accessible(page, "a brainstorm with the bank")
