"""An idea is handed over whole: as Markdown for people, as JSON for programs."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

API = "/api/v1"


@pytest.fixture
def idea(client: TestClient) -> str:
    parent = client.post(f"{API}/ideas", json={"title": "Share [things]"}).json()["id"]
    made: str = client.post(
        f"{API}/ideas",
        json={"title": "Lend tools", "body": "Drills.", "tags": ["street"], "parent_id": parent},
    ).json()["id"]
    client.post(f"{API}/ideas", json={"title": "Lend ladders", "parent_id": made})
    evaluated = client.post(f"{API}/evaluate", json={"idea_id": made})
    assert evaluated.status_code == 200, evaluated.text
    return made


def test_json_has_text_scores_lineage_and_link(client: TestClient, idea: str) -> None:
    response = client.get(f"{API}/ideas/{idea}/export")
    found: dict[str, Any] = response.json()

    assert "attachment" in response.headers["content-disposition"]
    assert found["idea"] == client.get(f"{API}/ideas/{idea}").json()
    assert found["evaluation"]["method"] in ("head", "digits", "mixed")
    assert found["parent"]["title"] == "Share [things]"
    assert [one["title"] for one in found["children"]] == ["Lend ladders"]
    assert found["url"] == f"http://localhost/ideas/{idea}"


def test_markdown_says_the_same_to_people(client: TestClient, idea: str) -> None:
    response = client.get(f"{API}/ideas/{idea}/export?format=markdown")

    assert response.headers["content-type"].startswith("text/markdown")
    lines = response.text.splitlines()
    assert lines[0] == "# Lend tools"
    assert "Drills." in lines
    assert "- Tags: street" in lines
    assert any(
        line.startswith("- Branched from: [Share \\[things\\]](http://localhost/") for line in lines
    )
    assert f"- Link: <http://localhost/ideas/{idea}>" in lines
    assert any(line.startswith("| **Overall** |") for line in lines)
    assert "score head" in response.text or "rough" in response.text


def test_get_idea_answers_in_markdown_if_asked(client: TestClient, idea: str) -> None:
    asked = client.get(f"{API}/ideas/{idea}", headers={"accept": "text/markdown;q=1, */*;q=0.1"})
    usual = client.get(f"{API}/ideas/{idea}", headers={"accept": "*/*"})

    assert asked.text == client.get(f"{API}/ideas/{idea}/export?format=markdown").text
    assert usual.headers["content-type"] == "application/json"
    assert asked.headers["vary"] == usual.headers["vary"] == "Accept"


def test_the_page_offers_both_without_scripts(client: TestClient, idea: str) -> None:
    page = client.get(f"/ideas/{idea}", headers={"accept": "text/html"}).text

    for kind in ("markdown", "json"):
        assert f'href="/api/v1/ideas/{idea}/export?format={kind}"' in page


def test_an_unknown_idea_is_not_found(client: TestClient) -> None:
    assert client.get(f"{API}/ideas/nobody/export").status_code == 404
    asked = client.get(f"{API}/ideas/nobody", headers={"accept": "text/markdown"})
    assert asked.status_code == 404
