"""A link shows one board, only to read, until it is withdrawn or expires; and nothing else."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient

from service.app import create_app
from service.schemas.identity import now
from service.settings import Settings
from service.store.database import Database
from service.store.team_tables import SharedLink
from tests.support.fake_backend import FakeBackend

BROWSER = {"accept": "text/html", "sec-fetch-site": "same-origin"}
pytestmark = pytest.mark.both_databases
API = "/api/v1"


@pytest.fixture
def stranger(migrated: Settings) -> Iterator[TestClient]:
    """An app that asks for keys, and a client that has none."""
    app = create_app(migrated.model_copy(update={"require_key": True}), FakeBackend())
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def owner(stranger: TestClient) -> dict[str, str]:
    key = stranger.app.state.store.keys.create("owner")  # type: ignore[attr-defined]
    return {"authorization": f"Bearer {key}"}


def post(client: TestClient, owner: dict[str, str], path: str, **body: Any) -> Any:
    response = client.post(f"{API}{path}", json=body, headers=owner)
    assert response.is_success, response.text
    return response.json()


@pytest.fixture
def board(stranger: TestClient, owner: dict[str, str]) -> str:
    made: str = post(stranger, owner, "/boards", name="Street party", goal="Fun for all")["id"]
    return made


@pytest.fixture
def link(stranger: TestClient, owner: dict[str, str], board: str) -> dict[str, Any]:
    made: dict[str, Any] = post(stranger, owner, f"/boards/{board}/links", days=7)
    return made


def load(client: TestClient, path: str) -> httpx2.Response:
    return client.get(path, headers=BROWSER, follow_redirects=False)


def test_a_stranger_reads_the_board_and_its_ideas(
    stranger: TestClient, owner: dict[str, str], board: str, link: dict[str, Any]
) -> None:
    idea = post(stranger, owner, "/ideas", title="Soup", body="One **pot**.", board_id=board)["id"]

    whole = load(stranger, link["path"])
    page = load(stranger, f"{link['path']}/ideas/{idea}")

    assert (whole.status_code, page.status_code) == (200, 200)
    assert "Street party" in whole.text
    assert f"{link['path']}/ideas/{idea}" in whole.text
    assert "<strong>pot</strong>" in page.text
    for response in (whole, page):
        assert "noindex" in response.headers["x-robots-tag"]
        assert response.headers["referrer-policy"] == "no-referrer"
        assert "<form" not in response.text
        assert "<button" not in response.text


def test_nothing_of_another_board_of_the_trash_or_of_the_archive_is_shown(
    stranger: TestClient, owner: dict[str, str], board: str, link: dict[str, Any]
) -> None:
    elsewhere = post(stranger, owner, "/boards", name="Zebrafish")["id"]
    hidden = [
        post(stranger, owner, "/ideas", title="Zebrafish one", board_id=elsewhere)["id"],
        post(stranger, owner, "/ideas", title="Zebrafish two", board_id=board)["id"],
        post(stranger, owner, "/ideas", title="Zebrafish three", board_id=board, status="archived")[
            "id"
        ],
    ]
    stranger.delete(f"{API}/ideas/{hidden[1]}", headers=owner)
    child = post(stranger, owner, "/ideas", title="Branch", board_id=board, parent_id=hidden[0])[
        "id"
    ]

    pages = [link["path"], f"{link['path']}?sort=score", f"{link['path']}/feed.atom"]
    pages += [f"{link['path']}/ideas/{one}" for one in (*hidden, child)]
    answers = {path: load(stranger, path) for path in pages}

    assert [path for path, answer in answers.items() if "Zebrafish" in answer.text] == []
    assert [answers[f"{link['path']}/ideas/{one}"].status_code for one in hidden] == [404] * 3


def test_a_link_opens_no_other_route(
    stranger: TestClient, link: dict[str, Any], board: str
) -> None:
    """Neither as an address nor with the token as a key."""
    token = link["path"].removeprefix("/shared/")
    for headers in (
        {},
        {"authorization": f"Bearer {token}"},
        {"cookie": f"ideapool_session={token}"},
    ):
        for path in (f"{API}/boards", f"{API}/boards/{board}", f"{API}/export", "/v1/models"):
            assert stranger.get(path, headers=headers).status_code == 401
        assert load(stranger, f"/boards/{board}").status_code == 303
    app: Any = stranger.app
    routes = [
        one for one in iter_route_contexts(app.routes) if (one.path or "").startswith("/shared/")
    ]
    assert routes
    assert {method for one in routes for method in one.methods or ()} <= {"GET", "HEAD"}


def test_only_the_hash_of_a_token_is_stored(
    stranger: TestClient, link: dict[str, Any], migrated: Settings
) -> None:
    token = link["path"].removeprefix("/shared/")
    raw = b"".join(path.read_bytes() for path in migrated.data_dir.glob("ideapool.db*"))

    assert token not in str(stranger.app.state.store.shared_links.all(link["board_id"]))  # type: ignore[attr-defined]
    # The answer that is kept for a repeated request is the only other place, and there was no key.
    assert token.encode() not in raw


def test_a_withdrawn_an_expired_and_an_unknown_link_say_so_each_in_its_own_words(
    stranger: TestClient, owner: dict[str, str], board: str, link: dict[str, Any]
) -> None:
    expired = post(stranger, owner, f"/boards/{board}/links", days=1)
    database: Database = stranger.app.state.database  # type: ignore[attr-defined]
    with database.write() as session:
        row = session.get(SharedLink, expired["id"])
        assert row is not None
        row.expires_at = now() - timedelta(seconds=1)
        session.add(row)
    withdrawn = stranger.delete(f"{API}/boards/{board}/links/{link['id']}", headers=owner)
    assert withdrawn.status_code == 204

    said = {}
    for path in (link["path"], expired["path"], "/shared/s_nobody", f"{link['path']}/feed.atom"):
        answer = load(stranger, path)
        assert answer.status_code == 404
        said[path] = answer.text

    assert "was withdrawn" in said[link["path"]]
    assert "was withdrawn" in said[f"{link['path']}/feed.atom"]
    assert "has expired" in said[expired["path"]]
    assert "no such link" in said["/shared/s_nobody"]
    # Nothing leads on: whoever has only a link has no other page.
    assert 'href="/"' not in said[link["path"]]
    listed = stranger.get(f"{API}/boards/{board}/links", headers=owner).json()
    assert [one["is_open"] for one in listed] == [False, False]


def test_a_board_in_the_trash_is_not_shown(
    stranger: TestClient, owner: dict[str, str], board: str, link: dict[str, Any]
) -> None:
    stranger.delete(f"{API}/boards/{board}", headers=owner)

    answer = load(stranger, link["path"])

    assert answer.status_code == 404
    assert "was deleted" in answer.text


def test_the_page_shows_a_new_link_once(client: TestClient) -> None:
    board = client.get(f"{API}/boards").json()[0]["id"]
    page = f"/boards/{board}/share"

    sent = client.post(page, data={"days": ""}, headers=BROWSER, follow_redirects=False)
    first, second = load(client, page), load(client, page)

    assert (sent.status_code, sent.headers["location"]) == (303, page)
    found = re.search(r'value="http://localhost(/shared/[\w-]+)"', first.text)
    assert found
    assert found.group(1) not in second.text
    assert load(client, found.group(1)).status_code == 200
    link = client.get(f"{API}/boards/{board}/links").json()[0]
    assert link["expires_at"] is None
    client.post(f"{page}/{link['id']}/withdraw", headers=BROWSER)
    assert load(client, found.group(1)).status_code == 404


def test_another_board_cannot_withdraw_a_link(client: TestClient) -> None:
    board = client.get(f"{API}/boards").json()[0]["id"]
    other = client.post(f"{API}/boards", json={"name": "Other"}).json()["id"]
    link = client.post(f"{API}/boards/{board}/links", json={}).json()

    assert client.delete(f"{API}/boards/{other}/links/{link['id']}").status_code == 404


def test_a_long_board_is_shown_page_by_page(client: TestClient) -> None:
    board = client.get(f"{API}/boards").json()[0]["id"]
    for number in range(35):
        client.post(f"{API}/ideas", json={"title": f"Idea {number}."})
    here = client.post(f"{API}/boards/{board}/links", json={}).json()["path"]

    first = load(client, here).text
    more = re.search(rf'href="({here}\?[^"]*cursor[^"]*)"', first)
    assert more
    second = load(client, more.group(1).replace("&amp;", "&")).text

    assert "35 ideas" in first
    assert (first.count('class="card"'), second.count('class="card"')) == (30, 5)
