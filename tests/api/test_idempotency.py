"""A POST with an `Idempotency-Key` is carried out once, however often it is sent."""

import asyncio
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select, update

from service.app import create_app
from service.errors import EngineCrashed
from service.schemas.identity import now
from service.settings import PROJECT_ROOT, Settings
from service.store import Limits, Store, keyed_answers
from service.store.database import Database
from service.store.housekeeping import Housekeeping
from service.store.keyed_answers import LIFE
from service.store.tables import Board, KeyedAnswer
from tests.support.fake_backend import Broken, FakeBackend
from tests.support.people import store_of

pytestmark = pytest.mark.both_databases

API = "/api/v1"
KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324"
TASK = {"topic": "a street party", "n": 2}


def send(client: Any, path: str, body: Any = None, key: str = KEY, **headers: str) -> Any:
    return client.post(f"{API}{path}", json=body, headers={"Idempotency-Key": key} | headers)


def kind_of(response: Any) -> str:
    return str(response.json()["type"]).rpartition("/")[2]


def names(client: Any) -> list[str]:
    return [board["name"] for board in client.get(f"{API}/boards").json()]


def age(store: Store, by: timedelta) -> None:
    """Makes all stored answers older."""
    with store.keyed_answers._database.write() as session:
        session.exec(update(KeyedAnswer).values(created_at=now() - by))


def stored(store: Store) -> list[KeyedAnswer]:
    with store.keyed_answers._database.read() as session:
        return list(session.exec(select(KeyedAnswer)))


@pytest.fixture
def board(client: TestClient) -> str:
    return str(client.get(f"{API}/boards").json()[0]["id"])


@pytest.fixture
def ideas(client: TestClient) -> list[str]:
    return [
        client.post(f"{API}/ideas", json={"title": title}).json()["id"]
        for title in ("Soup", "Chalk")
    ]


@pytest.fixture
def run(client: TestClient) -> Any:
    return client.post(f"{API}/brainstorm", json=TASK | {"n": 3}).json()


def creations(board: str, ideas: list[str], run: Any) -> dict[str, tuple[str, Any]]:
    """Calls that would make something again, or fail, when they are carried out twice."""
    rubric = {"name": "For the street", "criteria": [{"name": "cost", "description": "cheap"}]}
    vote = {"first_id": ideas[0], "second_id": ideas[1], "outcome": "first"}
    tagging = {"operation": "add_tags", "ids": ideas, "tags": ["food"]}
    clusters = {"clusters": [{"title": "lending", "idea_ids": ideas}]}
    return {
        "board": ("/boards", {"name": "Winter"}),
        "idea": ("/ideas", {"title": "Tool shelf", "tags": ["neighbours"]}),
        "rubric": (f"/boards/{board}/rubrics", rubric),
        "vote": (f"/boards/{board}/comparisons", vote),
        "bulk": ("/ideas/bulk", tagging),
        "clusters": (f"/boards/{board}/clusters", clusters),
        "keep": (f"/suggestions/{run['suggestions'][0]['id']}/keep", {"title": "Mine"}),
        "keep many": (f"/runs/{run['run_id']}/keep", None),
        "version": (f"/ideas/{ideas[0]}/versions/1/restore", None),
        "trash": (f"/boards/{board}/trash/restore", None),
    }


def test_a_repeated_request_gets_the_same_answer_and_changes_nothing(
    client: TestClient, board: str, ideas: list[str], run: Any
) -> None:
    for key, (path, body) in creations(board, ideas, run).items():
        first = send(client, path, body, key.replace(" ", "-"))
        assert first.status_code in (200, 201), first.text
        before = client.get(f"{API}/export").json()

        again = send(client, path, body, key.replace(" ", "-"))

        assert again.status_code == first.status_code, key
        assert again.content == first.content, key
        for header in ("location", "etag", "content-type"):
            assert again.headers.get(header) == first.headers.get(header), key
        marks = [response.headers.get("Idempotency-Replayed") for response in (first, again)]
        assert marks == [None, "true"], key
        after = client.get(f"{API}/export").json()
        assert after | {"exported_at": 0} == before | {"exported_at": 0}, key


def test_an_answer_is_the_same_with_and_without_a_key(client: TestClient) -> None:
    shape = {"title": "Tool shelf", "body": "Drills, 3½ of them.", "tags": ["neighbours"]}

    plain, keyed = client.post(f"{API}/ideas", json=shape), send(client, "/ideas", shape)

    assert plain.json().keys() == keyed.json().keys()
    assert (plain.status_code, plain.headers.keys()) == (keyed.status_code, keyed.headers.keys())


def test_an_import_is_repeated_without_effect(client: TestClient) -> None:
    def send_file(content: bytes, query: str = "") -> Any:
        headers = {"Idempotency-Key": KEY, "Content-Type": "text/plain"}
        return client.post(f"{API}/import{query}", content=content, headers=headers)

    first, again = send_file(b"Soup\nChalk\n"), send_file(b"Soup\nChalk\n")

    assert first.json()["added"]["ideas"] == 2
    assert again.json() == first.json()
    assert send_file(b"Soup\nChalk\n", "?groups=tags").status_code == 422
    assert send_file(b"Soup\n").status_code == 422


def test_every_call_that_makes_or_changes_something_takes_a_key(client: TestClient) -> None:
    document = client.get(f"{API}/openapi.json").json()

    taking: set[tuple[str, ...]] = set()
    refusing: set[tuple[str, ...]] = set()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            header = [
                one for one in operation.get("parameters", []) if one["name"] == "Idempotency-Key"
            ]
            (taking if header else refusing).add((method, path, operation["operationId"]))
            assert all(not one.get("required") for one in header)

    posts = {one for one in taking | refusing if one[0] == "post" and one[1].startswith(API)}
    # To stop a run twice is the same as once. Of the work with models, one goes on at a time.
    # The answer to a link's making must not be kept, because only the hash of its token is stored.
    unkept = {"createSharedLink", "createInvitation", "createMyKey"}
    others = {"cancelRun", "measureModels", "calibrateModel"}
    assert {one[2] for one in posts - taking} == others | unkept
    assert taking <= posts


@pytest.mark.parametrize("key", ["two words", "x" * 256, '""', "back\\slash"])
def test_a_malformed_key_is_refused(client: TestClient, key: str) -> None:
    refused = send(client, "/boards", {"name": "Winter"}, key)

    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "#header/Idempotency-Key"
    assert "1 to 255" in refused.json()["detail"]
    assert names(client) == ["My ideas"]


@pytest.mark.parametrize(
    ("path", "body"), [("/boards", {"name": "Summer"}), ("/ideas", {"title": "Winter"})]
)
def test_a_key_with_another_request_is_refused(client: TestClient, path: str, body: Any) -> None:
    send(client, "/boards", {"name": "Winter"})

    refused = send(client, path, body)

    assert (refused.status_code, kind_of(refused)) == (422, "idempotency-key-reused")
    assert client.get(refused.json()["type"]).status_code == 200
    assert names(client) == ["My ideas", "Winter"]
    assert client.get(f"{API}/ideas").json() == []


def test_the_first_request_is_answered_before_it_can_be_repeated(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    boards = store_of(client).boards
    has_begun, may_end, create = threading.Event(), threading.Event(), boards.create

    def slow(shape: Any) -> Any:
        has_begun.set()
        assert may_end.wait(60)
        return create(shape)

    monkeypatch.setattr(boards, "create", slow)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(send, client, "/boards", {"name": "Winter"})
        assert has_begun.wait(60)
        early = send(client, "/boards", {"name": "Winter"})
        may_end.set()

    assert (early.status_code, kind_of(early)) == (409, "request-in-progress")
    assert int(early.headers["Retry-After"]) >= 1
    assert first.result().status_code == 201
    late = send(client, "/boards", {"name": "Winter"})
    assert late.content == first.result().content


def test_requests_at_the_same_time_make_one_thing(url: str) -> None:
    barrier = threading.Barrier(6)

    def repeat(_: int) -> int:
        with httpx2.Client(base_url=url, timeout=60) as http:
            barrier.wait()
            while (answer := send(http, "/boards", {"name": "Winter"})).status_code == 409:
                assert kind_of(answer) == "request-in-progress"
            return int(answer.status_code)

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(repeat, range(6))) == [201] * 6
    with httpx2.Client(base_url=url) as http:
        assert names(http) == ["My ideas", "Winter"]


def test_an_answer_outlasts_a_restart(migrated: Settings) -> None:
    answers = []
    for _ in range(2):
        app = create_app(migrated, FakeBackend())
        with TestClient(app, base_url="http://localhost") as client:
            answers.append(send(client, "/boards", {"name": "Winter"}).content)
            assert names(client) == ["My ideas", "Winter"]

    assert answers[0] == answers[1]


KILLED = """
import os, sys
from pathlib import Path
from fastapi.testclient import TestClient
from service.app import create_app
from service.settings import Settings
from service.store.keyed_answers import KeyedAnswerStore
from tests.support.fake_backend import FakeBackend

keep, moment = KeyedAnswerStore.keep, sys.argv[2]
def die(*given):
    if moment == "after":
        keep(*given)
    os._exit(9)
KeyedAnswerStore.keep = die
settings = Settings(data_dir=Path(sys.argv[1]), idea_bank=False, board_ideas=False)
with TestClient(create_app(settings, FakeBackend()), base_url="http://localhost") as client:
    client.post("/api/v1/boards", json={"name": "Winter"}, headers={"Idempotency-Key": sys.argv[3]})
"""


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_server_killed_at_work_has_stored_neither_the_thing_nor_the_answer(
    migrated: Settings, moment: str
) -> None:
    given = [str(migrated.data_dir), moment, KEY]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, *given], cwd=PROJECT_ROOT, timeout=120, check=False
    )
    assert killed.returncode == 9

    with TestClient(create_app(migrated, FakeBackend()), base_url="http://localhost") as client:
        assert names(client) == ["My ideas"]
        assert send(client, "/boards", {"name": "Winter"}).status_code == 201
        send(client, "/boards", {"name": "Winter"})
        assert names(client) == ["My ideas", "Winter"]


def test_if_the_answer_cannot_be_stored_nothing_is(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(store_of(client).keyed_answers, "keep", None)
        assert send(client, "/boards", {"name": "Winter"}).status_code == 500

    assert names(client) == ["My ideas"]
    assert send(client, "/boards", {"name": "Winter"}).status_code == 201


def test_a_key_of_somebody_else_is_another_key(migrated: Settings) -> None:
    app = create_app(migrated.model_copy(update={"require_key": True}), FakeBackend())
    with TestClient(app, base_url="http://localhost") as client:
        keys = [store_of(client).keys.create(name) for name in ("one", "other")]
        bearers = [{"Authorization": f"Bearer {key}"} for key in keys]

        first, other = (send(client, "/boards", {"name": "Winter"}, **one) for one in bearers)

        assert first.json()["id"] != other.json()["id"]
        assert send(client, "/boards", {"name": "Winter"}, **bearers[1]).json() == other.json()
        assert send(client, "/boards", {"name": "Winter"}).status_code == 401
        # Neither keys nor tokens are in the table.
        table = repr([row.model_dump() for row in stored(store_of(client))])
        assert all(secret not in table for secret in (KEY, *keys))


def test_a_refused_request_may_be_corrected_under_its_key(client: TestClient) -> None:
    body = {"title": "Tool shelf", "board_id": "winter"}
    assert send(client, "/ideas", body).status_code == 404
    assert send(client, "/ideas", {"title": ""}).status_code == 422

    assert send(client, "/ideas", {"title": "Tool shelf"}).status_code == 201


def test_a_key_is_free_again_after_a_day(client: TestClient) -> None:
    first = send(client, "/boards", {"name": "Winter"})
    age(store_of(client), LIFE - timedelta(minutes=1))
    assert send(client, "/boards", {"name": "Winter"}).content == first.content

    age(store_of(client), LIFE + timedelta(minutes=1))

    assert send(client, "/boards", {"name": "Summer"}).status_code == 201
    assert send(client, "/boards", {"name": "Summer"}).headers["Idempotency-Replayed"] == "true"
    assert len(stored(store_of(client))) == 1


def test_old_answers_are_deleted_even_if_the_trash_is_kept(migrated: Settings) -> None:
    with closing(Database(migrated.sqlalchemy_url)) as database:
        store = Store(database, Limits(200, 8192, 20))
        with database.write() as session:
            for key, days in (("old", 2), ("new", 0)):
                made = now() - timedelta(days=days)
                session.add(KeyedAnswer(id=key, fingerprint="", created_at=made))

        asyncio.run(Housekeeping(store, trash_days=0).work())

        assert [row.id for row in stored(store)] == ["new"]


def test_a_text_that_is_deleted_for_good_is_in_no_stored_answer(client: TestClient) -> None:
    made = send(client, "/ideas", {"title": "A secret recipe"})
    address = made.headers["Location"]
    client.delete(address)
    client.delete(f"{address}?for_good=true")

    again = send(client, "/ideas", {"title": "A secret recipe"})

    assert (again.status_code, kind_of(again)) == (409, "conflict")
    assert "new Idempotency-Key" in again.json()["detail"]
    assert [row.body for row in stored(store_of(client))] == [None]
    assert client.get(f"{API}/ideas").json() == []


def test_a_long_answer_is_not_kept_but_its_request_is(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyed_answers, "BODY_LIMIT", 100)
    assert send(client, "/boards", {"name": "Winter"}).status_code == 201

    assert send(client, "/boards", {"name": "Winter"}).status_code == 409

    assert names(client) == ["My ideas", "Winter"]


def test_joined_writes_are_one_transaction(migrated: Settings) -> None:
    with closing(Database(migrated.sqlalchemy_url)) as database:

        def boards() -> list[str]:
            with database.read() as session:
                return list(session.exec(select(Board.name).order_by(col(Board.created_at))))

        def write(*names: Any) -> None:
            with database.write() as session:
                for name in names:
                    session.add(Board(name=name))
                    session.flush()

        def write_two(second: str | None) -> None:
            with database.joined():
                write("one")
                assert boards() == ["one"]
                write(second)

        with pytest.raises(IntegrityError):
            write_two(None)
        assert boards() == []

        with database.joined():
            write("one")
            with pytest.raises(IntegrityError):
                write("half", None)
            write("two")
        assert boards() == ["one", "two"]
        write("three")
        assert boards() == ["one", "two", "three"]


def run_count(client: Any) -> int:
    return len(client.get(f"{API}/runs").json())


def names_of_events(response: Any) -> list[str]:
    return [line[7:] for line in response.text.splitlines() if line.startswith("event: ")]


def test_a_repeated_request_for_a_run_gets_that_run(client: TestClient) -> None:
    first = send(client, "/brainstorm", TASK)

    again = send(client, "/brainstorm", TASK)
    later = send(client, "/brainstorm", TASK, Prefer="respond-async")
    stream = send(client, "/brainstorm", TASK, Accept="text/event-stream")

    assert again.json() == first.json()
    assert (later.status_code, later.json()["status"]) == (202, "done")
    assert later.headers["Location"] == f"{API}/runs/{first.json()['run_id']}"
    assert first.json()["run_id"] in stream.text
    assert names_of_events(stream)[-2:] == ["result", "done"]
    assert "Idempotency-Replayed" not in first.headers
    assert {one.headers["Idempotency-Replayed"] for one in (again, later, stream)} == {"true"}
    assert run_count(client) == 1
    assert send(client, "/brainstorm", TASK | {"n": 3}).status_code == 422


def test_a_repeated_request_joins_a_run_under_way(client: TestClient, backend: FakeBackend) -> None:
    backend.gate.clear()
    first = send(client, "/brainstorm", TASK, Prefer="respond-async")
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(send, client, "/brainstorm", TASK)
        streaming = pool.submit(send, client, "/brainstorm", TASK, Accept="text/event-stream")
        again = send(client, "/brainstorm", TASK, Prefer="respond-async")
        backend.gate.set()

    assert again.json()["run_id"] == waiting.result().json()["run_id"] == first.json()["run_id"]
    assert names_of_events(streaming.result())[0] == "queued"
    assert names_of_events(streaming.result())[-1] == "done"
    assert run_count(client) == 1


def test_a_run_with_a_key_goes_on_when_its_client_leaves(url: str, backend: FakeBackend) -> None:
    backend.gate.clear()
    with pytest.raises(httpx2.TimeoutException), httpx2.Client(base_url=url, timeout=3) as http:
        send(http, "/brainstorm", TASK)
    backend.gate.set()

    with httpx2.Client(base_url=url, timeout=60) as http:
        again = send(http, "/brainstorm", TASK)
        assert again.status_code == 200
        assert len(again.json()["suggestions"]) == 2
        assert run_count(http) == 1


def test_a_failed_run_is_started_again(client: TestClient, backend: FakeBackend) -> None:
    backend.replies.append(Broken("- **So", EngineCrashed("The model stopped.")))
    failed = send(client, "/refine", {"title": "Soup", "body": "From one pot."})
    assert failed.status_code == 502

    again = send(client, "/refine", {"title": "Soup", "body": "From one pot."})
    third = send(client, "/refine", {"title": "Soup", "body": "From one pot."})

    assert again.status_code == 200
    assert "Idempotency-Replayed" not in again.headers
    assert third.json() == again.json()
    assert run_count(client) == 2


def test_a_run_that_was_stopped_is_not_started_again(
    client: TestClient, backend: FakeBackend
) -> None:
    backend.gate.clear()
    run_id = send(client, "/brainstorm", TASK, Prefer="respond-async").json()["run_id"]
    client.post(f"{API}/runs/{run_id}/cancel")
    backend.gate.set()

    again = send(client, "/brainstorm", TASK)

    assert again.status_code == 409
    assert run_id in again.json()["detail"]
    assert run_count(client) == 1


def test_a_busy_server_keeps_no_refusal(migrated: Settings, backend: FakeBackend) -> None:
    app = create_app(migrated.model_copy(update={"queue_limit": 1}), backend)
    with TestClient(app, base_url="http://localhost") as client:
        backend.gate.clear()
        other = send(client, "/brainstorm", TASK, "other", Prefer="respond-async").json()
        busy = send(client, "/brainstorm", TASK)
        assert busy.status_code == 503
        # A repeated request needs no place in the queue.
        assert send(client, "/brainstorm", TASK, "other", Prefer="respond-async").status_code == 202
        backend.gate.set()
        client.get(f"{API}/runs/{other['run_id']}/events")

        assert send(client, "/brainstorm", TASK).status_code == 200


def test_a_run_from_before_a_restart_is_found_again(
    migrated: Settings, backend: FakeBackend
) -> None:
    with TestClient(create_app(migrated, backend), base_url="http://localhost") as client:
        done = send(client, "/brainstorm", TASK)
    with TestClient(create_app(migrated, backend), base_url="http://localhost") as client:
        again = send(client, "/brainstorm", TASK)

    assert again.json() == done.json()


def test_a_run_that_a_restart_interrupted_is_started_again(migrated: Settings) -> None:
    backend = FakeBackend()
    backend.gate.clear()
    settings = migrated.model_copy(update={"drain_s": 0})
    with TestClient(create_app(settings, backend), base_url="http://localhost") as client:
        first = send(client, "/brainstorm", TASK, Prefer="respond-async").json()
    with TestClient(create_app(settings, FakeBackend()), base_url="http://localhost") as client:
        again = send(client, "/brainstorm", TASK)

        assert client.get(f"{API}/runs/{first['run_id']}").json()["status"] == "interrupted"
        assert again.status_code == 200
        assert again.json()["run_id"] != first["run_id"]
        assert send(client, "/brainstorm", TASK).json() == again.json()


@pytest.mark.parametrize("action", ["redraw", "repeat"])
def test_what_can_be_done_only_once_is_answered_again(
    client: TestClient, run: Any, action: str
) -> None:
    suggestion = run["suggestions"][0]["id"]
    paths = {
        "redraw": f"/suggestions/{suggestion}/redraw",
        "repeat": f"/runs/{run['run_id']}/repeat",
    }

    first, again = (send(client, paths[action], {}) for _ in range(2))

    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json() == first.json()
    assert run_count(client) == 2
