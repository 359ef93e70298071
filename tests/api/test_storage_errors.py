"""What a database that cannot be used says, to whom, and what comes of runs meanwhile."""

import logging
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event, text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError

from service.app import create_app
from service.errors import StorageUnavailable
from service.runs import late_ends
from service.schemas.ideas import IdeaCreate
from service.settings import Settings
from service.store import Limits, Store
from service.store.database import Database
from service.store.dialects import sqlite
from tests.support.fake_backend import FakeBackend

API, SECRET = "/api/v1", "the plan that nobody may read"
PATIENCE_S = 20


@pytest.mark.both_databases
@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO idea_tag (idea_number, name) VALUES (:number, :secret), (:number, :secret)",
        "INSERT INTO idea_tag (idea_number, name) VALUES (:secret, NULL)",
    ],
)
def test_an_error_of_the_database_does_not_tell_what_was_to_be_stored(
    migrated: Settings, statement: str
) -> None:
    with closing(Database(migrated.sqlalchemy_url)) as database:
        store = Store(database, Limits(200, 8192, 20))
        store.boards.ensure_one()
        store.ideas.create(IdeaCreate(title="Tool shelf"))

        with pytest.raises(DBAPIError) as raised, database.write() as session:
            session.connection().execute(text(statement), {"number": 1, "secret": SECRET})

    assert SECRET not in f"{raised.value} {raised.value!r} {raised.value.orig!r}"


class Disk:
    """Decides what connections can do from then on; SQLite itself makes the errors."""

    def __init__(self) -> None:
        self._state = "query_only"
        self._open: list[sqlite3.Connection] = []

    def add(self, connection: sqlite3.Connection, _record: object, _proxy: object) -> None:
        """After a new connection was set up, for which it must be able to write."""
        connection.execute(f"PRAGMA {self._state}")
        if connection not in self._open:
            self._open.append(connection)

    def set(self, pragma: str) -> None:
        self._state = pragma
        for one in self._open:
            with suppress(sqlite3.ProgrammingError):
                one.execute(f"PRAGMA {pragma}")


@pytest.fixture
def disk() -> Iterator[Disk]:
    disk = Disk()
    event.listen(Engine, "checkout", disk.add)
    yield disk
    event.remove(Engine, "checkout", disk.add)


@pytest.fixture
def broken(
    migrated: Settings, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[TestClient, Disk]]:
    monkeypatch.setattr(sqlite, "WAIT_S", 0.2)
    monkeypatch.setattr("service.store.condition.FRESH_S", 0.0)
    app = create_app(migrated, FakeBackend())
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client, disk


def create(client: TestClient) -> Any:
    return client.post(f"{API}/ideas", json={"title": SECRET, "body": "x" * 8000})


@pytest.mark.parametrize(
    ("pragma", "mended", "reason"),
    [
        ("max_page_count = 1", "max_page_count = 100000000", "the disk is full"),
        ("query_only = ON", "query_only = OFF", "it can only be read"),
    ],
)
def test_each_failure_of_a_disk_is_told_in_words_of_its_own_and_logged_once(
    broken: tuple[TestClient, Disk],
    caplog: pytest.LogCaptureFixture,
    pragma: str,
    mended: str,
    reason: str,
) -> None:
    client, disk = broken
    disk.set(pragma)
    refused = [create(client) for _ in range(3)]
    seen = client.get(f"{API}/boards")
    disk.set(mended)

    assert [one.status_code for one in refused] == [503] * 3
    assert f"({reason}). Nothing was saved." in refused[0].json()["detail"]
    assert seen.status_code == 200
    assert caplog.text.count(f"cannot be used: {reason}") == 1
    assert SECRET not in caplog.text
    assert create(client).status_code == 201
    assert caplog.text.count("can be written again") == 1


def test_a_database_that_another_program_has_locked_says_so(
    migrated: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "WAIT_S", 0.2)
    path = migrated.data_dir / "ideapool.db"
    with closing(Database(migrated.sqlalchemy_url)) as database:
        store = Store(database, Limits(200, 8192, 20))
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for write in (store.boards.ensure_one, store.try_write):
                with pytest.raises(StorageUnavailable, match=r"\(another program has it locked\)"):
                    write()
        store.try_write()


def test_a_damaged_database_says_so_and_what_to_do(migrated: Settings) -> None:
    path = migrated.data_dir / "ideapool.db"
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))

    app = create_app(migrated, FakeBackend())
    with (
        pytest.raises(
            StorageUnavailable, match=r"the file is damaged.*\. Stop the server and restore"
        ),
        TestClient(app),
    ):
        pass


def test_readiness_tries_a_write(broken: tuple[TestClient, Disk]) -> None:
    client, disk = broken
    before = client.get("/readyz")
    disk.set("query_only = ON")
    # A write that began before may still succeed.
    meanwhile = until(lambda: client.get("/readyz").json(), HTTPStatus.SERVICE_UNAVAILABLE)
    disk.set("query_only = OFF")

    assert before.status_code == 200
    assert "it can only be read" in meanwhile["detail"]
    until(lambda: client.get("/readyz").json(), "ready")


def test_the_end_of_a_run_that_could_not_be_stored_is_stored_later(
    migrated: Settings,
    disk: Disk,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(late_ends, "RETRY_S", 0.05)
    caplog.set_level(logging.INFO)
    backend = FakeBackend()
    backend.gate.clear()
    app = create_app(migrated, backend)
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        asked = {"topic": "a street party", "n": 1}
        prefer = {"Prefer": "respond-async"}
        run = client.post(f"{API}/brainstorm", json=asked, headers=prefer).json()["run_id"]
        disk.set("query_only = ON")
        backend.gate.set()
        meanwhile = until(lambda: client.get(f"{API}/runs/{run}").json(), "failed")
        page = client.get(f"/runs/{run}", headers={"Accept": "text/html"}).text
        disk.set("query_only = OFF")
        stored = until(lambda: app.state.store.runs.get(run).model_dump(), "failed")

    assert meanwhile["error"]["type"] == "storage-unavailable"
    assert "it can only be read" in page
    assert stored["error"]["type"] == "storage-unavailable"
    assert caplog.text.count(f"the end of run {run} could not be stored") == 1
    assert caplog.text.count("cannot be used: it can only be read") == 1


def until(look: Callable[[], Any], status: object) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while (found := look())["status"] != status and time.monotonic() < deadline:
        time.sleep(0.05)
    assert found["status"] == status, found
    return found


def test_what_the_server_stores_is_for_its_user_alone(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    own = settings.model_copy(update={"data_dir": folder})
    with TestClient(create_app(own, FakeBackend()), base_url="http://localhost") as client:
        create(client)
        rights = {one.name: one.stat().st_mode & 0o777 for one in folder.glob("ideapool.db*")}

    assert folder.stat().st_mode & 0o777 == 0o700
    assert len(rights) == 4
    assert set(rights.values()) == {0o600}
