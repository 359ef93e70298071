"""The real small model compares ideas in pairs."""

from typing import Any

from tests.support.app_server import Server
from tests.support.fake_backend import IDEAS

API = "/api/v1"


def test_the_model_ranks_a_board_and_says_the_same_again(shared_server: Server) -> None:
    board = shared_server.http.post(f"{API}/boards", json={"name": "Ranked"}).json()["id"]

    def rank() -> list[dict[str, Any]]:
        task = {"board_id": board, "pairs": 3, "seed": 1}
        answer = shared_server.http.post(f"{API}/rank", json=task).json()
        made: list[dict[str, Any]] = answer["comparisons"]
        return made

    for title, body in IDEAS[:3]:
        idea = {"board_id": board, "title": title, "body": body}
        shared_server.http.post(f"{API}/ideas", json=idea)
    first = rank()
    for one in first:
        shared_server.http.delete(f"{API}/boards/{board}/comparisons/{one['id']}")
    second = rank()

    said = ("first_id", "second_id", "outcome", "probability")
    assert [[one[name] for name in said] for one in first] == [
        [one[name] for name in said] for one in second
    ]
    assert len(first) == 3
    assert all(0 < one["probability"] < 1 for one in first)
    ranking = shared_server.http.get(f"{API}/boards/{board}/ranking", params={"by": "model"}).json()
    assert ranking["comparisons"] == 3
    assert all(one["rank"] for one in ranking["ideas"])
