"""A board says in which language its ideas are written, and each action may say another."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

LINE = "Write all of it in {}."


def board(client: TestClient, **fields: Any) -> str:
    made = client.post("/api/v1/boards", json={"name": "Gatufest", **fields})
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


def last_prompt(client: TestClient, asked: Any) -> str:
    run = client.get(f"/api/v1/runs/{asked.json()['run_id']}").json()
    return str(run["prompts"][-1][-1]["content"])


def test_a_board_has_a_language_that_can_be_changed(client: TestClient) -> None:
    made = board(client, language="sv")

    assert client.get(f"/api/v1/boards/{made}").json()["language"] == "sv"
    client.patch(f"/api/v1/boards/{made}", json={"language": ""})
    assert client.get(f"/api/v1/boards/{made}").json()["language"] == ""
    assert client.post("/api/v1/boards", json={"name": "X", "language": "tlh"}).status_code == 422


@pytest.mark.parametrize("action", ["brainstorm", "refine", "evaluate"])
def test_the_model_writes_in_the_language_of_the_board(client: TestClient, action: str) -> None:
    made = board(client, language="sv")
    idea = {"board_id": made, "title": "Soppa", "body": "Ur en gryta."}
    idea_id = client.post("/api/v1/ideas", json=idea).json()["id"]

    asked = client.post(f"/api/v1/{action}", json={"idea_id": idea_id})

    assert asked.status_code == 200, asked.text
    assert last_prompt(client, asked).endswith(LINE.format("Swedish"))
    run = client.get(f"/api/v1/runs/{asked.json()['run_id']}").json()
    assert run["request"]["language"] == "sv"


def test_a_call_may_ask_for_another_language_or_for_none(client: TestClient) -> None:
    task = {"topic": "a street party", "board_id": board(client, language="sv"), "n": 1}

    asked = client.post("/api/v1/brainstorm", json=task | {"language": "fi"})
    assert last_prompt(client, asked).endswith(LINE.format("Finnish"))
    asked = client.post("/api/v1/brainstorm", json=task | {"language": ""})
    assert "Write all of it" not in last_prompt(client, asked)


def test_a_board_keeps_its_language_through_export_and_import(client: TestClient) -> None:
    made = board(client, language="sv")
    archive = client.get("/api/v1/export").json()
    older = {**archive, "boards": [dict(one) for one in archive["boards"]]}
    for one in older["boards"]:
        one["id"] = one["id"][::-1]
        del one["language"]
    older |= {name: [] for name in archive if isinstance(archive[name], list) and name != "boards"}

    assert next(one for one in archive["boards"] if one["id"] == made)["language"] == "sv"
    assert client.post("/api/v1/import", json=archive).status_code == 200
    assert client.post("/api/v1/import", json=older).status_code == 200
    assert client.get(f"/api/v1/boards/{made[::-1]}").json()["language"] == ""


def test_the_settings_of_a_board_have_its_language(client: TestClient) -> None:
    made = board(client)

    client.post(f"/boards/{made}", data={"name": "Gatufest", "goal": "", "language": "sv"})

    page = client.get(f"/boards/{made}", headers={"accept-language": "sv"}).text
    assert '<option value="sv" selected>svenska</option>' in page


def test_a_whole_board_is_evaluated_in_its_language(client: TestClient) -> None:
    made = board(client, language="sv")
    client.post("/api/v1/ideas", json={"board_id": made, "title": "Soppa", "body": "Ur en gryta."})

    asked = client.post(f"/api/v1/boards/{made}/evaluate")

    assert asked.status_code == 200, asked.text
    assert last_prompt(client, asked).endswith(LINE.format("Swedish"))
