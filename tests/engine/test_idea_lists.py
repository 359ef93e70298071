"""Lists of ideas by the real small model, with ideas of the bank as earlier turns."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.app_server import Server, serving

TOPIC = "gift for my grandmother"


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder: Path = tmp_path_factory.mktemp("lists")
    with serving(folder, IDEAPOOL_IDEA_BANK="true") as server:
        server.await_models()
        return brainstorm(server)


def brainstorm(server: Server) -> dict[str, Any]:
    asked = {"topic": TOPIC, "n": 5, "seed": 1, "sources": ["model"]}
    response = server.http.post("/api/v1/brainstorm", json=asked)
    assert response.status_code == 200, response.text
    return dict(server.http.get(f"/api/v1/runs/{response.json()['run_id']}").json())


def test_a_list_is_written_in_its_form(answer: dict[str, Any]) -> None:
    suggestions = answer["suggestions"]

    assert len(suggestions) == 5
    for one in suggestions:
        assert (one["origin"], one["angle"]) == ("model", "")
        assert 2 <= len(one["title"].split()) <= 6
        assert "Title:" not in one["text"]
        assert one["text"][-1] in ".!?"


def test_the_model_has_ideas_for_related_topics_before_it(answer: dict[str, Any]) -> None:
    chats = answer["prompts"]

    assert len(chats) >= 3
    for chat in chats:
        assert [one["role"] for one in chat[:4]] == ["system", "user", "assistant", "user"]
        assert chat[-1]["content"].endswith(f"for <topic>{TOPIC}</topic>")
