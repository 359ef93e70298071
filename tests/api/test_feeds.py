"""A board's feed obeys RFC 4287, and is sent again only when it has changed."""

import uuid
from datetime import datetime
from typing import Any
from xml.etree import ElementTree as Xml

import pytest
from fastapi.testclient import TestClient

from service.actor import ACTOR, Actor, Role
from service.schemas.ideas import IdeaCreate
from service.store import Store
from service.store.team_tables import Person

pytestmark = pytest.mark.both_databases
API = "/api/v1"
ATOM = "{http://www.w3.org/2005/Atom}"
BODY = "Each **household** adds <script>alert(1)</script> & one vegetable ]]> at noon."


@pytest.fixture
def board(client: TestClient) -> str:
    found: str = client.get(f"{API}/boards").json()[0]["id"]
    client.patch(f"{API}/boards/{found}", json={"name": "Soup & <more>", "goal": "A > B"})
    client.post(f"{API}/ideas", json={"title": 'The "first" <b>', "body": BODY, "tags": ["a&b"]})
    client.post(f"{API}/ideas", json={"title": "The second"})
    store: Store = client.app.state.store  # type: ignore[attr-defined]
    with client.app.state.database.write() as session:  # type: ignore[attr-defined]
        session.add(Person(id="ada", name="Ada & Co"))
    token = ACTOR.set(Actor(person_id="ada", name="Ada & Co", role=Role.EDITOR))
    try:
        store.ideas.create(IdeaCreate(title="The third", board_id=found))
    finally:
        ACTOR.reset(token)
    return found


def feed(client: TestClient, board: str, path: str = "") -> Xml.Element:
    response = client.get(path or f"/boards/{board}/feed.atom")
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/atom+xml; charset=utf-8"
    return Xml.fromstring(response.content)


def texts(element: Xml.Element, name: str) -> list[str]:
    return [one.text or "" for one in element.findall(ATOM + name)]


def check_rules(root: Xml.Element) -> None:
    """The musts of RFC 4287, sections 4.1.1 and 4.1.2, and of the constructs they use."""
    assert root.tag == f"{ATOM}feed"
    entries = root.findall(f"{ATOM}entry")
    for element in (root, *entries):
        for name in ("id", "title", "updated"):
            assert len(texts(element, name)) == 1, name
        (identity,) = texts(element, "id")
        assert str(uuid.UUID(identity)) == identity.removeprefix("urn:uuid:")
        for name in ("updated", "published"):
            for moment in texts(element, name):
                # RFC 3339: upper-case T and Z.
                assert moment.endswith("Z")
                assert moment[10] == "T"
                assert datetime.fromisoformat(moment).tzinfo is not None
        links = element.findall(f"{ATOM}link")
        assert all(one.get("href", "").startswith("http") for one in links)
        alternates = [
            (one.get("type"), one.get("hreflang")) for one in links if one.get("rel") == "alternate"
        ]
        assert len(alternates) == len(set(alternates)) == 1
        for person in element.findall(f"{ATOM}author"):
            assert len(texts(person, "name")) == 1
    # A feed needs an author unless each of its entries has one.
    assert root.findall(f"{ATOM}author")
    assert [one for one in root.findall(f"{ATOM}link") if one.get("rel") == "self"]
    identities = [texts(one, "id")[0] for one in (root, *entries)]
    assert len(identities) == len(set(identities))
    for entry in entries:
        assert len(entry.findall(f"{ATOM}content")) <= 1
        assert all(one.get("term") for one in entry.findall(f"{ATOM}category"))


def test_a_feed_obeys_the_rules_of_atom(client: TestClient, board: str) -> None:
    root = feed(client, board)

    check_rules(root)
    assert texts(root, "title") == ["Soup & <more>"]
    entries = root.findall(f"{ATOM}entry")
    assert [texts(one, "title")[0] for one in entries] == [
        "The third",
        "The second",
        'The "first" <b>',
    ]
    authors = [
        [texts(one, "name")[0] for one in entry.findall(f"{ATOM}author")] for entry in entries
    ]
    assert authors == [["Ada & Co"], [], []]


def test_content_is_sanitised_html(client: TestClient, board: str) -> None:
    entry = feed(client, board).findall(f"{ATOM}entry")[-1]
    (content,) = entry.findall(f"{ATOM}content")

    assert content.get("type") == "html"
    assert "<strong>household</strong>" in (content.text or "")
    assert "<script>" not in (content.text or "")
    assert [one.get("term") for one in entry.findall(f"{ATOM}category")] == ["a&b"]


def test_an_id_stays_and_the_date_moves_when_an_idea_changes(
    client: TestClient, board: str
) -> None:
    def third() -> tuple[str, str]:
        entry = feed(client, board).findall(f"{ATOM}entry")[0]
        return texts(entry, "id")[0], texts(entry, "title")[0]

    before = third()
    idea = before[0].removeprefix("urn:uuid:")
    client.patch(f"{API}/ideas/{idea}", json={"title": "Another title"})

    assert third() == (before[0], "Another title")


def test_the_feed_of_a_link_leads_only_to_pages_of_the_link(client: TestClient, board: str) -> None:
    path = client.post(f"{API}/boards/{board}/links", json={}).json()["path"]
    root = feed(client, board, f"{path}/feed.atom")

    check_rules(root)
    addresses = [one.get("href", "") for one in root.iter(f"{ATOM}link")]
    assert all(one.startswith(f"http://localhost{path}") for one in addresses)
    for address in addresses:
        assert client.get(address).status_code == 200


def test_a_reader_that_has_it_gets_304(client: TestClient, board: str) -> None:
    address = f"/boards/{board}/feed.atom"
    first = client.get(address)
    tag, date = first.headers["etag"], first.headers["last-modified"]

    def asked(**headers: str) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.get(address, headers=named).status_code

    assert asked(if_none_match=tag) == 304
    assert asked(if_none_match=f'W/"x", {tag}') == 304
    assert asked(if_modified_since=date) == 304
    assert asked(if_modified_since="Thu, 01 Jan 2015 00:00:00 GMT") == 200
    assert asked(if_modified_since="nonsense") == 200
    # What was deleted changes no date, so the tag decides.
    idea: Any = client.get(f"{API}/ideas").json()[0]["id"]
    client.delete(f"{API}/ideas/{idea}")
    assert asked(if_none_match=tag, if_modified_since=date) == 200


def test_the_page_of_a_board_names_its_feed(client: TestClient, board: str) -> None:
    page = client.get(f"/boards/{board}", headers={"accept": "text/html"}).text

    assert (
        f'type="application/atom+xml" title="Soup &amp; &lt;more&gt;" href="/boards/{board}/feed.atom"'
        in page
    )


def test_the_feed_of_an_unknown_board_is_not_found(client: TestClient) -> None:
    assert client.get("/boards/nobody/feed.atom").status_code == 404
