"""What happens on a board is recorded with the change itself, and wakes those who wait."""

import pytest
from fastapi.testclient import TestClient

from service.actor import ACTOR, Actor, Role
from service.schemas.ideas import IdeaCreate, IdeaUpdate
from service.store import Store
from service.store.team_tables import Person

pytestmark = pytest.mark.both_databases

IDEAS = "/api/v1/ideas"


def kinds(store: Store, board: str) -> list[str]:
    return [one.kind for one in store.activity.after(board, 0)]


def test_each_change_of_an_idea_is_recorded_once(client: TestClient, store: Store) -> None:
    board = store.boards.default().id
    idea = client.post(IDEAS, json={"title": "Lend tools"}).json()["id"]
    client.patch(f"{IDEAS}/{idea}", json={"title": "Lend ladders", "tags": ["street"]})
    client.delete(f"{IDEAS}/{idea}")
    client.post(f"{IDEAS}/{idea}/restore")

    assert kinds(store, board)[-4:] == [
        "idea.created",
        "idea.changed",
        "idea.deleted",
        "idea.restored",
    ]


def test_a_change_that_fails_is_not_recorded(client: TestClient, store: Store) -> None:
    board = store.boards.default().id
    before = store.activity.newest(board)

    refused = client.post(IDEAS, json={"title": "Lend tools", "parent_id": "nobody"})

    assert refused.status_code == 404
    assert store.activity.newest(board) == before


def test_a_moved_idea_is_recorded_on_both_boards(client: TestClient, store: Store) -> None:
    here = store.boards.default().id
    there = client.post("/api/v1/boards", json={"name": "Elsewhere"}).json()["id"]
    idea = client.post(IDEAS, json={"title": "Lend tools"}).json()["id"]

    client.patch(f"{IDEAS}/{idea}", json={"board_id": there})

    assert kinds(store, here)[-1] == "idea.moved"
    assert "idea.moved" in kinds(store, there)


def test_a_row_carries_the_person_who_acts(client: TestClient, store: Store) -> None:
    with client.app.state.database.write() as session:  # type: ignore[attr-defined]
        session.add(Person(id="ada", name="Ada"))
    token = ACTOR.set(Actor(person_id="ada", name="Ada", role=Role.EDITOR))
    try:
        idea = store.ideas.create(IdeaCreate(title="Lend tools"))
        store.ideas.update(idea.id, IdeaUpdate(body="Ladders too."))
    finally:
        ACTOR.reset(token)

    newest = store.activity.after(idea.board_id, 0)[-1]
    assert (newest.kind, newest.subject_id, newest.person_id) == ("idea.changed", idea.id, "ada")
