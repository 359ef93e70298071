"""The real small model compares ideas in pairs."""

from typing import Any

from tests.support.app_server import Server
from tests.support.fake_backend import IDEAS

API = "/api/v1"


def test_the_model_ranks_a_board_and_says_the_same_again(own_server: Server) -> None:
    def rank() -> list[dict[str, Any]]:
        answer = own_server.http.post(f"{API}/rank", json={"pairs": 3, "seed": 1}).json()
        made: list[dict[str, Any]] = answer["comparisons"]
        return made

    for title, body in IDEAS[:3]:
        own_server.http.post(f"{API}/ideas", json={"title": title, "body": body})
    board = own_server.http.get(f"{API}/boards").json()[0]["id"]
    first = rank()
    for one in first:
        own_server.http.delete(f"{API}/boards/{board}/comparisons/{one['id']}")
    second = rank()

    said = ("first_id", "second_id", "outcome", "probability")
    assert [[one[name] for name in said] for one in first] == [
        [one[name] for name in said] for one in second
    ]
    assert len(first) == 3
    assert all(0 < one["probability"] < 1 for one in first)
    ranking = own_server.http.get(f"{API}/boards/{board}/ranking", params={"by": "model"}).json()
    assert ranking["comparisons"] == 3
    assert all(one["rank"] for one in ranking["ideas"])
