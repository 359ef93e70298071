"""Ideas of other boards as suggestions, found by the topics that they were written for."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.analysis.board_ideas import BoardIdeas
from service.analysis.sentence_encoder import FILE_SHA256, SentenceEncoder
from service.app import create_app
from service.settings import Settings
from service.store import Store
from tests.support.fake_backend import FakeBackend

pytestmark = pytest.mark.both_databases

API = "/api/v1"
TOPIC = "gift for my grandmother"
NEAR = "a present for grandma"
FAR = "quieter tractors"
SWEDISH, NEAR_SWEDISH = (
    "hur får jag barnen att äta mer grönsaker",
    "få barnen att äta mer grönsaker",
)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"board_ideas": True})


@pytest.fixture
def embedded(store: Store) -> Callable[[], None]:
    """Embeds the topics of all ideas, which a running server does within seconds."""
    return partial(embed_all, store)


def embed_all(store: Store) -> None:
    ideas = BoardIdeas(store, SentenceEncoder())
    while ideas.embed_some():
        pass


def board(client: TestClient, name: str = "Family", **fields: str) -> str:
    made: str = client.post(f"{API}/boards", json={"name": name} | fields).json()["id"]
    return made


def kept(client: TestClient, board_id: str, topic: str = TOPIC) -> dict[str, Any]:
    """An idea that was kept from a brainstorm."""
    asked = {"topic": topic, "board_id": board_id, "n": 1, "sources": ["model"]}
    (suggestion,) = client.post(f"{API}/brainstorm", json=asked).json()["suggestions"]
    idea: dict[str, Any] = client.post(f"{API}/suggestions/{suggestion['id']}/keep").json()
    return idea


def offered(client: TestClient, topic: str = NEAR, **more: Any) -> list[dict[str, Any]]:
    asked = {"topic": topic, "sources": ["bank"]} | more
    response = client.post(f"{API}/brainstorm", json=asked)
    assert response.status_code == 200, response.text
    suggestions: list[dict[str, Any]] = response.json()["suggestions"]
    return suggestions


def test_a_kept_idea_is_offered_on_another_board_for_a_near_topic(
    client: TestClient, embedded: Callable[[], None]
) -> None:
    idea = kept(client, board(client))
    embedded()

    (suggestion,) = offered(client)

    assert suggestion["origin"] == "board"
    assert suggestion["copied_from"] == idea["id"]
    assert suggestion["written_for"] == TOPIC
    assert (suggestion["title"], suggestion["text"]) == (idea["title"], idea["body"])
    assert offered(client, FAR) == []


def test_an_idea_is_not_offered_on_its_own_board(
    client: TestClient, embedded: Callable[[], None]
) -> None:
    home = board(client)
    kept(client, home)
    embedded()

    assert offered(client, board_id=home) == []


def test_what_was_written_by_hand_counts_for_the_goal_of_its_board(
    client: TestClient, embedded: Callable[[], None]
) -> None:
    for home in (board(client, goal=TOPIC), board(client, "No goal")):
        idea = {"board_id": home, "title": "A recipe book", "body": "Her recipes, typed and bound."}
        client.post(f"{API}/ideas", json=idea)
    embedded()

    (suggestion,) = offered(client)

    assert (suggestion["title"], suggestion["written_for"]) == ("A recipe book", TOPIC)


def test_the_text_that_people_made_of_it_is_offered(
    client: TestClient, embedded: Callable[[], None]
) -> None:
    idea = kept(client, board(client))
    client.patch(f"{API}/ideas/{idea['id']}", json={"title": "A day in the old garden"})
    embedded()

    assert offered(client)[0]["title"] == "A day in the old garden"


@pytest.mark.parametrize("change", [{"status": "archived"}, {"body": ""}])
def test_archived_and_empty_ideas_are_not_offered(
    client: TestClient, embedded: Callable[[], None], change: dict[str, str]
) -> None:
    idea = kept(client, board(client))
    embedded()
    client.patch(f"{API}/ideas/{idea['id']}", json=change)

    assert offered(client) == []


def test_deleted_ideas_and_ideas_of_deleted_boards_are_not_offered(
    client: TestClient, embedded: Callable[[], None]
) -> None:
    idea, home = kept(client, board(client)), board(client, "Old")
    kept(client, home, NEAR)
    embedded()
    client.delete(f"{API}/ideas/{idea['id']}")
    client.delete(f"{API}/boards/{home}")

    assert offered(client) == []


def test_another_language_finds_its_own_ideas(
    client: TestClient, embedded: Callable[[], None]
) -> None:
    kept(client, board(client), SWEDISH)
    embedded()

    (suggestion,) = offered(client, NEAR_SWEDISH, language="sv")

    assert suggestion["written_for"] == SWEDISH


def test_inspirations_name_the_idea_of_the_board(
    client: TestClient, embedded: Callable[[], None]
) -> None:
    idea = kept(client, board(client))
    embedded()

    (found,) = client.get(f"{API}/inspirations", params={"topic": NEAR}).json()["inspirations"]

    assert (found["origin"], found["copied_from"]) == ("board", idea["id"])


def test_the_page_links_to_the_idea_and_names_its_board(
    client: TestClient, embedded: Callable[[], None]
) -> None:
    idea = kept(client, board(client, "Family days"))
    embedded()
    run = client.post(f"{API}/brainstorm", json={"topic": NEAR, "sources": ["bank"]}).json()

    page = client.get(f"/runs/{run['run_id']}").text

    assert f'<a href="/ideas/{idea["id"]}">From the board “Family days”</a>' in page
    client.delete(f"{API}/ideas/{idea['id']}")
    assert "From another board" in client.get(f"/runs/{run['run_id']}").text


def test_a_kept_copy_says_that_it_is_from_another_board(
    client: TestClient, embedded: Callable[[], None]
) -> None:
    kept(client, board(client))
    embedded()

    copy = client.post(f"{API}/suggestions/{offered(client)[0]['id']}/keep").json()

    assert copy["origin"] == "board"


def test_a_running_server_embeds_the_topics_itself(settings: Settings) -> None:
    with TestClient(create_app(settings, FakeBackend()), base_url="http://localhost") as client:
        kept(client, board(client))
    with TestClient(create_app(settings, FakeBackend()), base_url="http://localhost") as client:
        store: Store = client.app.state.store  # type: ignore[attr-defined]
        while not store.topics.vectors(FILE_SHA256):
            time.sleep(0.01)

        assert len(offered(client)) == 1


def test_the_vector_of_a_topic_goes_with_its_last_idea(
    client: TestClient, store: Store, embedded: Callable[[], None]
) -> None:
    idea = kept(client, board(client))
    embedded()
    assert len(store.topics.vectors(FILE_SHA256)) == 1

    client.delete(f"{API}/ideas/{idea['id']}")
    embedded()

    assert store.topics.vectors(FILE_SHA256) == {}


def test_a_suggestion_outlives_the_idea_it_was_copied_from(
    client: TestClient, embedded: Callable[[], None]
) -> None:
    idea = kept(client, board(client))
    embedded()
    assert offered(client)[0]["copied_from"] == idea["id"]
    client.delete(f"{API}/ideas/{idea['id']}")
    assert client.delete(f"{API}/ideas/{idea['id']}?for_good=true").is_success

    (suggestion,) = client.get(f"{API}/runs").json()[0]["suggestions"]
    assert suggestion["title"] == idea["title"]
    assert suggestion.get("copied_from") is None


def test_where_it_was_copied_from_survives_export_and_import(
    client: TestClient, elsewhere: Settings, embedded: Callable[[], None]
) -> None:
    idea = kept(client, board(client))
    embedded()
    offered(client)
    archive = client.get(f"{API}/export?format=json").content

    with TestClient(create_app(elsewhere, FakeBackend()), base_url="http://localhost") as other:
        sent = {"content-type": "application/json"}
        assert other.post(f"{API}/import", content=archive, headers=sent).status_code == 200
        (suggestion,) = other.get(f"{API}/runs").json()[0]["suggestions"]

    assert (suggestion["origin"], suggestion["copied_from"]) == ("board", idea["id"])


def test_switched_off_no_idea_of_a_board_is_offered(settings: Settings) -> None:
    off = settings.model_copy(update={"board_ideas": False})
    with TestClient(create_app(off, FakeBackend()), base_url="http://localhost") as client:
        kept(client, board(client))
        embed_all(client.app.state.store)  # type: ignore[attr-defined]

        assert offered(client) == []
