"""Changing several ideas at once over REST, and undoing it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, event

from tests.api.test_ideas import IDEAS, add

pytestmark = pytest.mark.both_databases

BULK = f"{IDEAS}/bulk"
Ideas = list[dict[str, Any]]


@contextmanager
def counted() -> Iterator[list[str]]:
    """Collects the SQL statements of requests inside the block, not of the service's own work."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if "AnyIO" in threading.current_thread().name:
            statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def change(client: TestClient, ideas: Ideas, operation: str, **fields: Any) -> dict[str, Any]:
    ids = [idea["id"] for idea in ideas]
    response = client.post(BULK, json={"operation": operation, "ids": ids, **fields})
    assert response.status_code == 200, response.text
    made: dict[str, Any] = response.json()
    return made


def undo(client: TestClient, made: dict[str, Any]) -> None:
    assert client.post(f"/api/v1/changes/{made['id']}/undo").status_code == 200


def now(client: TestClient, idea: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"{IDEAS}/{idea['id']}").json()
    return found


def three(client: TestClient) -> Ideas:
    return [
        add(client, "Soup from one pot", tags=["food"], status="kept"),
        add(client, "Chalk the road", tags=["cheap"], star=True),
        add(client, "Tool shelf"),
    ]


@pytest.mark.parametrize(
    ("operation", "fields", "field", "expected"),
    [
        ("add_tags", {"tags": ["cheap"]}, "tags", [["cheap", "food"], ["cheap"], ["cheap"]]),
        ("remove_tags", {"tags": ["cheap", "food"]}, "tags", [[], [], []]),
        ("set_status", {"status": "archived"}, "status", ["archived"] * 3),
        ("set_star", {"star": True}, "star", [True] * 3),
    ],
)
def test_one_call_changes_every_idea_and_one_undo_restores_all(
    client: TestClient, operation: str, fields: dict[str, Any], field: str, expected: list[Any]
) -> None:
    ideas = three(client)

    made = change(client, ideas, operation, **fields)
    changed = [now(client, idea)[field] for idea in ideas]
    undo(client, made)

    assert changed == expected
    assert [now(client, idea)[field] for idea in ideas] == [idea[field] for idea in ideas]


def test_search_finds_deleted_ideas_again_after_one_undo(client: TestClient) -> None:
    ideas = three(client)

    made = change(client, ideas[:2], "delete")
    left = [idea["title"] for idea in client.get(IDEAS).json()]
    lost = client.get(IDEAS, params={"q": "chalk"}).json()
    undo(client, made)

    assert (left, lost) == (["Tool shelf"], [])
    assert len(client.get(IDEAS).json()) == 3
    assert len(client.get(IDEAS, params={"q": "chalk"}).json()) == 1


def test_moved_ideas_return_to_the_boards_they_came_from(client: TestClient) -> None:
    other, target = (
        client.post("/api/v1/boards", json={"name": name}).json()["id"] for name in ("A", "B")
    )
    ideas = [add(client, "Here"), add(client, "There", board_id=other)]

    made = change(client, ideas, "move", board_id=target)
    moved = [idea["title"] for idea in client.get(IDEAS, params={"board": target}).json()]
    undo(client, made)

    assert moved == ["There", "Here"]
    assert [now(client, idea)["board_id"] for idea in ideas] == [idea["board_id"] for idea in ideas]


def test_search_follows_tags_that_were_changed_together(client: TestClient) -> None:
    ideas = three(client)

    change(client, ideas, "add_tags", tags=["hallway"])

    assert len(client.get(IDEAS, params={"q": "hallway"}).json()) == 3


def test_only_ideas_with_a_new_value_count_as_changed(client: TestClient) -> None:
    ideas = three(client)

    made = change(client, ideas, "set_status", status="kept")

    assert made["changed"] == [ideas[1]["id"], ideas[2]["id"]]
    assert [now(client, idea)["revision"] for idea in ideas] == [1, 2, 2]


def test_an_unknown_id_is_named_and_nothing_is_changed(client: TestClient) -> None:
    idea = add(client)
    gone = add(client)
    client.delete(f"{IDEAS}/{gone['id']}")

    response = client.post(
        BULK,
        json={"operation": "set_star", "star": True, "ids": [idea["id"], "nobody", gone["id"]]},
    )

    assert response.status_code == 404
    problem = response.json()
    assert problem["detail"] == (
        f"2 of the ideas do not exist or were deleted: nobody, {gone['id']}. Nothing was changed."
    )
    assert [error["pointer"] for error in problem["errors"]] == ["/ids/1", "/ids/2"]
    assert now(client, idea) == idea


def test_nothing_changes_if_one_idea_would_have_too_many_tags(client: TestClient) -> None:
    full = add(client, "Full", tags=[f"t{number}" for number in range(20)])
    empty = add(client, "Empty")

    response = client.post(
        BULK, json={"operation": "add_tags", "tags": ["more"], "ids": [empty["id"], full["id"]]}
    )

    assert response.status_code == 422
    assert "“Full” would have 21 tags" in response.json()["detail"]
    assert now(client, empty) == empty
    assert client.get(IDEAS, params={"q": "more"}).json() == []


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"operation": "delete", "ids": []}, "/ids"),
        ({"operation": "add_tags", "ids": ["a"], "tags": []}, "/tags"),
        ({"operation": "set_status", "ids": ["a"], "status": "lost"}, "/status"),
        ({"operation": "delete", "ids": ["a"] * 1001}, "/ids"),
    ],
)
def test_a_bad_change_is_refused_with_the_pointer_of_the_fault(
    client: TestClient, body: dict[str, Any], place: str
) -> None:
    response = client.post(BULK, json=body)

    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"].endswith(place)


def test_an_unknown_operation_is_refused_with_the_list_of_operations(client: TestClient) -> None:
    response = client.post(BULK, json={"operation": "paint", "ids": ["a"]})

    assert response.status_code == 422
    assert "set_status" in response.json()["detail"]


def test_undo_keeps_values_that_were_changed_again(client: TestClient) -> None:
    ideas = three(client)
    made = change(client, ideas, "set_status", status="archived")
    client.patch(f"{IDEAS}/{ideas[0]['id']}", json={"status": "done"})

    undo(client, made)

    assert [now(client, idea)["status"] for idea in ideas] == ["done", "draft", "draft"]


def test_undo_removes_only_the_tags_that_the_change_added(client: TestClient) -> None:
    ideas = three(client)
    made = change(client, ideas, "add_tags", tags=["cheap"])
    client.patch(f"{IDEAS}/{ideas[2]['id']}", json={"tags": ["cheap", "later"]})

    undo(client, made)

    assert [now(client, idea)["tags"] for idea in ideas] == [["food"], ["cheap"], ["later"]]


def test_a_second_undo_does_nothing(client: TestClient) -> None:
    ideas = three(client)
    made = change(client, ideas, "set_status", status="archived")
    undo(client, made)
    change(client, ideas, "set_status", status="archived")

    undo(client, made)

    assert [now(client, idea)["status"] for idea in ideas] == ["archived"] * 3
    assert client.get(f"/api/v1/changes/{made['id']}").json()["undone_at"] is not None


def test_undo_is_refused_if_the_board_to_return_to_was_deleted(client: TestClient) -> None:
    home, target = (
        client.post("/api/v1/boards", json={"name": name}).json()["id"] for name in ("A", "B")
    )
    idea = add(client, board_id=home)
    made = change(client, [idea], "move", board_id=target)
    client.delete(f"/api/v1/boards/{home}")

    response = client.post(f"/api/v1/changes/{made['id']}/undo")

    assert response.status_code == 404
    assert home in response.json()["detail"]
    assert now(client, idea)["board_id"] == target


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_unknown_change_cannot_be_undone(client: TestClient, method: str) -> None:
    path = {"GET": "/api/v1/changes/nothing", "POST": "/api/v1/changes/nothing/undo"}[method]

    response = client.request(method, path)

    assert response.status_code == 404
    assert "kept for one day" in response.json()["detail"]


def test_a_change_runs_as_many_statements_for_many_ideas_as_for_two(client: TestClient) -> None:
    ideas = [add(client, f"Idea {number}", tags=["old"]) for number in range(12)]
    few, many = ideas[:2], ideas[2:]

    with counted() as of_few:
        undo(client, change(client, few, "remove_tags", tags=["old"]))
    with counted() as of_many:
        undo(client, change(client, many, "remove_tags", tags=["old"]))

    assert len(of_many) == len(of_few)


def test_a_page_of_many_ideas_runs_as_many_statements_as_a_page_of_one(client: TestClient) -> None:
    add(client, "Idea", tags=["old"])
    with counted() as of_one:
        client.get("/")
    for number in range(40):
        add(client, f"Idea {number}", tags=["a", "b"], status="archived" if number % 3 else "kept")

    with counted() as of_many:
        client.get("/")

    assert len(of_many) == len(of_one)


def test_the_address_of_bulk_changes_is_not_that_of_an_idea(client: TestClient) -> None:
    assert client.put("/api/v1/ideas/bulk").headers["allow"] == "POST"
