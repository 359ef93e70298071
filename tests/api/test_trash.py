"""Deleted ideas: listed, searched, had back, and deleted for good."""

import sqlite3
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from fastapi.testclient import TestClient
from sqlalchemy import create_engine

from service.app import create_app
from service.settings import Settings
from service.store.database import MIGRATIONS
from tests.api.test_ideas import IDEAS, add
from tests.api.test_transfer import BOARDS, Json, post
from tests.support.fake_backend import FakeBackend

pytestmark = pytest.mark.both_databases


def titles(client: TestClient, **query: Any) -> list[str]:
    response = client.get(IDEAS, params=query)
    assert response.status_code == 200, response.text
    return [idea["title"] for idea in response.json()]


def delete(client: TestClient, *idea_ids: str) -> Json:
    return post(client, f"{IDEAS}/bulk", operation="delete", ids=list(idea_ids))


def test_the_trash_lists_deleted_ideas_and_when_they_were_deleted(client: TestClient) -> None:
    soup, chalk = add(client, "Soup"), add(client, "Chalk")
    client.delete(f"{IDEAS}/{soup['id']}")

    (listed,) = client.get(IDEAS, params={"deleted": True}).json()

    assert listed["id"] == soup["id"]
    assert listed["deleted_at"] == listed["updated_at"]
    assert titles(client) == ["Chalk"]
    assert client.get(f"{IDEAS}/{chalk['id']}").json()["deleted_at"] is None


def test_the_trash_can_be_searched_filtered_sorted_and_paged_like_ideas(client: TestClient) -> None:
    soup = add(client, "Soup", body="One pot.", tags=["food"])
    bread, chalk = add(client, "Bread", tags=["food"], star=True), add(client, "Chalk")
    add(client, "Stew from one pot", tags=["food"])
    for idea in (chalk, soup, bread):
        client.delete(f"{IDEAS}/{idea['id']}")

    assert titles(client, deleted=True, q="pot") == ["Soup"]
    assert titles(client, deleted=True, tag="food") == ["Bread", "Soup"]
    assert titles(client, deleted=True, star=True) == ["Bread"]
    assert titles(client, deleted=True, sort="updated") == ["Bread", "Soup", "Chalk"]
    first = client.get(IDEAS, params={"deleted": True, "sort": "title", "limit": 2})
    second = client.get(first.links["next"]["url"])
    assert [idea["title"] for idea in first.json() + second.json()] == ["Bread", "Chalk", "Soup"]
    assert titles(client, q="pot") == ["Stew from one pot"]


def test_the_trash_of_a_board_has_only_its_own_ideas(client: TestClient) -> None:
    other = post(client, BOARDS, name="Garden")["id"]
    here, there = add(client, "Soup"), add(client, "Seeds", board_id=other)
    delete(client, here["id"], there["id"])

    assert titles(client, deleted=True, board=other) == ["Seeds"]


def test_search_of_the_trash_follows_an_undone_tag(
    client: TestClient,
) -> None:
    idea = add(client, "Soup", tags=["food"])
    change = post(client, f"{IDEAS}/bulk", operation="add_tags", ids=[idea["id"]], tags=["cheap"])
    delete(client, idea["id"])
    post(client, f"/api/v1/changes/{change['id']}/undo")

    assert titles(client, deleted=True, q="cheap") == []
    assert titles(client, deleted=True, q="food") == ["Soup"]


@pytest.mark.sqlite_only
def test_search_finds_ideas_deleted_before_the_trash_was_searchable(
    settings: Settings,
) -> None:
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with create_engine(settings.sqlalchemy_url).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0006")
    moment = "2026-01-01 00:00:00"
    with sqlite3.connect(settings.data_dir / "ideapool.db") as old:
        old.execute(f"INSERT INTO board VALUES ('b', 'Old', '', '{moment}', '{moment}', NULL, '')")
        old.execute(
            "INSERT INTO idea VALUES (1, 'i', 'b', 'Shelf', 'shelf', 'Drills.', 'draft', 0, NULL, "
            f"'human', 1, 2, NULL, '{moment}', '{moment}', '{moment}', NULL)"
        )
        old.execute("INSERT INTO idea_tag VALUES (1, 'home')")

    kept = settings.model_copy(update={"trash_days": 0})
    with TestClient(create_app(kept, FakeBackend()), base_url="http://localhost") as client:
        found = client.get(IDEAS, params={"deleted": True, "q": "drills home"}).json()

    assert [idea["id"] for idea in found] == ["i"]


def test_several_ideas_are_restored_at_once_and_deleted_again_by_undo(client: TestClient) -> None:
    soup, chalk, bread = (add(client, title)["id"] for title in ("Soup", "Chalk", "Bread"))
    delete(client, soup, chalk)

    restored = post(client, f"{IDEAS}/bulk", operation="restore", ids=[soup, chalk, bread])

    assert restored["changed"] == [soup, chalk]
    assert titles(client) == ["Bread", "Chalk", "Soup"]
    undone = post(client, f"/api/v1/changes/{restored['id']}/undo")
    assert undone["put_back"] == [soup, chalk]
    assert titles(client) == ["Bread"]


def test_restoring_an_unknown_idea_is_refused_and_restores_none(client: TestClient) -> None:
    soup = add(client, "Soup")["id"]
    delete(client, soup)

    task = {"operation": "restore", "ids": [soup, "nobody"]}
    response = client.post(f"{IDEAS}/bulk", json=task)

    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (404, "/ids/1")
    assert titles(client) == []


def test_an_undo_lists_the_ideas_that_it_restored(client: TestClient) -> None:
    soup, chalk = (add(client, title)["id"] for title in ("Soup", "Chalk"))
    change = delete(client, soup, chalk)
    post(client, f"{IDEAS}/{soup}/restore")

    first = post(client, f"/api/v1/changes/{change['id']}/undo")
    second = post(client, f"/api/v1/changes/{change['id']}/undo")

    assert (first["changed"], first["put_back"]) == ([soup, chalk], [chalk])
    assert second["put_back"] == []


def test_a_board_reports_the_size_of_its_trash(client: TestClient, settings: Settings) -> None:
    board = client.get(BOARDS).json()[0]["id"]
    delete(client, add(client, "Soup")["id"], add(client, "Chalk")["id"])

    trash = client.get(f"{BOARDS}/{board}/trash").json()

    assert trash == {"board_id": board, "ideas": 2, "days": settings.trash_days}
    assert client.get(f"{BOARDS}/nobody/trash").status_code == 404


def test_all_of_a_trash_is_restored_and_one_undo_deletes_it_again(client: TestClient) -> None:
    board = post(client, BOARDS, name="Garden")["id"]
    there = [add(client, title, board_id=board)["id"] for title in ("Soup", "Chalk")]
    delete(client, *there, add(client, "Elsewhere")["id"])

    change = post(client, f"{BOARDS}/{board}/trash/restore")

    assert sorted(change["changed"]) == sorted(there)
    assert titles(client) == ["Chalk", "Soup"]
    assert titles(client, deleted=True) == ["Elsewhere"]
    post(client, f"/api/v1/changes/{change['id']}/undo")
    assert titles(client) == []
