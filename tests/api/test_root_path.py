"""The app under a path of its host: each address that it gives leads back to it."""

from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError

from service.app import create_app
from service.settings import Settings
from service.web.root_path import with_addresses_under
from tests.support.fake_backend import FakeBackend

TEXT = 'Write <a href="/x"> or [here](/boards), and `href="/y"`.'


class Addresses(HTMLParser):
    """All addresses of the server in attributes that a browser follows; a `value` goes to the server."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(page)

    def handle_starttag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = [value.rpartition("url=")[2] for name, value in attrs if value and name != "value"]
        self.found |= {value for value in values if value.startswith("/") and value != "/"}


@pytest.fixture
def under(migrated: Settings) -> Iterator[TestClient]:
    settings = migrated.model_copy(update={"root_path": "/pool"})
    app = create_app(settings, FakeBackend())
    with TestClient(app, base_url="http://localhost", follow_redirects=False) as client:
        yield client


def follow(client: TestClient, start: str, most: int = 150) -> dict[str, str]:
    """All pages that links lead to from `start`, with their addresses; files and forms are left out."""
    pages: dict[str, str] = {}
    waiting = [start]
    while waiting and len(pages) < most:
        address = waiting.pop(0).partition("#")[0]
        if address in pages or "/static/" in address or "/api/" in address:
            continue
        if address.endswith("/live"):  # a stream has no end
            continue
        answer = client.get(address)
        if answer.status_code == 303:
            waiting.append(answer.headers["location"])
        elif answer.status_code == 200 and "html" in answer.headers["content-type"]:
            pages[address] = answer.text
            waiting += sorted(Addresses(answer.text).found)
    return pages


def test_every_address_in_a_page_lies_under_the_path(under: TestClient) -> None:
    board = under.get("/pool/api/v1/boards").json()[0]["id"]
    for title in ("Soup from one pot", "Chalk the road"):
        idea = {"title": title, "body": TEXT, "board_id": board, "tags": ["food"]}
        assert under.post("/pool/api/v1/ideas", json=idea).status_code == 201
    under.post("/pool/api/v1/brainstorm", json={"topic": "soup", "n": 2, "board_id": board})

    pages = follow(under, "/pool/")

    kinds = {address.split("?")[0].split("/")[2] for address in pages}
    assert {"boards", "ideas", "runs", "help", "import"} <= kinds
    strays = {
        address: found
        for address, page in pages.items()
        if (found := {one for one in Addresses(page).found if not one.startswith("/pool/")})
    }
    assert strays == {}


def test_redirects_and_refused_forms_stay_under_the_path(under: TestClient) -> None:
    made = under.post("/pool/boards", data={"name": "Trip"})
    assert made.status_code == 303
    board = made.headers["location"]
    assert board.startswith("/pool/boards/")
    assert under.get(board).status_code == 200

    page = {"Referer": f"http://localhost{board}?q=soup", "Accept": "text/html"}
    chosen = under.post("/pool/theme", data={"theme": "dark"}, headers=page)
    assert chosen.headers["location"] == f"{board}?q=soup"
    refused = under.post("/pool/boards", data={"name": ""}, headers=page)
    assert refused.status_code == 422
    assert f'data-address="{board}?q=soup"' in refused.text


def test_a_proxy_may_take_the_path_off_itself(under: TestClient) -> None:
    assert under.get("/boards").text == under.get("/pool/boards").text
    assert under.get("/livez").status_code == under.get("/pool/livez").status_code == 200
    assert under.get("/poolside").status_code == 404


def test_the_api_says_where_it_is(under: TestClient) -> None:
    idea = under.post("/pool/api/v1/ideas", json={"title": "Soup", "body": ""})
    listed = under.get("/pool/api/v1/ideas?limit=1")
    under.post("/pool/api/v1/ideas", json={"title": "Chalk", "body": ""})
    more = under.get("/pool/api/v1/ideas?limit=1").headers["link"]

    assert idea.headers["location"].startswith("/pool/api/v1/ideas/")
    assert "link" not in listed.headers
    assert more.startswith("</pool/api/v1/ideas?")
    servers = under.get("/pool/api/v1/openapi.json").json()["servers"]
    assert [one["url"] for one in servers] == ["/pool"]


def test_whoever_needs_a_key_is_sent_to_the_sign_in_under_the_path(migrated: Settings) -> None:
    settings = migrated.model_copy(update={"root_path": "/pool", "require_key": True})
    with TestClient(create_app(settings, FakeBackend()), "http://localhost") as client:
        sent = client.get("/pool/boards", headers={"Accept": "text/html"}, follow_redirects=False)

        assert sent.headers["location"] == "/pool/login"
        assert 'action="/pool/login"' in client.get("/pool/login").text


def test_what_people_wrote_is_not_an_address() -> None:
    text = '<p>Use href="/x" &lt;a href="/y"&gt;</p>'

    assert with_addresses_under("/pool", text) == text
    assert with_addresses_under("/pool", '<a href="/x" title="a > b">') == (
        '<a href="/pool/x" title="a > b">'
    )
    assert with_addresses_under("/pool", '<a href="//other.example/x">') == (
        '<a href="//other.example/x">'
    )


@pytest.mark.parametrize("value", ["pool", "/pool?x", "//", "/a b", "/<b>"])
def test_a_path_that_cannot_be_one_is_refused(value: str) -> None:
    with pytest.raises(ValidationError, match="root_path"):
        Settings(root_path=value)


def test_a_last_slash_makes_no_difference() -> None:
    assert Settings(root_path="/pool/").root_path == "/pool"
    assert Settings(root_path="").root_path == ""
