"""What is deleted for good, by hand or after some days, and what outlives it."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from copy import copy
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import inspect, text
from sqlmodel import col, update

from service.app import create_app
from service.errors import NotFound, StorageUnavailable
from service.schemas.brainstorm import SuggestionPublic
from service.settings import Settings
from service.store import Store
from service.store.comparisons import Verdict
from service.store.database import Database
from service.store.housekeeping import Housekeeping
from service.store.runs import NewRun
from service.store.tables import Board, Idea
from service.store.trash import Purged, TrashStore
from tests.api.test_ideas import IDEAS, add
from tests.api.test_transfer import BOARDS, board, filled, holder, post
from tests.api.test_trash import delete, titles
from tests.support.fake_backend import FakeBackend
from tests.support.people import store_of

pytestmark = pytest.mark.both_databases

__all__ = ["board", "filled", "holder"]


def purge(client: TestClient, idea_id: str) -> None:
    client.delete(f"{IDEAS}/{idea_id}")
    response = client.delete(f"{IDEAS}/{idea_id}", params={"for_good": True})
    assert response.status_code == 204, response.text


def rows(settings: Settings) -> dict[str, int]:
    """How many there are of everything."""
    with closing(Database(settings.sqlalchemy_url)) as database, database.read() as session:
        connection = session.connection()
        tables = ("idea", "idea_tag", "idea_version", "run", "suggestion", "evaluation", "rubric")
        counted = {
            table: connection.scalar(text(f"SELECT count(*) FROM {table}"))
            for table in (*tables, "comparison", "idea_search", "board")
        }
        if database.path is not None:
            assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
        return counted


def holds(settings: Settings, word: str) -> list[str]:
    """The tables in which the word stands somewhere."""
    with closing(Database(settings.sqlalchemy_url)) as database, database.read() as session:
        connection = session.connection()
        return [
            name
            for name in inspect(connection).get_table_names()
            if "search_" not in name
            and word in str(connection.execute(text(f"SELECT * FROM {name}")).all())
        ]


def test_rows_of_an_idea_are_deleted_for_good_with_it(
    client: TestClient, settings: Settings
) -> None:
    before = rows(settings)
    board = client.get(BOARDS).json()[0]["id"]
    idea = add(client, "Quicksilver", body="Quicksilver in a jar.", tags=["quicksilver"])["id"]
    other = add(client, "Chalk")["id"]
    client.patch(f"{IDEAS}/{idea}", json={"body": "Quicksilver in two jars."})
    post(client, "/api/v1/refine", idea_id=idea)
    post(client, "/api/v1/evaluate", idea_id=idea)
    post(client, "/api/v1/brainstorm", idea_id=idea, n=2)
    vote = {"first_id": idea, "second_id": other, "outcome": "first"}
    post(client, f"{BOARDS}/{board}/comparisons", **vote)
    post(client, f"{BOARDS}/{board}/evaluate")
    post(client, "/api/v1/rank", board_id=board)
    post(client, "/api/v1/brainstorm", idea_ids=[other, idea], n=1)
    purge(client, idea)

    after = rows(settings)

    # What the model made of both ideas is a text of its own.
    assert holds(settings, "uicksilver") == ["suggestion"]
    assert (after["idea"], after["idea_version"], after["idea_search"]) == (1, 1, 1)
    assert (after["evaluation"], after["comparison"]) == (1, 0)
    kinds = [run["kind"] for run in client.get("/api/v1/runs").json()]
    assert kinds == ["brainstorm", "rank", "evaluate-all"]
    purge(client, other)
    assert rows(settings) | {"run": 0, "suggestion": 0} == before
    assert client.post(f"{IDEAS}/{idea}/restore").status_code == 404


@pytest.mark.parametrize("path", [IDEAS, BOARDS])
def test_only_ideas_in_the_trash_are_deleted_for_good(client: TestClient, path: str) -> None:
    post(client, BOARDS, name="Garden")
    idea = add(client)
    one = idea["board_id"] if path == BOARDS else idea["id"]

    refused = client.delete(f"{path}/{one}", params={"for_good": True})

    assert refused.status_code == 409
    assert "not in the trash" in refused.json()["detail"]
    assert client.get(f"{path}/{one}").status_code == 200
    unknown = client.delete(f"{path}/nobody", params={"for_good": True})
    assert unknown.status_code == 404


def test_an_idea_that_was_restored_and_changed_since_is_not_deleted_for_good(
    client: TestClient,
) -> None:
    idea = add(client)
    path = f"{IDEAS}/{idea['id']}"
    client.delete(path)

    refused = client.delete(path, params={"for_good": True}, headers={"If-Match": '"1"'})

    assert refused.status_code == 412
    assert titles(client, deleted=True) == [idea["title"]]


def test_branches_outlive_a_deleted_idea_and_the_lineage_shows_the_gap(
    client: TestClient,
) -> None:
    parent = add(client, "Soup")
    made = post(client, "/api/v1/brainstorm", idea_id=parent["id"], n=2)
    kept = post(client, f"/api/v1/suggestions/{made['suggestions'][0]['id']}/keep")
    child = add(client, "Bread", parent_id=parent["id"])
    purge(client, parent["id"])

    for idea_id in (kept["id"], child["id"]):
        left = client.get(f"{IDEAS}/{idea_id}").json()
        assert (left["parent_id"], left["lost_parent_id"]) == (None, parent["id"])
    nodes = client.get(f"{BOARDS}/{parent['board_id']}/lineage").json()["nodes"]
    assert [node["is_deleted"] for node in nodes] == [True, False, False]
    assert nodes[0]["title"] is None
    assert [node["parent_id"] for node in nodes] == [None, parent["id"], parent["id"]]
    run = client.get(f"/api/v1/runs/{made['run_id']}").json()
    assert [one["state"] for one in run["suggestions"]] == ["kept", "open"]
    assert (run["idea_id"], run["prompts"]) == (None, None)
    assert client.get(f"{IDEAS}/{kept['id']}/versions").json()[0]["run_id"] == made["run_id"]
    for page in (f"/ideas/{child['id']}", f"/runs/{made['run_id']}"):
        assert client.get(page, headers={"accept": "text/html"}).status_code == 200


def test_a_suggestion_can_be_kept_again_after_its_idea_was_deleted_for_good(
    client: TestClient,
) -> None:
    made = post(client, "/api/v1/brainstorm", topic="a street party", n=1)["suggestions"][0]
    first = post(client, f"/api/v1/suggestions/{made['id']}/keep")
    purge(client, first["id"])

    again = post(client, f"/api/v1/suggestions/{made['id']}/keep")

    assert again["id"] != first["id"]
    assert titles(client) == [first["title"]]


def test_ideas_deleted_for_good_can_be_imported_again(client: TestClient) -> None:
    parent = add(client, "Soup", body="One pot.")
    child = add(client, "Bread", parent_id=parent["id"])
    post(client, "/api/v1/evaluate", idea_id=parent["id"])
    archive = client.get("/api/v1/export").json()
    purge(client, parent["id"])

    answer = post(client, "/api/v1/import", **archive)

    assert (answer["added"]["ideas"], answer["added"]["evaluations"]) == (1, 1)
    assert client.get(f"{IDEAS}/{parent['id']}").json()["body"] == "One pot."
    found = client.get(f"{IDEAS}/{child['id']}").json()
    assert (found["parent_id"], found["lost_parent_id"]) == (parent["id"], None)


def test_emptying_a_trash_of_many_ideas_leaves_the_others(client: TestClient) -> None:
    board = client.get(BOARDS).json()[0]["id"]
    text = "".join(f"Idea number {number}\n" for number in range(250))
    client.post("/api/v1/import", content=text, headers={"content-type": "text/plain"})
    ids = []
    for _ in range(3):
        page = client.get(IDEAS, params={"limit": 100}).json()
        ids += [idea["id"] for idea in page]
        delete(client, *(idea["id"] for idea in page))
    add(client, "Still here")

    emptied = client.delete(f"{BOARDS}/{board}/trash")

    assert (emptied.status_code, emptied.json()) == (200, {"ideas": len(ids), "in_use": 0})
    assert len(ids) == 250
    assert titles(client) == ["Still here"]
    assert client.get(f"{BOARDS}/{board}/trash").json()["ideas"] == 0
    assert client.delete(f"{BOARDS}/nobody/trash").status_code == 404


def aged(settings: Settings, days: float) -> None:
    """Makes everything that was deleted have been deleted so many days ago."""
    moment = datetime.now(UTC) - timedelta(days=days)
    with closing(Database(settings.sqlalchemy_url)) as database, database.write() as session:
        for table in (Idea, Board):
            was_deleted = col(table.deleted_at).is_not(None)
            session.exec(update(table).where(was_deleted).values(deleted_at=moment))


def begun(settings: Settings) -> TestClient:
    return TestClient(create_app(settings, FakeBackend()), base_url="http://localhost")


def until(is_so: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < give_up_at, "it never came to this"
        time.sleep(0.01)


@contextmanager
def running(client: TestClient, store: Store) -> Iterator[None]:
    """A day lasts a moment."""
    assert client.portal is not None
    housekeeping = Housekeeping(store, trash_days=30, every_s=0.01)
    with client.portal.wrap_async_context_manager(housekeeping):
        yield


def test_old_ideas_in_the_trash_are_deleted_for_good_at_the_start(
    settings: Settings,
) -> None:
    with begun(settings) as client:
        board = post(client, BOARDS, name="Garden")["id"]
        add(client, "Seeds", board_id=board)
        client.delete(f"{BOARDS}/{board}")
        delete(client, add(client, "Soup")["id"])
    aged(settings, 31)

    with begun(settings) as client:
        delete(client, add(client, "Chalk")["id"])

        until(lambda: not client.get(BOARDS, params={"deleted": True}).json())

        assert titles(client, deleted=True) == ["Chalk"]
        assert client.post(f"{BOARDS}/{board}/restore").status_code == 404
    assert rows(settings)["idea"] == 1


@pytest.mark.parametrize(("days", "age"), [(30, 29), (0, 10_000)])
def test_recently_deleted_ideas_stay_in_the_trash(settings: Settings, days: int, age: int) -> None:
    kept = settings.model_copy(update={"trash_days": days})
    with begun(kept) as client:
        delete(client, add(client, "Soup")["id"])
    aged(settings, age)

    # Its end waits for the step under way.
    with begun(kept):
        pass

    with begun(kept) as client:
        assert titles(client, deleted=True) == ["Soup"]


def test_the_trash_is_emptied_repeatedly_while_the_service_runs(
    settings: Settings, client: TestClient
) -> None:
    with running(client, store_of(client)):
        for title in ("Soup", "Chalk"):
            delete(client, add(client, title)["id"])
            aged(settings, 31)
            until(lambda: titles(client, deleted=True) == [])

    assert rows(settings)["idea"] == 0


def test_a_trash_that_cannot_be_emptied_is_tried_again(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    class Full:
        tries = 0

        def purge_expired(self, before: datetime) -> Purged:  # noqa: ARG002
            self.tries += 1
            if self.tries == 1:
                raise StorageUnavailable("The disk is full.")
            return Purged(is_last=True)

    full = Full()
    store = copy(store_of(client))
    store.trash = cast(TrashStore, full)

    with running(client, store):
        until(lambda: full.tries > 1)

    assert "The disk is full." in caplog.text


def test_a_deleted_board_is_deleted_for_good_with_everything_on_it(
    holder: TestClient, settings: Settings, board: str
) -> None:
    holder.delete(f"{BOARDS}/{board}")
    listed = holder.get(BOARDS, params={"deleted": True}).json()
    assert [(one["id"], one["deleted_at"] is None) for one in listed] == [(board, False)]

    response = holder.delete(f"{BOARDS}/{board}", params={"for_good": True})

    assert response.status_code == 204
    left = rows(settings)
    assert left.pop("board") == 1
    # An evaluation of a text that is on no board.
    assert left.pop("run") == 1
    assert set(left.values()) == {0}
    assert holder.get(BOARDS, params={"deleted": True}).json() == []


def test_ideas_that_were_moved_away_outlive_their_board(
    holder: TestClient, settings: Settings, board: str
) -> None:
    home = holder.get(BOARDS).json()[0]["id"]
    ideas = holder.get(IDEAS, params={"board": board}).json()
    moved = [idea["id"] for idea in ideas]
    evaluations = {one: holder.get(f"{IDEAS}/{one}/evaluations").json() for one in moved}
    post(holder, f"{IDEAS}/bulk", operation="move", ids=moved, board_id=home)
    holder.delete(f"{BOARDS}/{board}")

    holder.delete(f"{BOARDS}/{board}", params={"for_good": True})

    assert rows(settings)["board"] == 1
    for idea_id in moved:
        assert holder.get(f"{IDEAS}/{idea_id}").json()["board_id"] == home
        after = holder.get(f"{IDEAS}/{idea_id}/evaluations").json()
        assert [one["scores"] for one in after] == [one["scores"] for one in evaluations[idea_id]]
        page = holder.get(f"/ideas/{idea_id}", headers={"accept": "text/html"})
        assert page.status_code == 200
    again = holder.get("/api/v1/export").json()
    assert [idea["id"] for idea in again["ideas"]] == sorted(
        moved, key=[idea["id"] for idea in again["ideas"]].index
    )


def test_an_idea_or_board_on_which_a_model_works_is_not_deleted_for_good(
    client: TestClient, backend: FakeBackend
) -> None:
    board = post(client, BOARDS, name="Garden")["id"]
    soup, chalk = (add(client, title, board_id=board)["id"] for title in ("Soup", "Chalk"))
    backend.gate.clear()
    run = client.post(
        "/api/v1/refine", json={"idea_id": soup}, headers={"prefer": "respond-async"}
    ).json()["run_id"]
    delete(client, soup, chalk)

    assert client.delete(f"{IDEAS}/{soup}", params={"for_good": True}).status_code == 409
    assert client.delete(f"{BOARDS}/{board}/trash").json() == {"ideas": 1, "in_use": 1}
    client.delete(f"{BOARDS}/{board}")
    assert client.delete(f"{BOARDS}/{board}", params={"for_good": True}).status_code == 409
    assert client.portal is not None
    client.portal.call(backend.gate.set)
    post(client, f"/api/v1/runs/{run}/cancel")
    assert client.delete(f"{BOARDS}/{board}", params={"for_good": True}).status_code == 204


def test_results_about_ideas_deleted_for_good_are_dropped(
    client: TestClient,
) -> None:
    store = store_of(client)
    soup, chalk = add(client, "Soup"), add(client, "Chalk")
    run = store.runs.create(NewRun("rank", {}, 1, soup["board_id"])).run_id
    purge(client, soup["id"])
    verdict = Verdict(soup["board_id"], chalk["id"], 1, soup["id"], 1, "first", 0.7)
    suggestion = SuggestionPublic(
        id="new", angle="", title="Stew", text="One pot.", similar_to=soup["id"]
    )

    with pytest.raises(NotFound):
        store.comparisons.add_verdict(run, verdict)
    with pytest.raises(NotFound):
        store.evaluations.add(run, soup["id"], 1, {})
    store.suggestions.add(run, 1, suggestion)

    assert store.suggestions.get("new")[1].similar_to is None
