"""People join by a link, do what their role allows, and are removed, with and without scripts."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from service.app import create_app
from service.settings import Settings
from tests.browser.conftest import Pool, Visitors
from tests.browser.test_accessibility import assert_accessible
from tests.support.app_server import served
from tests.support.fake_backend import FakeBackend

pytestmark = pytest.mark.browser


@pytest.fixture
def team(migrated: Settings) -> Iterator[Pool]:
    """A server that asks for keys, as one on a network does."""
    backend = FakeBackend()
    app = create_app(migrated.model_copy(update={"require_key": True}), backend)
    with served(app) as url:
        yield Pool(url, app.state.store, backend)


@pytest.fixture
def visit_team(chromium: Browser, team: Pool) -> Iterator[Visitors]:
    with ExitStack() as stack:
        visitors = Visitors(chromium, team.url, stack)
        yield visitors
    visitors.traps.check()


def signed_in(visit: Visitors, team: Pool, **options: Any) -> Page:
    page = visit(**options)
    page.goto("/login")
    page.locator("#key").fill(team.store.keys.create("owner"))
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator(".boards-menu")).to_be_visible()
    return page


def invited(owner: Page, role: str) -> str:
    """Returns the link that the page of people shows."""
    owner.goto("/people")
    owner.locator("#invite-role").select_option(role)
    owner.get_by_role("button", name="Make a link").click()
    link = owner.locator("#made").input_value()
    assert "/join/" in link
    return link


def join(page: Page, link: str, name: str) -> None:
    page.goto(link)
    page.locator("#name").fill(name)
    page.get_by_role("button", name="Join").click()
    expect(page.locator(".boards-menu")).to_be_visible()


@pytest.mark.parametrize("with_scripts", [True, False], ids=["with scripts", "without"])
def test_somebody_joins_writes_and_is_removed(
    visit_team: Visitors, team: Pool, with_scripts: bool
) -> None:
    options: dict[str, Any] = {"java_script_enabled": with_scripts}
    owner = signed_in(visit_team, team, **options)
    ada = visit_team(**options)
    if with_scripts:
        # The stream of news ends with the session.
        visit_team.traps.expect("401")

    join(ada, invited(owner, "editor"), "Ada")
    ada.locator("#new-title").fill("A shelf for borrowed tools")
    ada.locator("#new-title").press("Enter")
    expect(ada.locator("#ideas")).to_contain_text("A shelf for borrowed tools")
    expect(ada.locator("#ideas .author")).to_contain_text("Ada")

    owner.goto("/people")
    row = owner.locator("#people li", has_text="Ada")
    expect(row).to_contain_text("Editor")
    row.locator("summary").click()
    row.get_by_role("link", name="Remove").click()
    owner.get_by_role("button", name="Remove").click()
    expect(owner.locator("#people li", has_text="Ada")).to_contain_text("(removed)")

    ada.goto("/")
    expect(ada.get_by_role("heading", name="Sign in to Ideapool")).to_be_visible()
    expect(ada.get_by_text("An owner removed you")).to_be_visible()
    owner.goto("/")
    expect(owner.locator("#ideas .author")).to_contain_text("Ada")


def test_a_reader_sees_no_forms_and_a_commenter_those_to_comment_and_compare(
    visit_team: Visitors, team: Pool
) -> None:
    idea = team.add("Soup from one pot").id
    team.add("Chalk the whole road")
    owner = signed_in(visit_team, team)
    reader, commenter = visit_team(), visit_team()

    join(reader, invited(owner, "reader"), "Rita")
    join(commenter, invited(owner, "commenter"), "Carl")

    main = "#main form[method=post]"
    expect(reader.locator(main)).to_have_count(0)
    for page in (f"/ideas/{idea}", f"/boards/{team.board_id}/rank"):
        reader.goto(page)
        expect(reader.locator("#main h1").first).to_be_visible()
        expect(reader.locator(main)).to_have_count(0)
    commenter.goto(f"/ideas/{idea}")
    expect(commenter.locator("#comment-form")).to_be_visible()
    expect(commenter.locator("#like")).to_be_visible()
    expect(commenter.locator("#editor")).to_have_count(0)
    commenter.goto(f"/boards/{team.board_id}/rank")
    commenter.locator("#vote-first").click()
    expect(commenter.locator("#voted-text")).not_to_be_empty()


def test_a_link_is_copied_and_shown_once(visit_team: Visitors, team: Pool) -> None:
    owner = signed_in(visit_team, team, permissions=["clipboard-read", "clipboard-write"])
    link = invited(owner, "reader")

    owner.get_by_role("button", name="Copy").click()

    expect(owner.get_by_role("button", name="Copied")).to_be_visible()
    assert owner.evaluate("navigator.clipboard.readText()") == link
    owner.reload()
    expect(owner.locator("#made")).to_have_count(0)
    owner.get_by_role("button", name="Withdraw").click()
    expect(owner.get_by_role("button", name="Withdraw")).to_have_count(0)
    guest = visit_team()
    visit_team.traps.expect("410")
    guest.goto(link)
    expect(guest.get_by_text("This invitation was withdrawn")).to_be_visible()


def test_ones_own_page_changes_the_name_and_makes_keys(visit_team: Visitors, team: Pool) -> None:
    owner, ada = signed_in(visit_team, team), visit_team()
    join(ada, invited(owner, "editor"), "Ada")
    ada.goto("/me")

    ada.locator("#my-name").fill("Ada Lovelace")
    ada.get_by_role("button", name="Save").click()
    expect(ada.get_by_role("heading", name="Ada Lovelace")).to_be_visible()
    ada.locator("#key-name").fill("laptop")
    ada.get_by_role("button", name="Make a key").click()
    key = ada.locator("#made").input_value()
    phone = visit_team()
    phone.goto("/login")
    phone.locator("#key").fill(key)
    phone.get_by_role("button", name="Sign in").click()
    expect(phone.locator(".boards-menu")).to_be_visible()
    phone.goto("/me")
    expect(phone.get_by_role("heading", name="Ada Lovelace")).to_be_visible()


def test_the_pages_of_people_are_accessible(visit_team: Visitors, team: Pool) -> None:
    owner, ada = signed_in(visit_team, team), visit_team()
    link = invited(owner, "editor")
    assert_accessible(owner, "people, with a new link")
    ada.goto(link)
    assert_accessible(ada, "an invitation")
    join(ada, link, "Ada")
    ada.goto("/me")
    assert_accessible(ada, "one's own page")
    owner.goto("/people")
    owner.locator("#people summary").first.click()
    assert_accessible(owner, "people, with the roles of one")
