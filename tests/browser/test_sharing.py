"""A board is shared, an idea handed over and a webhook made in a browser, with scripts and without."""

import pytest
from playwright.sync_api import expect

from service.store.cursors import EVERYTHING
from tests.browser.conftest import Pool, Visitors
from tests.browser.test_accessibility import assert_accessible

pytestmark = pytest.mark.browser
both_ways = pytest.mark.parametrize(
    "has_script", [True, False], ids=["with scripts", "without scripts"]
)


@both_ways
def test_a_link_is_made_opened_by_a_stranger_and_withdrawn(
    visit: Visitors, pool: Pool, has_script: bool
) -> None:
    pool.add("Tool shelf", "Neighbours lend *drills*.")
    page, stranger = visit(java_script_enabled=has_script), visit(width=390)
    page.goto(f"/boards/{pool.board_id}/share")
    page.get_by_label("A new link that works").select_option("until it is withdrawn")
    page.locator("#make-link").click()
    address = page.locator("#made").input_value()

    stranger.goto(address)
    stranger.get_by_role("link", name="Tool shelf").click()
    expect(stranger.locator(".prose em")).to_have_text("drills")
    page.reload()
    expect(page.locator("#made")).to_have_count(0)
    page.get_by_role("button", name="Withdraw").click()
    expect(page.locator("#links")).to_contain_text("Withdrawn")

    visit.traps.expect("404")
    stranger.reload()
    expect(stranger.get_by_role("heading", name="Not found")).to_be_visible()
    expect(stranger.locator("main")).to_contain_text("This link was withdrawn.")


def test_copies_are_said_and_are_what_they_say(visit: Visitors, pool: Pool) -> None:
    idea = pool.add("Tool shelf", "Neighbours lend drills.")
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    page.goto(f"/ideas/{idea.id}")
    page.locator("#copy-markdown").click()
    expect(page.locator("#copy-markdown")).to_have_text("Copied")
    expect(page.locator("#announcer")).to_have_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("# Tool shelf\n\nNeighbours lend drills.")

    page.goto(f"/boards/{pool.board_id}/share")
    page.locator("#make-link").click()
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert "/shared/" in page.evaluate("navigator.clipboard.readText()")


def test_without_scripts_the_link_downloads_the_markdown(visit: Visitors, pool: Pool) -> None:
    idea = pool.add("Tool shelf")
    page = visit(java_script_enabled=False)
    page.goto(f"/ideas/{idea.id}")

    with page.expect_download() as download:
        page.locator("#copy-markdown").click()

    assert download.value.suggested_filename == f"idea-{idea.id[:8]}.md"


@both_ways
def test_a_webhook_is_made_tested_and_deleted(
    visit: Visitors, pool: Pool, has_script: bool
) -> None:
    page = visit(java_script_enabled=has_script)
    page.goto("/webhooks")
    page.get_by_label("URL").fill("http://10.0.0.1/hook")
    visit.traps.expect("422")
    page.locator("#save-webhook").click()
    expect(page.locator("#webhook-url-problem")).to_contain_text("inside a private network")

    page.get_by_label("URL").fill("https://hook.invalid/")
    page.locator("#save-webhook").click()
    expect(page.get_by_role("heading", name="https://hook.invalid/")).to_be_visible()
    page.locator("#test").click()
    expect(page.locator(".out-kind")).to_have_text("webhook.test")
    (webhook,) = pool.store.webhooks.all()
    (delivery,) = pool.store.deliveries.page(webhook.id, EVERYTHING).items
    row = page.locator(f"#delivery-{delivery.id}")
    for _ in range(50):
        page.reload()
        if "Given up" in (row.text_content() or ""):
            break
        page.wait_for_timeout(100)
    row.locator("summary").click()
    expect(row).to_contain_text("The name of the host cannot be found.")

    page.get_by_role("link", name="Delete").click()
    page.locator("#confirm").click()
    expect(page.locator("#flash")).to_contain_text("The webhook is deleted.")
    assert pool.store.webhooks.all() == []


def test_the_pages_of_links_and_webhooks_pass_axe(visit: Visitors, pool: Pool) -> None:
    idea = pool.add("Tool shelf", "Neighbours lend *drills*.", tags=["street"])
    page = visit()
    page.goto(f"/boards/{pool.board_id}/share")
    page.locator("#make-link").click()
    address = page.locator("#made").input_value()
    assert_accessible(page, "share")
    page.goto(address)
    assert_accessible(page, "shared board")
    page.goto(f"{address}/ideas/{idea.id}")
    assert_accessible(page, "shared idea")

    page.goto("/webhooks")
    page.get_by_label("URL").fill("https://hook.invalid/")
    page.locator("#webhook-form details > summary").click()
    assert_accessible(page, "new webhook")
    page.locator("#save-webhook").click()
    page.locator("#test").click()
    for summary in page.locator("main details > summary").all():
        summary.click()
    assert_accessible(page, "webhook")
    page.goto("/webhooks")
    assert_accessible(page, "webhooks")
    visit.traps.expect("404")
    page.goto("/shared/s_nobody")
    assert_accessible(page, "no such link")
