"""The palette offers what a person may do, and finds what they may read, with and without JavaScript."""

import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.schemas.ideas import BoardCreate, IdeaCreate
from service.settings import Settings
from service.store import Store
from tests.support.fake_backend import FakeBackend
from tests.support.people import store_of

pytestmark = pytest.mark.both_databases
CHANGES = (
    "New idea",
    "Brainstorm",
    "Evaluate all",
    "Trash of this board",
    "Delete",
    "Star this idea",
)
FOR_OWNERS = ("Share this board", "Webhooks")


@pytest.fixture
def board(store: Store) -> str:
    return store.boards.default().id


def labels(html: str) -> list[str]:
    return [one.strip() for one in re.findall(r'class="palette-label">([^<]*)<', html)]


@pytest.mark.parametrize("path", ["/palette", "/search"])
def test_an_owner_is_offered_everything_about_the_board_and_the_idea(
    client: TestClient, store: Store, board: str, path: str
) -> None:
    idea = store.ideas.create(IdeaCreate(title="Soup"))
    store.boards.create(BoardCreate(name="Garden"))

    found = labels(client.get(path, params={"board": board, "idea": idea.id}).text)

    wanted = {*CHANGES, *FOR_OWNERS, "Garden", "Rank ideas", "Models", "Import ideas", "Dark theme"}
    assert wanted - set(found) == set()
    assert "Status: Archived" in found
    assert "Status: Draft" not in found, "it is one already"


@pytest.fixture
def reader(migrated: Settings, backend: FakeBackend) -> Iterator[TestClient]:
    """Somebody who may read the first board of a server, and nothing else."""
    app = create_app(migrated.model_copy(update={"require_key": True}), backend)
    with TestClient(app, base_url="http://localhost") as client:
        store = store_of(client)
        key = {"authorization": f"Bearer {store.keys.create('owner')}"}
        wanted = {"role": "reader", "board_id": store.boards.default().id}
        link = client.post("/api/v1/invitations", json=wanted, headers=key).json()["url"]
        client.post(link.removeprefix("http://localhost"), data={"name": "Bo"})
        yield client


@pytest.mark.parametrize("path", ["/palette", "/search"])
def test_whoever_may_only_read_is_offered_no_change(reader: TestClient, path: str) -> None:
    store = store_of(reader)
    board = store.boards.default().id
    idea = store.ideas.create(IdeaCreate(title="Soup"))
    secret = store.boards.create(BoardCreate(name="Secret"))
    hidden = store.ideas.create(IdeaCreate(title="Hidden soup", board_id=secret.id))
    query = {"board": board, "idea": idea.id, "seen": [hidden.id, secret.id, idea.id]}

    commands = reader.get(path, params=query).text
    found = reader.get(path, params={"board": board, "q": "soup"}).text
    of_secret = reader.get(path, params={"board": secret.id, "idea": hidden.id}).text

    assert {*CHANGES, *FOR_OWNERS, "Like this idea"} & set(labels(commands)) == set()
    assert {"Rank ideas", "Lineage"} <= set(labels(commands))
    assert "Soup" in labels(found)
    assert "Add it as an idea" not in labels(found)
    for html in (commands, found, of_secret):
        assert "Secret" not in html
        assert "Hidden" not in html


@pytest.mark.parametrize("path", ["/palette", "/search"])
def test_ideas_are_found_on_every_board_those_with_the_title_first(
    client: TestClient, store: Store, board: str, path: str
) -> None:
    garden = store.boards.create(BoardCreate(name="Garden")).id
    for title, body, place in (
        ("A soup", "", garden),
        ("Soup here", "", board),
        ("Bread", "With soup.", board),
        ("Cheese", "", board),
    ):
        store.ideas.create(IdeaCreate(title=title, body=body, board_id=place))

    html = client.get(path, params={"q": "soup", "board": board}).text

    assert labels(html)[:3] == ["Soup here", "A soup", "Bread"]
    assert "Garden" in html


@pytest.mark.parametrize("path", ["/palette", "/search"])
def test_misspelt_words_find_what_was_meant(client: TestClient, store: Store, path: str) -> None:
    store.ideas.create(IdeaCreate(title="Red <bicycle>"))

    html = client.get(path, params={"q": "biycle"}).text

    assert "Nothing contains “biycle”. Ideas with “<b>bicycle</b>”:" in html
    assert "Red &lt;bicycle&gt;" in html


def test_what_was_visited_last_comes_first(client: TestClient, store: Store, board: str) -> None:
    ideas = [store.ideas.create(IdeaCreate(title=f"Idea {n}")).id for n in range(3)]
    garden = store.boards.create(BoardCreate(name="Garden")).id
    seen = [board, ideas[1], "no-such-id", garden, ideas[0]]

    html = client.get("/palette", params={"board": board, "seen": seen}).text

    assert labels(html)[:3] == ["Idea 1", "Garden", "Idea 0"]
    assert labels(client.get("/palette", params={"board": board}).text)[:2] == ["Idea 2", "Idea 1"]


def test_the_page_of_results_has_forms_that_work_without_javascript(
    client: TestClient, board: str
) -> None:
    html = client.get("/search", params={"q": "Käse & Brot", "board": board}).text

    assert "Nothing contains “Käse &amp; Brot”." in html
    assert f'href="/boards/{board}?q={quote("Käse & Brot")}"' in html
    forms = re.findall(r'<form method="post" action="([^"]+)"', html)
    assert {f"/boards/{board}/ideas", f"/boards/{board}/brainstorm"} <= set(forms)
    client.post(f"/boards/{board}/ideas", data={"title": "Käse & Brot"})
    assert "Käse &amp; Brot" in labels(client.get("/search", params={"q": "käse"}).text)


def test_commands_are_found_in_the_readers_language(client: TestClient, board: str) -> None:
    english = labels(client.get("/search", params={"q": "dark", "board": board}).text)
    swedish = labels(
        client.get("/search", params={"q": "modeller"}, headers={"accept-language": "sv"}).text
    )

    assert "Dark theme" in english
    assert "Models" not in english
    assert "Modeller" in swedish


def test_a_board_and_an_idea_that_are_gone_leave_the_way_elsewhere(client: TestClient) -> None:
    for path in ("/palette", "/search"):
        answer = client.get(path, params={"board": "gone", "idea": "gone"})

        assert answer.status_code == 200
        assert "All boards" in labels(answer.text)
