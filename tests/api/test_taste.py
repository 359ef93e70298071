"""A board learns from what people keep and discard, and orders suggestions by it."""

import re
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.analysis.board_taste import LEAST_DECISIONS
from service.app import create_app
from service.settings import Settings
from tests.support.fake_backend import FakeBackend

pytestmark = pytest.mark.both_databases

API = "/api/v1"
HTML = {"accept": "text/html"}
TOPICS = (
    "gift for my grandmother",
    "birthday party for a six-year-old",
    "save money every month",
    "more people at our choir's concerts",
    "meetings that end on time",
)
PAPER = re.compile(r"writ|letter|list|note|card|print|photo|page|text|paper|label", re.IGNORECASE)
NEW_TOPIC = "welcome new neighbours"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"idea_bank": True})


@pytest.fixture
def board(client: TestClient) -> str:
    made: str = client.post(f"{API}/boards", json={"name": "Ours"}).json()["id"]
    return made


def post(client: TestClient, path: str, **body: Any) -> Any:
    response = client.post(f"{API}{path}", json=body)
    assert response.status_code in (200, 201), response.text
    return response.json()


def suggestions(client: TestClient, board: str, topic: str, **more: Any) -> list[dict[str, Any]]:
    asked = {"topic": topic, "board_id": board, "sources": ["bank"]} | more
    found: list[dict[str, Any]] = post(client, "/brainstorm", **asked)["suggestions"]
    return found


def is_to_taste(suggestion: dict[str, Any]) -> bool:
    """Of a person who dislikes paper."""
    return PAPER.search(f"{suggestion['title']} {suggestion['text']}") is None


def decide(client: TestClient, board: str, topics: tuple[str, ...] = TOPICS) -> int:
    """Keeps and discards all suggestions for the topics; returns how many they were."""
    decided = 0
    for topic in topics:
        for one in suggestions(client, board, topic):
            verb = "keep" if is_to_taste(one) else "discard"
            post(client, f"/suggestions/{one['id']}/{verb}")
            decided += 1
    return decided


def taste(client: TestClient, board: str) -> dict[str, Any]:
    response = client.get(f"{API}/boards/{board}/taste")
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def test_a_board_without_decisions_orders_nothing(client: TestClient, board: str) -> None:
    found = taste(client, board)

    assert found["state"] == "gathering"
    assert (found["needed"], found["accuracy"], found["words_for"]) == (LEAST_DECISIONS, None, [])
    assert all(one.get("fit") is None for one in suggestions(client, board, NEW_TOPIC))


def test_after_enough_decisions_the_likeliest_suggestions_come_first(
    client: TestClient, board: str
) -> None:
    decided = decide(client, board)
    found = taste(client, board)

    assert decided >= LEAST_DECISIONS
    assert found["state"] == "in_use"
    assert found["counts"]["kept"] + found["counts"]["discarded"] == decided
    assert found["pairs"] > 0
    assert 0 <= found["accuracy"] <= 1
    assert found["words_for"]
    assert found["words_against"]
    fits = [one["fit"] for one in suggestions(client, board, NEW_TOPIC)]
    assert fits == sorted(fits, reverse=True)
    assert len(set(fits)) > 1


@pytest.mark.sqlite_only
def test_what_the_model_writes_is_given_its_fit_too(client: TestClient, board: str) -> None:
    decide(client, board)

    written = suggestions(client, board, NEW_TOPIC, sources=["model"], n=2)

    assert all(0 < one["fit"] < 1 for one in written)


@pytest.mark.sqlite_only
def test_a_run_with_a_seed_does_not_depend_on_what_was_learnt(
    client: TestClient, board: str
) -> None:
    before = suggestions(client, board, NEW_TOPIC, seed=1)
    decide(client, board)

    after = suggestions(client, board, NEW_TOPIC, seed=1)

    assert [one["title"] for one in after] == [one["title"] for one in before]
    assert all(one.get("fit") is None for one in after)


@pytest.mark.sqlite_only
def test_one_board_learns_nothing_from_another_one(client: TestClient, board: str) -> None:
    decide(client, board)

    other = post(client, "/boards", name="Theirs")["id"]

    assert taste(client, other)["counts"]["kept"] == 0


@pytest.mark.sqlite_only
def test_learning_can_be_switched_off_and_on(client: TestClient, board: str) -> None:
    decide(client, board)

    client.patch(f"{API}/boards/{board}", json={"learns": False})

    assert taste(client, board)["state"] == "off"
    assert all(one.get("fit") is None for one in suggestions(client, board, NEW_TOPIC))
    client.patch(f"{API}/boards/{board}", json={"learns": True})
    assert taste(client, board)["state"] == "in_use"


def test_a_board_that_forgets_learns_only_from_later_decisions(
    client: TestClient, board: str
) -> None:
    decide(client, board)

    assert client.delete(f"{API}/boards/{board}/taste").status_code == 204

    found = taste(client, board)
    assert (found["state"], found["counts"]["kept"]) == ("gathering", 0)
    assert found["since"]
    decided = decide(client, board, (NEW_TOPIC,))
    counts = taste(client, board)["counts"]
    assert counts["kept"] + counts["discarded"] == decided


def test_a_reopened_suggestion_is_no_decision(client: TestClient, board: str) -> None:
    (first, *_) = suggestions(client, board, NEW_TOPIC)
    post(client, f"/suggestions/{first['id']}/discard")

    post(client, f"/suggestions/{first['id']}/reopen")

    assert taste(client, board)["counts"]["discarded"] == 0


def test_stars_more_like_this_less_like_this_and_comparisons_count(
    client: TestClient, board: str
) -> None:
    one, two, three, *_ = suggestions(client, board, NEW_TOPIC)
    first = post(client, f"/suggestions/{one['id']}/keep")
    second = post(client, f"/suggestions/{two['id']}/keep")
    post(client, f"/suggestions/{three['id']}/avoid")
    client.patch(f"{API}/ideas/{first['id']}", json={"star": True})
    post(client, "/brainstorm", suggestion_id=two["id"], n=1)
    post(
        client,
        f"/boards/{board}/comparisons",
        first_id=first["id"],
        second_id=second["id"],
        outcome="first",
    )

    counts = taste(client, board)["counts"]

    assert counts == {"kept": 2, "discarded": 0, "avoided": 1, "liked": 2, "compared": 1}


def test_a_board_that_is_not_there_has_no_taste(client: TestClient) -> None:
    assert client.get(f"{API}/boards/none/taste").status_code == 404
    assert client.delete(f"{API}/boards/none/taste").status_code == 404


def test_an_export_carries_what_a_board_learns_from(
    client: TestClient, board: str, elsewhere: Settings
) -> None:
    decide(client, board)
    archive = client.get(f"{API}/export?format=json").json()

    with TestClient(create_app(elsewhere, FakeBackend()), base_url="http://localhost") as other:
        post(other, "/import", **archive)
        assert taste(other, board) == taste(client, board)


@pytest.mark.sqlite_only
def test_the_page_says_what_was_learnt_and_has_both_buttons(client: TestClient, board: str) -> None:
    page = client.get(f"/boards/{board}/taste", headers=HTML).text
    assert f"0 of {LEAST_DECISIONS}" in page
    decide(client, board)

    page = client.get(f"/boards/{board}/taste", headers=HTML).text

    assert "Suggestions are ordered by this board" in page
    assert "chance 50%" in page
    assert 'id="taste-switch"' in page
    off = client.post(f"/boards/{board}/taste", data={"learns": "false"}, headers=HTML)
    assert "This board does not learn" in off.text
    asked = client.get(f"/boards/{board}/taste/forget", headers=HTML)
    assert "You cannot undo this" in asked.text
    forgotten = client.post(f"/boards/{board}/taste/forget", headers=HTML)
    assert "Nothing is learnt from what was decided before" in forgotten.text
