"""Likes and comments in the browser, with and without scripts."""

import pytest
from playwright.sync_api import Page, expect

from service.schemas.comments import CommentCreate, CommentUpdate
from tests.browser.conftest import Pool, Visitors
from tests.browser.test_accessibility import assert_accessible

pytestmark = pytest.mark.browser


def test_a_card_is_liked_in_place(page: Page, pool: Pool) -> None:
    idea = pool.add("Soup from one pot").id
    page.goto("/")
    like = page.locator(f"#like-{idea}")

    expect(like).to_have_attribute("aria-pressed", "false")
    like.click()

    expect(like).to_have_attribute("aria-pressed", "true")
    expect(like).to_have_accessible_name("Like “Soup from one pot” , 1 like")
    expect(like).to_be_focused()
    like.click()
    expect(like).to_have_attribute("aria-pressed", "false")


def test_a_comment_is_written_changed_deleted_and_taken_back(page: Page, pool: Pool) -> None:
    idea = pool.add("Soup from one pot").id
    page.goto(f"/ideas/{idea}")
    comments = page.locator(".talks > li")

    page.locator("#comment-text").fill("Who **pays**?")
    page.locator("#send-comment").click()
    expect(comments.locator("strong")).to_have_text("pays")
    expect(page.locator("#comment-text")).to_have_value("")

    comments.locator("summary").click()
    comments.locator("textarea").fill("Who pays for it?")
    comments.get_by_role("button", name="Save").click()
    expect(comments).to_contain_text("Who pays for it?")
    expect(comments).to_contain_text("edited")

    comments.get_by_role("button", name="Delete this comment").click()
    expect(comments).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(comments).to_contain_text("Who pays for it?")


def test_two_edits_of_a_comment_are_shown_side_by_side(visit: Visitors, pool: Pool) -> None:
    idea = pool.add("Soup from one pot").id
    page = visit()
    visit.traps.expect("409")
    page.goto(f"/ideas/{idea}")
    page.locator("#comment-text").fill("One")
    page.locator("#send-comment").click()
    comment = page.locator(".talks > li")
    comment.locator("summary").click()
    comment.locator("textarea").fill("My own")
    (made,) = pool.store.comments.page(idea).items
    pool.store.comments.update(made.id, CommentUpdate(body="Theirs"))

    comment.get_by_role("button", name="Save").click()

    expect(page.locator("#theirs")).to_have_text("Theirs")
    expect(page.locator("#mine-text")).to_have_value("My own")
    page.locator("#save-mine").click()
    expect(page.locator(".talks > li")).to_contain_text("My own")


def test_likes_and_comments_work_without_scripts(visit: Visitors, pool: Pool) -> None:
    idea = pool.add("Soup from one pot").id
    page = visit(java_script_enabled=False)
    page.goto(f"/ideas/{idea}")

    page.locator("#like").click()
    expect(page.locator("#like")).to_have_attribute("aria-pressed", "true")
    page.locator("#comment-text").fill("Who pays?")
    page.locator("#send-comment").click()
    expect(page.locator(".talks > li")).to_contain_text("Who pays?")
    page.locator(".talks > li").get_by_role("button", name="Delete this comment").click()
    expect(page.locator(".talks > li")).to_have_count(0)


def test_comments_and_likes_pass_axe(page: Page, pool: Pool) -> None:
    idea = pool.add("Soup from one pot").id
    pool.store.likes.set(idea, liked=True)
    pool.store.comments.add(idea, CommentCreate(body="Who **pays**?\n\n- the school\n- we"))
    page.goto(f"/ideas/{idea}")
    page.locator(".talks summary").click()
    assert_accessible(page, "comments")
    page.goto("/")
    assert_accessible(page, "a board with likes and comments")
