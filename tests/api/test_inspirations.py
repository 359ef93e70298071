"""Ideas of the bank: by themselves, and in a brainstorm before those of the model."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.analysis.idea_bank import IdeaBank
from service.app import create_app
from service.settings import Settings
from tests.support.fake_backend import FakeBackend

API = "/api/v1"
TOPIC = "gift for my grandmother"
STRANGE = "xqzv plorbt"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"idea_bank": True})


def brainstorm(client: TestClient, topic: str = TOPIC, **more: Any) -> dict[str, Any]:
    response = client.post(f"{API}/brainstorm", json={"topic": topic} | more)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def from_bank(answer: dict[str, Any]) -> list[str]:
    return [one["title"] for one in answer["suggestions"] if one["origin"] == "bank"]


def test_inspirations_come_without_a_run_and_name_their_topic(
    client: TestClient, backend: FakeBackend
) -> None:
    answer = client.get(f"{API}/inspirations", params={"topic": TOPIC}).json()

    assert answer["threshold"] == 0.6
    assert len(answer["inspirations"]) == 8
    assert all(one["likeness"] >= 0.6 for one in answer["inspirations"])
    assert all(one["origin"] == "bank" and one["written_for"] for one in answer["inspirations"])
    assert client.get(f"{API}/runs").json() == []
    assert backend.history == []


def test_a_topic_that_the_bank_does_not_know_has_no_inspirations(client: TestClient) -> None:
    answer = client.get(f"{API}/inspirations", params={"topic": STRANGE}).json()

    assert answer["inspirations"] == []


def test_the_bank_comes_first_and_on_top_of_what_the_model_writes(client: TestClient) -> None:
    suggestions = brainstorm(client, n=3)["suggestions"]

    assert [one["origin"] for one in suggestions] == ["bank"] * 3 + ["model"] * 3
    assert all(one["written_for"] and not one["angle"] for one in suggestions[:3])
    assert all("written_for" not in one and not one["angle"] for one in suggestions[3:])


def test_the_bank_gives_eight_ideas_at_most(client: TestClient) -> None:
    assert len(from_bank(brainstorm(client, n=12))) == 8


def test_the_bank_alone_asks_no_model(client: TestClient, backend: FakeBackend) -> None:
    answer = brainstorm(client, sources=["bank"])

    assert len(answer["suggestions"]) == len(from_bank(answer)) == 8
    assert backend.history == []


def test_the_bank_alone_may_know_nothing(client: TestClient) -> None:
    answer = brainstorm(client, STRANGE, sources=["bank"])

    assert answer["status"] == "done"
    assert answer["suggestions"] == []


def test_the_model_alone_gets_no_help(client: TestClient) -> None:
    assert from_bank(brainstorm(client, n=2, sources=["model"])) == []


@pytest.mark.parametrize("sources", [[], ["bank", "bank"], ["books"]])
def test_wrong_sources_are_refused(client: TestClient, sources: list[str]) -> None:
    task = {"topic": TOPIC, "sources": sources}

    assert client.post(f"{API}/brainstorm", json=task).status_code == 422


def test_what_the_board_has_or_saw_is_not_offered_again(client: TestClient) -> None:
    first = from_bank(brainstorm(client, sources=["bank"]))
    second = from_bank(brainstorm(client, sources=["bank"]))

    assert second
    assert not set(first) & set(second)


def test_a_repeated_run_offers_the_same_ideas(client: TestClient) -> None:
    answer = brainstorm(client, sources=["bank"])
    again = client.post(f"{API}/runs/{answer['run_id']}/repeat", json={"seed": "same"}).json()

    assert from_bank(again) == from_bank(answer)


def test_a_kept_idea_says_that_it_is_from_the_bank(client: TestClient) -> None:
    suggestion = brainstorm(client, sources=["bank"])["suggestions"][0]

    kept = client.post(f"{API}/suggestions/{suggestion['id']}/keep").json()

    assert kept["origin"] == "bank"
    assert kept["title"] == suggestion["title"]


def test_branching_and_other_languages_get_nothing_from_the_bank(client: TestClient) -> None:
    idea = client.post(f"{API}/ideas", json={"title": TOPIC}).json()

    for task in ({"idea_id": idea["id"]}, {"topic": TOPIC, "language": "fi"}):
        answer = client.post(f"{API}/brainstorm", json=task | {"n": 2}).json()
        assert from_bank(answer) == []
        assert len(answer["suggestions"]) == 2


def test_origin_and_topic_survive_export_and_import(
    client: TestClient, settings: Settings, tmp_path: Path
) -> None:
    brainstorm(client, sources=["bank"])
    archive = client.get(f"{API}/export?format=json").content

    copy = settings.model_copy(update={"data_dir": tmp_path / "copy"})
    with TestClient(create_app(copy, FakeBackend()), base_url="http://localhost") as other:
        taken = other.post(
            f"{API}/import", content=archive, headers={"content-type": "application/json"}
        )
        assert taken.status_code == 200, taken.text
        (run,) = other.get(f"{API}/runs").json()

    assert {one["origin"] for one in run["suggestions"]} == {"bank"}
    assert all(one["written_for"] for one in run["suggestions"])


def test_without_its_files_the_bank_is_unavailable_and_the_model_goes_on(
    migrated: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.app.IdeaBank", partial(IdeaBank, folder=tmp_path / "missing"))
    with TestClient(create_app(migrated, FakeBackend()), base_url="http://localhost") as client:
        response = client.get(f"{API}/inspirations", params={"topic": TOPIC})

        assert response.status_code == 503
        assert "Restore it" in response.json()["detail"]
        assert [one["origin"] for one in brainstorm(client, n=2)["suggestions"]] == ["model"] * 2
