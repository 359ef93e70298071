"""Two servers on one PostgreSQL: what one does is seen at the other, and nothing is done twice."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx2
import psycopg
import pytest
from fastapi import FastAPI

from service.app import create_app
from service.health import CHECKS, examine
from service.settings import Settings
from service.store.database import Database
from tests.support.app_server import served
from tests.support.fake_backend import FakeBackend
from tests.support.postgresql import PostgresServer

PATIENCE_S = 60.0
TASK = {"topic": "a street party", "n": 2}
ASYNC = {"prefer": "respond-async"}
Json = dict[str, Any]


@dataclass
class Replica:
    app: FastAPI
    backend: FakeBackend
    http: httpx2.Client

    @property
    def store(self) -> Any:
        return self.app.state.store

    def start_run(self) -> str:
        run: Json = self.http.post("/api/v1/brainstorm", json=TASK, headers=ASYNC).json()
        return str(run["run_id"])

    def run(self, run_id: str) -> Json:
        found: Json = self.http.get(f"/api/v1/runs/{run_id}").json()
        return found

    def events(self, run_id: str, after: int = 0) -> list[tuple[int, str, Json]]:
        """All events until the stream ends."""
        headers = {"last-event-id": str(after)}
        with self.http.stream("GET", f"/api/v1/runs/{run_id}/events", headers=headers) as answer:
            return list(events_of(answer.iter_lines()))


def events_of(lines: Iterator[str]) -> Iterator[tuple[int, str, Json]]:
    fields: dict[str, str] = {}
    for line in lines:
        if not line and "event" in fields:
            yield int(fields["id"]), fields["event"], json.loads(fields["data"])
            fields = {}
        name, _, value = line.partition(": ")
        fields[name] = value


def eventually(holds: Callable[[], Any]) -> Any:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        if found := holds():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not come true")


@pytest.fixture
def database_url(postgresql: PostgresServer) -> Iterator[str]:
    with postgresql.emptied("shared") as url:
        yield url


@pytest.fixture
def pair(settings: Settings) -> Iterator[list[Replica]]:
    with ExitStack() as stack:
        made = []
        for name in ("one", "other"):
            own = settings.model_copy(
                update={"data_dir": settings.data_dir / name, "replica": name}
            )
            backend = FakeBackend()
            app = create_app(own, backend)
            url = stack.enter_context(served(app))
            http = stack.enter_context(httpx2.Client(base_url=url, timeout=PATIENCE_S))
            made.append(Replica(app, backend, http))
        yield made
        for each in made:
            each.backend.gate.set()


def test_a_run_is_watched_at_another_server_with_every_event(pair: list[Replica]) -> None:
    one, other = pair
    one.backend.gate.clear()
    run_id = one.start_run()
    with ThreadPoolExecutor() as pool:
        here, there = (pool.submit(each.events, run_id) for each in pair)
        eventually(lambda: other.app.state.runs.live(run_id))
        one.backend.gate.set()
        seen_here, seen_there = here.result(PATIENCE_S), there.result(PATIENCE_S)

    assert seen_there == seen_here
    assert [name for _, name, _ in seen_there][-2:] == ["result", "done"]
    assert "delta" in {name for _, name, _ in seen_there}


def test_a_watcher_continues_at_another_server_after_its_last_event(pair: list[Replica]) -> None:
    one, other = pair
    run_id = one.start_run()
    whole = one.events(run_id)

    assert other.events(run_id, after=whole[3][0]) == whole[4:]


def test_a_page_shows_the_draft_that_another_server_writes(pair: list[Replica]) -> None:
    one, other = pair
    one.backend.delay_s = 0.02
    run_id = one.start_run()
    eventually(lambda: one.app.state.runs.live(run_id).drafts)

    page = eventually(
        lambda: [
            html
            for html in [other.http.get(f"/runs/{run_id}", headers={"accept": "text/html"}).text]
            if "Bring-a-chair" in html
        ]
    )

    assert page


def test_a_run_is_stopped_at_another_server(pair: list[Replica]) -> None:
    one, other = pair
    one.backend.gate.clear()
    run_id = one.start_run()

    stopped = other.http.post(f"/api/v1/runs/{run_id}/cancel").json()

    assert stopped["status"] == one.run(run_id)["status"] == "cancelled"
    assert one.app.state.runs.active == 0


def test_a_waiting_call_with_a_key_joins_the_run_of_another_server(pair: list[Replica]) -> None:
    one, other = pair
    headers = {"idempotency-key": str(uuid4())}
    one.backend.gate.clear()
    run_id = one.http.post("/api/v1/brainstorm", json=TASK, headers=headers | ASYNC).json()[
        "run_id"
    ]
    with ThreadPoolExecutor() as pool:
        joined = pool.submit(other.http.post, "/api/v1/brainstorm", json=TASK, headers=headers)
        eventually(lambda: other.app.state.runs.live(run_id))
        one.backend.gate.set()
        answer = joined.result(PATIENCE_S)

    assert (answer.status_code, answer.json()["run_id"]) == (200, run_id)
    assert answer.headers["idempotency-replayed"] == "true"
    assert not other.backend.history


def test_a_key_at_two_servers_at_once_makes_one_idea(pair: list[Replica]) -> None:
    board = pair[0].store.boards.default().id
    barrier = threading.Barrier(len(pair))

    def create(one: Replica, key: str) -> httpx2.Response:
        barrier.wait()
        return one.http.post(
            "/api/v1/ideas", json={"title": f"Idea {key}"}, headers={"idempotency-key": key}
        )

    keys = [str(uuid4()) for _ in range(20)]
    with ThreadPoolExecutor(len(pair)) as pool:
        for key in keys:
            answers = list(pool.map(create, pair, [key] * len(pair)))
            assert {answer.status_code for answer in answers} <= {201, 409}
            ids = {answer.json()["id"] for answer in answers if answer.status_code == 201}
            assert len(ids) == 1

    ideas = pair[1].http.get(f"/api/v1/ideas?board={board}&limit=100").json()
    assert sorted(one["title"] for one in ideas) == sorted(f"Idea {key}" for key in keys)


def test_a_change_at_one_server_wakes_who_waits_at_the_other(pair: list[Replica]) -> None:
    one, other = pair
    heard = Heard(other, one.store.boards.default().id)

    one.http.post("/api/v1/ideas", json={"title": "Lend tools"})

    assert heard.wait()


def test_signals_are_heard_again_after_their_connection_was_ended(
    pair: list[Replica], database_url: str
) -> None:
    one, other = pair
    board = one.store.boards.default().id
    heard = Heard(other, board)
    with psycopg.connect(database_url, autocommit=True) as connection:
        ended = connection.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE datname = current_database() AND query LIKE 'LISTEN%'"
        ).fetchone()
    assert ended == (2,)
    # All who wait are woken when there is a connection again.
    assert heard.wait()

    one.http.post("/api/v1/ideas", json={"title": "Lend tools"})

    assert heard.wait()


class Heard:
    """Counts the signals of a topic at a server, in place of a `Waiter`."""

    def __init__(self, replica: Replica, topic: str) -> None:
        self.topics = (topic,)
        self._rung = threading.Semaphore(0)
        replica.store.signals.add(self)

    def wake(self) -> None:
        self._rung.release()

    def wait(self) -> bool:
        return self._rung.acquire(timeout=PATIENCE_S)


def test_a_run_of_a_server_without_a_lease_is_interrupted_and_not_before(
    pair: list[Replica], database_url: str
) -> None:
    one, other = pair
    one.backend.gate.clear()
    run_id = one.start_run()
    for _ in range(3):
        assert other.store.replicas.end_abandoned() == 0

    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE run SET replica_id = 'gone' WHERE id = %s", [run_id])

    assert eventually(lambda: other.run(run_id)["status"] == "interrupted")
    # Its server stops the work and leaves what is stored as it is.
    assert eventually(lambda: one.app.state.runs.active == 0)
    assert one.run(run_id)["status"] == "interrupted"
    assert other.run(run_id)["error"]["type"] == "interrupted"


def test_a_file_is_imported_at_another_server_than_it_was_sent_to(pair: list[Replica]) -> None:
    one, other = pair
    form = {"text": "- Lend tools\n- Swap books", "format": "markdown"}
    sent = one.http.post("/import", files={name: (None, value) for name, value in form.items()})
    place = sent.headers["location"]

    preview = other.http.get(place)
    done = other.http.post(place.partition("?")[0], data={"format": "markdown"})

    assert (preview.status_code, done.status_code) == (200, 303)
    assert {one["title"] for one in one.http.get("/api/v1/ideas").json()} == {
        "Lend tools",
        "Swap books",
    }
    assert one.http.get(place).status_code == 404


def test_one_server_at_a_time_holds_a_lock(pair: list[Replica]) -> None:
    one, other = (each.store.locks for each in pair)

    assert one.take("work")
    assert not one.take("work")
    assert not other.take("work")
    one.release("work")
    assert other.take("work")
    other.release("work")


def test_a_lock_is_taken_again_when_its_connection_was_ended(
    pair: list[Replica], database_url: str
) -> None:
    one, other = (each.store.locks for each in pair)
    assert one.take("work")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
        )

    assert one.take("more work")
    assert not other.take("work")


def test_who_is_at_a_board_is_known_at_each_server(pair: list[Replica]) -> None:
    one, other = (each.store.presence for each in pair)

    assert one.renew("board", frozenset({"ada"})) == {"ada"}
    assert other.renew("board", frozenset({"ben"})) == {"ada", "ben"}
    assert one.renew("board", frozenset()) == {"ben"}
    assert other.renew("another", frozenset()) == set()


def test_each_server_names_those_that_are_seen(pair: list[Replica]) -> None:
    found = pair[0].http.get("/readyz").json()["replicas"]

    assert [one["version"] for one in found] == [found[0]["version"]] * 2
    assert all(0 <= one["seen_s"] < PATIENCE_S for one in found)


@pytest.mark.usefixtures("pair")
def test_the_doctor_names_each_server_and_those_that_are_gone_or_older(
    settings: Settings, database_url: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO replica SELECT 'gone', 'third', version, schema_revision, started_at, "
            "seen_at - interval '1 minute', lease_until - interval '1 minute' "
            "FROM replica WHERE name = 'one'"
        )
        connection.execute(
            "INSERT INTO replica SELECT 'old', 'fourth', '0.0.1', '0012', started_at, seen_at, "
            "lease_until FROM replica WHERE name = 'one'"
        )

    found = list(examine(settings, {"servers": CHECKS["servers"]}))

    assert {one.text.partition(",")[0]: one.state for one in found} == {
        "one": "ok",
        "other": "ok",
        "third": "better",
        "fourth": "better",
    }
    assert "upgrade" in next(one.advice for one in found if "0.0.1" in one.text)


def test_servers_that_start_at_once_migrate_once(postgresql: PostgresServer) -> None:
    with postgresql.database() as url:
        databases = [Database(url) for _ in range(3)]
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda one: one.migrate(), databases))
        revisions = {database.dialect.facts().revision for database in databases}  # type: ignore[union-attr]
        for database in databases:
            database.close()

    assert len(revisions) == 1
