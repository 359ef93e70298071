"""Votes, the model's comparisons and the rankings over REST."""

import csv
import io
import re
import sqlite3
import time
from collections import Counter
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from fastapi.testclient import TestClient
from sqlalchemy import create_engine

from service.app import create_app
from service.engine.types import ProbeRequest
from service.errors import EngineCrashed
from service.settings import Settings
from service.store.database import MIGRATIONS
from tests.support.fake_backend import FakeBackend

pytestmark = pytest.mark.both_databases

IDEAS, BOARDS = "/api/v1/ideas", "/api/v1/boards"
# The fake model prefers the longer text.
TEXTS = {"Soup": "One pot.", "Chalk": "Close the lane to cars and draw.", "Dogs": "A jury of cats."}


@pytest.fixture
def board(client: TestClient) -> str:
    return str(client.get(BOARDS).json()[0]["id"])


@pytest.fixture
def ideas(client: TestClient, board: str) -> dict[str, str]:
    """Ids by title."""
    return {
        title: client.post(IDEAS, json={"board_id": board, "title": title, "body": body}).json()[
            "id"
        ]
        for title, body in TEXTS.items()
    }


def vote(client: TestClient, board: str, first: str, second: str, outcome: str = "first") -> str:
    body = {"first_id": first, "second_id": second, "outcome": outcome}
    response = client.post(f"{BOARDS}/{board}/comparisons", json=body)
    assert response.status_code == 201, response.text
    return str(response.json()["id"])


def ranking(client: TestClient, board: str, by: str = "people") -> list[tuple[Any, str]]:
    answer = client.get(f"{BOARDS}/{board}/ranking", params={"by": by}).json()
    return [(idea["rank"], idea["title"]) for idea in answer["ideas"]]


def test_votes_become_a_ranking_with_its_uncertainty(
    client: TestClient, board: str, ideas: dict[str, str]
) -> None:
    vote(client, board, ideas["Dogs"], ideas["Soup"])
    vote(client, board, ideas["Dogs"], ideas["Soup"], "tie")

    answer = client.get(f"{BOARDS}/{board}/ranking").json()

    assert ranking(client, board) == [(1, "Dogs"), (2, "Soup"), (None, "Chalk")]
    first, second, never = answer["ideas"]
    assert (answer["by"], answer["comparisons"]) == ("people", 2)
    assert first["low"] < 50 < first["score"] < first["high"]
    assert first["strength"] == pytest.approx(-second["strength"])
    assert (never["score"], never["comparisons"]) == (50, 0)
    assert never["standard_error"] > first["standard_error"]


def test_a_vote_has_an_address_and_can_be_deleted(
    client: TestClient, board: str, ideas: dict[str, str]
) -> None:
    body = {"first_id": ideas["Dogs"], "second_id": ideas["Soup"], "outcome": "second"}
    made = client.post(f"{BOARDS}/{board}/comparisons", json=body)
    address = made.headers["location"]

    assert client.get(address).json() == made.json()
    assert client.get(f"{BOARDS}/{board}/comparisons").json() == [made.json()]
    assert client.delete(address).status_code == 204
    assert client.delete(address).status_code == client.get(address).status_code == 404
    assert client.get(f"{BOARDS}/{board}/ranking").json()["comparisons"] == 0


def test_a_vote_records_the_versions_that_were_read(
    client: TestClient, board: str, ideas: dict[str, str]
) -> None:
    client.patch(f"{IDEAS}/{ideas['Dogs']}", json={"body": "A jury of children."})
    body = {"first_id": ideas["Dogs"], "second_id": ideas["Soup"], "outcome": "first"}
    made = client.post(f"{BOARDS}/{board}/comparisons", json=body | {"first_version": 1}).json()

    assert (made["first_version"], made["second_version"]) == (1, 1)
    outdated = {
        idea["title"]: idea["outdated"]
        for idea in client.get(f"{BOARDS}/{board}/ranking").json()["ideas"]
    }
    assert outdated == {"Dogs": 1, "Soup": 0, "Chalk": 0}


@pytest.mark.parametrize(
    ("change", "status", "pointer"),
    [
        ({"second_id": "nobody"}, 422, "/second_id"),
        ({"outcome": "both"}, 422, "/outcome"),
        ({"first_version": 9}, 422, "/first_version"),
        ({"first_version": 0}, 422, "/first_version"),
        ({"colour": "red"}, 422, "/colour"),
    ],
)
def test_an_invalid_vote_is_refused(
    client: TestClient,
    board: str,
    ideas: dict[str, str],
    change: dict[str, Any],
    status: int,
    pointer: str | None,
) -> None:
    body = {"first_id": ideas["Dogs"], "second_id": ideas["Soup"], "outcome": "first"} | change

    response = client.post(f"{BOARDS}/{board}/comparisons", json=body)

    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    if pointer is not None:
        assert response.json()["errors"][0]["pointer"] == pointer
    assert client.get(f"{BOARDS}/{board}/ranking").json()["comparisons"] == 0


def test_an_idea_is_not_compared_with_itself_nor_with_one_of_another_board(
    client: TestClient, board: str, ideas: dict[str, str]
) -> None:
    other = client.post(BOARDS, json={"name": "Other"}).json()["id"]
    there = client.post(IDEAS, json={"board_id": other, "title": "There"}).json()["id"]

    for second in (ideas["Dogs"], there):
        body = {"first_id": ideas["Dogs"], "second_id": second, "outcome": "tie"}
        assert client.post(f"{BOARDS}/{board}/comparisons", json=body).status_code == 422


@pytest.mark.parametrize("way", ["delete", "archive", "move"])
def test_a_deleted_idea_leaves_the_ranking_and_returns_with_its_votes(
    client: TestClient, board: str, ideas: dict[str, str], way: str
) -> None:
    vote(client, board, ideas["Dogs"], ideas["Soup"])
    vote(client, board, ideas["Soup"], ideas["Chalk"])
    before = ranking(client, board)
    gone = f"{IDEAS}/{ideas['Soup']}"
    other = client.post(BOARDS, json={"name": "Other"}).json()["id"]

    if way == "delete":
        client.delete(gone)
    else:
        client.patch(gone, json={"status": "archived"} if way == "archive" else {"board_id": other})
    without = ranking(client, board)
    client.post(f"{gone}/restore")
    client.patch(gone, json={"status": "draft", "board_id": board})

    assert [title for _, title in without] == ["Chalk", "Dogs"]
    assert {rank for rank, _ in without} == {None}
    assert ranking(client, board) == before == [(1, "Dogs"), (2, "Soup"), (3, "Chalk")]


def test_the_next_pair_stays_until_somebody_votes_and_can_be_skipped(
    client: TestClient, board: str, ideas: dict[str, str]
) -> None:
    path = f"{BOARDS}/{board}/comparisons/next"
    pair = client.get(path).json()
    one, other = pair["first"]["id"], pair["second"]["id"]
    skipped = client.get(path, params={"skip": f"{other}.{one}"}).json()

    assert client.get(path).json() == pair
    assert {skipped["first"]["id"], skipped["second"]["id"]} != {one, other}
    vote(client, board, one, other)
    after = client.get(path).json()
    assert set(ideas.values()) - {one, other} <= {after["first"]["id"], after["second"]["id"]}


def test_a_missing_next_pair_is_explained(client: TestClient, board: str) -> None:
    path = f"{BOARDS}/{board}/comparisons/next"
    assert client.get(path).status_code == 409
    one, other = (
        client.post(IDEAS, json={"board_id": board, "title": title}).json()["id"] for title in "ab"
    )
    skipped = client.get(path, params={"skip": f"{one}.{other}"})

    assert (skipped.status_code, "skipped" in skipped.json()["detail"]) == (409, True)
    assert client.get(path, params={"skip": "nonsense"}).status_code == 422
    assert client.get(f"{BOARDS}/nobody/comparisons/next").status_code == 404


def test_the_ranking_as_csv_is_safe_to_open(client: TestClient, board: str) -> None:
    evil, soup = (
        client.post(IDEAS, json={"board_id": board, "title": title}).json()["id"]
        for title in ("=cmd()", "Soup")
    )
    vote(client, board, soup, evil)

    response = client.get(f"{BOARDS}/{board}/ranking", params={"format": "csv"})

    rows = list(csv.DictReader(io.StringIO(response.text)))
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert 'filename="ranking-by-people.csv"' in response.headers["content-disposition"]
    assert [(row["rank"], row["title"]) for row in rows] == [("1", "Soup"), ("2", "'=cmd()")]
    assert float(rows[1]["strength"]) < 0 < float(rows[0]["strength"])
    assert rows[1]["idea_id"] == evil


def test_the_ranking_as_markdown_is_a_table(
    client: TestClient, board: str, ideas: dict[str, str]
) -> None:
    client.patch(f"{IDEAS}/{ideas['Dogs']}", json={"title": "Cats | dogs"})
    vote(client, board, ideas["Dogs"], ideas["Soup"])

    text = client.get(f"{BOARDS}/{board}/ranking", params={"format": "markdown"}).text

    assert text.startswith("# My ideas: ranked by people\n\nComparisons: 1\n\n| Rank | Idea |")
    assert "| 1 | Cats \\| dogs | 68 | 11–97 | 1 |" in text
    assert text.endswith("Not compared yet:\n\n- Chalk\n")


def test_a_board_can_be_sorted_by_rank_page_by_page(
    client: TestClient, board: str, ideas: dict[str, str]
) -> None:
    vote(client, board, ideas["Chalk"], ideas["Soup"])
    query: dict[str, str | int] = {"board": board, "sort": "rank", "limit": 1}
    first = client.get(IDEAS, params=query)
    second = client.get(first.links["next"]["url"])
    third = client.get(second.links["next"]["url"])

    found = [page.json()[0]["title"] for page in (first, second, third)]
    assert found == ["Chalk", "Soup", "Dogs"]
    assert "next" not in third.links
    assert client.get(IDEAS, params={"sort": "rank"}).status_code == 422
    page = client.get(f"/boards/{board}?sort=rank", headers={"accept": "text/html"}).text
    assert page.index(f"idea-{ideas['Chalk']}") < page.index(f"idea-{ideas['Soup']}")


def test_the_model_is_asked_in_both_orders_and_its_comparisons_name_the_run(
    client: TestClient, backend: FakeBackend, board: str, ideas: dict[str, str]
) -> None:
    answer = client.post("/api/v1/rank", json={"board_id": board, "seed": 1}).json()
    assert {one["first_id"] for one in answer["comparisons"]} <= set(ideas.values())

    asked = [request for request in backend.history if isinstance(request, ProbeRequest)]
    # The first pair is asked alone, so that a result is shown soon; then several in one call.
    assert [len(request.prompts) for request in asked] == [2, 4]
    for request in asked:
        questions = [messages[-1].content for messages in request.prompts]
        assert len(set(questions)) == len(questions)
        assert all(number == 2 for number in Counter(map(both, questions)).values())
    assert len(answer["comparisons"]) == 3
    for one in answer["comparisons"]:
        assert (one["by"], one["run_id"]) == ("model", answer["run_id"])
        assert one["probability"] in (0.25, 0.75)
    assert ranking(client, board, "model") == [(1, "Chalk"), (2, "Dogs"), (3, "Soup")]
    assert ranking(client, board) == [(None, "Soup"), (None, "Chalk"), (None, "Dogs")]
    run = client.get(f"/api/v1/runs/{answer['run_id']}").json()
    assert (run["kind"], run["weights_sha256"]) == ("rank", backend.model.weights_sha256)
    assert run["comparisons"] == answer["comparisons"]
    assert len(run["prompts"]) == 6


def both(question: str) -> frozenset[str]:
    """The two ideas of a comparison, in either order."""
    return frozenset(re.findall(r"<idea>(.*?)</idea>", question, re.DOTALL))


def test_while_others_use_the_model_it_is_asked_for_one_pair_at_a_time(
    client: TestClient, backend: FakeBackend, board: str, ideas: dict[str, str]
) -> None:
    backend.running.add("somebody else's request")

    client.post("/api/v1/rank", json={"board_id": board, "seed": 1})

    asked = [request for request in backend.history if isinstance(request, ProbeRequest)]
    assert [len(request.prompts) for request in asked] == [2] * len(ideas)


def test_a_pair_whose_two_orders_disagree_is_a_tie(client: TestClient, board: str) -> None:
    # Of two ideas of equal length, the fake model prefers the first.
    for title in ("abc", "xyz"):
        client.post(IDEAS, json={"board_id": board, "title": title, "body": "the same length"})

    answer = client.post("/api/v1/rank", json={"board_id": board}).json()

    assert [(one["outcome"], one["probability"]) for one in answer["comparisons"]] == [("tie", 0.5)]


def test_a_ranking_compares_at_most_the_given_number_of_pairs_and_none_twice(
    client: TestClient, board: str, ideas: dict[str, str]
) -> None:
    asked = [
        client.post("/api/v1/rank", json={"board_id": board, "pairs": 2}).json()["comparisons"]
        for _ in range(2)
    ]
    done = client.post("/api/v1/rank", json={"board_id": board})
    client.patch(f"{IDEAS}/{ideas['Soup']}", json={"body": "A longer text than all the others."})
    again = client.post("/api/v1/rank", json={"board_id": board}).json()["comparisons"]

    assert [len(comparisons) for comparisons in asked] == [2, 1]
    assert (done.status_code, done.json()["type"]) == (409, "/problems/conflict")
    assert len(again) == 2
    assert all(ideas["Soup"] in (one["first_id"], one["second_id"]) for one in again)
    assert ranking(client, board, "model")[0] == (1, "Soup")


def test_a_streamed_ranking_sends_each_comparison(
    client: TestClient, board: str, ideas: dict[str, str]
) -> None:
    response = client.post(
        "/api/v1/rank", json={"board_id": board}, headers={"accept": "text/event-stream"}
    )

    names = [line[7:] for line in response.text.splitlines() if line.startswith("event: ")]
    assert names == ["queued", "started", *["comparison"] * len(ideas), "result", "done"]


def test_a_stopped_ranking_keeps_what_was_compared(
    client: TestClient, backend: FakeBackend, board: str, ideas: dict[str, str]
) -> None:
    # The remaining pairs are compared in one call, so the run must be stopped within this time.
    backend.delay_s = 1.5
    started = client.post(
        "/api/v1/rank", json={"board_id": board}, headers={"prefer": "respond-async"}
    )
    address = started.headers["location"]
    while not client.get(address).json()["comparisons"]:
        time.sleep(0.01)

    stopped = client.post(f"{address}/cancel").json()

    assert (started.status_code, stopped["status"]) == (202, "cancelled")
    assert 0 < len(stopped["comparisons"]) < len(ideas)
    assert client.get(f"{BOARDS}/{board}/ranking?by=model").json()["comparisons"] > 0
    assert not backend.running


def test_a_ranking_without_two_ideas_does_not_start(client: TestClient, board: str) -> None:
    assert client.post("/api/v1/rank", json={"board_id": board}).status_code == 409
    assert client.post("/api/v1/rank", json={"board_id": "nobody"}).status_code == 404
    assert client.post("/api/v1/rank", json={"pairs": 0}).status_code == 422
    assert client.get("/api/v1/runs").json() == []


def test_a_crashed_model_fails_the_ranking(
    settings: Settings,
) -> None:
    class Dying(FakeBackend):
        async def _pause(self) -> None:
            raise EngineCrashed("It ran dry.")

    with TestClient(create_app(settings, Dying()), base_url="http://localhost") as client:
        for title in "ab":
            client.post(IDEAS, json={"title": title})

        response = client.post("/api/v1/rank", json={})

        assert (response.status_code, response.json()["detail"]) == (502, "It ran dry.")


@pytest.mark.sqlite_only
def test_a_database_without_comparisons_is_migrated(
    settings: Settings,
) -> None:
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with create_engine(settings.sqlalchemy_url).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    before = settings.data_dir / "ideapool.db"
    with sqlite3.connect(before) as old:
        old.execute("INSERT INTO board VALUES ('b', 'Old', '', '2026-01-01', '2026-01-01', NULL)")

    with TestClient(create_app(settings, FakeBackend()), base_url="http://localhost") as client:
        assert client.get(BOARDS).json()[0]["name"] == "Old"
        assert client.get(f"{BOARDS}/b/ranking").json()["ideas"] == []


@pytest.mark.parametrize("sort", ["new", "rank"])
def test_an_unknown_board_has_no_ideas_in_any_order(client: TestClient, sort: str) -> None:
    answer = client.get(IDEAS, params={"board": "no-such-id", "sort": sort})

    assert (answer.status_code, answer.json()) == (200, [])
