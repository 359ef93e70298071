"""The real small model compares ideas in pairs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import IDEAS
from tests.serving import Server, serving

API = "/api/v1"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path) as server:
        server.await_models()
        yield server


def test_the_model_ranks_a_board_and_says_the_same_again(server: Server) -> None:
    def rank() -> list[dict[str, Any]]:
        answer = server.http.post(f"{API}/rank", json={"pairs": 3, "seed": 1}).json()
        made: list[dict[str, Any]] = answer["comparisons"]
        return made

    for title, body in IDEAS[:3]:
        server.http.post(f"{API}/ideas", json={"title": title, "body": body})
    board = server.http.get(f"{API}/boards").json()[0]["id"]
    first = rank()
    for one in first:
        server.http.delete(f"{API}/boards/{board}/comparisons/{one['id']}")
    second = rank()

    said = ("first_id", "second_id", "outcome", "probability")
    assert [[one[name] for name in said] for one in first] == [
        [one[name] for name in said] for one in second
    ]
    assert len(first) == 3
    assert all(0 < one["probability"] < 1 for one in first)
    ranking = server.http.get(f"{API}/boards/{board}/ranking", params={"by": "model"}).json()
    assert ranking["comparisons"] == 3
    assert all(one["rank"] for one in ranking["ideas"])
