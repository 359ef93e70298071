"""Several servers on one database of PostgreSQL, and one that is away for a while."""

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.cli.main import main
from service.errors import ConfigurationError, StorageUnavailable
from service.health import CHECKS, Finding, examine
from service.schemas.ideas import BoardCreate, IdeaCreate
from service.settings import Settings
from service.store import Limits, Store
from service.store.database import Database, newest_revision
from service.store.dialects import dialect_of
from service.store.dialects import postgresql as dialect
from service.store.tables import Board
from tests.api.test_ideas import IDEAS, add
from tests.support.fake_backend import FakeBackend
from tests.support.postgresql import PostgresServer

BOARDS = "/api/v1/boards"
WAIT_S = 60


@pytest.fixture
def url(postgresql: PostgresServer) -> Iterator[str]:
    with postgresql.emptied("shared") as url:
        yield url


@pytest.fixture
def servers(
    settings: Settings, url: str, tmp_path: Path
) -> Iterator[tuple[TestClient, TestClient]]:
    """Two servers on one database."""
    with ExitStack() as stack:
        one, other = (
            stack.enter_context(begun(settings, url, data_dir=tmp_path / name))
            for name in ("one", "other")
        )
        yield one, other


@contextmanager
def begun(settings: Settings, url: str, **more: Any) -> Iterator[TestClient]:
    own = settings.model_copy(update={"database_url": url, **more})
    app = create_app(own, FakeBackend())
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client


def at_once(*calls: Any) -> list[Any]:
    """What the calls return that begin at the same moment, each in a thread."""
    start = threading.Barrier(len(calls))

    def run(call: Any) -> Any:
        start.wait(WAIT_S)
        return call()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


def test_of_two_edits_of_one_version_at_two_servers_one_wins(
    servers: tuple[TestClient, TestClient],
) -> None:
    idea = add(servers[0], "Tool shelf")
    for number in range(1, 9):
        tag = {"If-Match": f'"{number}"'}

        answers = at_once(
            *(
                partial(client.patch, f"{IDEAS}/{idea['id']}", json={"body": text}, headers=tag)
                for client, text in zip(servers, (f"one {number}", f"other {number}"), strict=True)
            )
        )

        assert sorted(one.status_code for one in answers) == [200, 412]
        (won,) = (one.json()["body"] for one in answers if one.status_code == 200)
        assert servers[0].get(f"{IDEAS}/{idea['id']}").json()["body"] == won
    versions = servers[1].get(f"{IDEAS}/{idea['id']}/versions").json()
    assert [one["number"] for one in versions] == list(range(9, 0, -1))


def test_edits_without_a_version_are_all_kept(servers: tuple[TestClient, TestClient]) -> None:
    idea = add(servers[0], "Tool shelf")

    answers = at_once(
        *(
            partial(
                servers[number % 2].patch,
                f"{IDEAS}/{idea['id']}",
                json={"body": f"Text {number}"},
            )
            for number in range(10)
        )
    )

    assert {one.status_code for one in answers} == {200}
    versions = servers[0].get(f"{IDEAS}/{idea['id']}/versions").json()
    assert {one["body"] for one in versions} == {"", *(f"Text {number}" for number in range(10))}


def test_a_request_sent_to_two_servers_with_one_key_is_carried_out_once(
    servers: tuple[TestClient, TestClient],
) -> None:
    for number in range(6):
        body, key = {"name": f"Board {number}"}, {"Idempotency-Key": f"k{number}"}
        send = [partial(client.post, BOARDS, json=body, headers=key) for client in servers]
        answers = at_once(*send)

        assert {one.status_code for one in answers} <= {201, 409}
        again = [one() for one in send]
        assert {one.json()["id"] for one in again} == {
            one.json()["id"] for one in answers if one.status_code == 201
        }
    names = [one["name"] for one in servers[0].get(BOARDS).json()]
    assert sorted(names) == sorted({"My ideas", *(f"Board {number}" for number in range(6))})


def test_servers_that_start_together_make_one_board(settings: Settings, url: str) -> None:
    def start() -> int:
        with begun(settings, url) as client:
            return len(client.get(BOARDS).json())

    assert at_once(start, start, start) == [1, 1, 1]


def test_who_follows_a_board_misses_no_activity(url: str) -> None:
    """Numbers become visible in their order, so that whoever saw one has seen all before it."""
    with closing(Database(url)) as one, closing(Database(url)) as other:
        stores = [Store(database, Limits(200, 8192, 20)) for database in (one, other)]
        board = stores[0].boards.ensure_one().id
        done = threading.Event()
        seen: list[int] = []

        def follow() -> None:
            while True:
                is_last = done.is_set()
                newest = seen[-1] if seen else 0
                seen.extend(row.number or 0 for row in stores[0].activity.after(board, newest))
                if is_last:
                    return

        def write(store: Store) -> None:
            for number in range(25):
                store.ideas.create(IdeaCreate(title=f"Idea {number}", board_id=board))

        follower = threading.Thread(target=follow)
        follower.start()
        at_once(*(partial(write, store) for store in (*stores, *stores)))
        done.set()
        follower.join(WAIT_S)

        stored = [row.number for row in stores[1].activity.after(board, 0, limit=10_000)]
        assert seen == stored
        assert len([row for row in stored if row]) == 101


def test_a_database_that_is_away_is_503_and_back_without_a_restart(settings: Settings) -> None:
    with PostgresServer.running() as server:
        server.make_template("pool")
        with begun(settings, server.url("pool")) as client:
            idea = add(client, "Tool shelf")

            server.stop()
            answers = [
                client.get(f"{IDEAS}/{idea['id']}"),
                client.patch(f"{IDEAS}/{idea['id']}", json={"body": "Lost?"}),
                client.get("/readyz"),
            ]
            page = client.get("/", headers={"Accept": "text/html"})
            server.start()

            for answer in answers:
                assert answer.status_code == 503
                assert answer.headers["Retry-After"] == "5"
                assert answer.json()["type"] == "/problems/storage-unavailable"
                assert str(server.folder) not in answer.text
            assert (page.status_code, page.headers["Retry-After"]) == (503, "5")
            assert "cannot be used right now" in page.text
            assert client.patch(f"{IDEAS}/{idea['id']}", json={"body": "Kept."}).status_code == 200
            assert client.get(f"{IDEAS}/{idea['id']}").json()["body"] == "Kept."


def test_a_start_waits_for_a_server_that_is_not_up_yet(caplog: pytest.LogCaptureFixture) -> None:
    server = PostgresServer()
    try:
        with (
            closing(Database(server.url("postgres"))) as database,
            ThreadPoolExecutor(1) as thread,
            caplog.at_level(logging.WARNING),
        ):
            started = thread.submit(database.migrate)
            while "waiting for the database" not in caplog.text:
                assert not started.done(), started.result()
            server.start()

            started.result(WAIT_S)
        assert server.url("postgres").split("?")[0] in caplog.text
    finally:
        server.remove()


@contextmanager
def writing(url: str, seconds: float) -> Iterator[None]:
    """Somebody else has the turn to write for so long, counted from the begin of the block."""
    with psycopg.connect(url) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", [dialect.WRITING])
        ending = threading.Timer(seconds, other.commit)
        ending.start()
        try:
            yield
        finally:
            ending.join()


@pytest.mark.parametrize("template", ["template1", "migrated"])
def test_a_start_waits_for_the_migration_of_another_server(
    postgresql: PostgresServer, monkeypatch: pytest.MonkeyPatch, template: str
) -> None:
    monkeypatch.setattr(dialect, "_SESSION", ("SET lock_timeout = '200ms'",))
    with postgresql.database(template) as url:
        database = Database(url)
        with closing(database), writing(url, 1.0):
            database.migrate()

            assert database.dialect.facts().revision == newest_revision()  # type: ignore[union-attr]
            with (
                writing(url, 1.0),
                pytest.raises(StorageUnavailable, match="others are writing"),
                database.write() as session,
            ):
                session.connection()


def test_what_a_writer_reads_is_read_when_it_has_its_turn(postgresql: PostgresServer) -> None:
    """Also where the level of new transactions is another one, which would read before that."""
    level = b"SET default_transaction_isolation = 'repeatable read'"
    with postgresql.database("migrated") as url, closing(Database(url)) as database:
        with psycopg.connect(url, autocommit=True) as connection:
            name = f'ALTER DATABASE "{connection.info.dbname}" '.encode()
            connection.execute(name + level)
        board = Store(database, Limits(200, 20_000, 50)).boards.create(BoardCreate(name="Early")).id
        with psycopg.connect(url) as other:
            other.execute("SELECT pg_advisory_xact_lock(%s)", [dialect.WRITING])
            other.execute("UPDATE board SET name = 'Late' WHERE id = %s", [board])
            ending = threading.Timer(0.5, other.commit)
            ending.start()
            try:
                with database.write() as session:
                    seen = session.get(Board, board)
            finally:
                ending.join()

    assert seen is not None
    assert seen.name == "Late"


def test_a_start_does_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialect, "PATIENCE_S", 0.0)
    monkeypatch.setattr(dialect, "LOOK_EVERY_S", 0.01)
    with (
        closing(Database(f"postgresql://u:secret@/pool?host={tmp_path}")) as database,
        pytest.raises(StorageUnavailable, match="cannot be used") as refused,
    ):
        database.migrate()

    assert "secret" not in refused.value.detail


def test_a_missing_database_is_not_waited_for(postgresql: PostgresServer) -> None:
    with (
        closing(Database(postgresql.url("nothing"))) as database,
        pytest.raises(StorageUnavailable, match='"nothing" does not exist'),
    ):
        database.migrate()


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_way_to_write_the_url_names_the_database_without_its_password(scheme: str) -> None:
    found = dialect_of(
        f"{scheme}://ann:se%40cret@db.example:5433/pool?password=secret&sslmode=require"
    )

    assert found.place == "postgresql://ann@db.example:5433/pool"
    assert found.path is None


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:secret@h/db",
        "postgresql+asyncpg://u:secret@h/db",
        "postgresql://u:secret@h:secret/db",
        "postgresql://u:a@secret@h/db",
        "sqlite://",
        "secret",
    ],
)
def test_another_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ConfigurationError, match="IDEAPOOL_DATABASE_URL") as refused:
        Database(url)

    assert "secret" not in refused.value.detail
    assert refused.value.__cause__ is None


def test_settings_do_not_show_the_password() -> None:
    assert "secret" not in repr(Settings(database_url="postgresql://u:secret@h/db"))


@pytest.mark.parametrize(("command", "tool"), [("backup", "pg_dump"), ("restore", "pg_restore")])
def test_backup_and_restore_name_the_tool_of_the_server(
    command: str, tool: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IDEAPOOL_DATABASE_URL", "postgresql://ann:secret@db/pool")

    assert main([command, "file"]) == 2

    told = capsys.readouterr().err
    assert tool in told
    assert "postgresql://ann@db/pool" in told
    assert "secret" not in told


def test_an_id_with_nul_is_not_found(servers: tuple[TestClient, TestClient]) -> None:
    assert servers[0].get(f"{IDEAS}/a%00b").status_code == 404
    assert servers[0].get(IDEAS, params={"q": "a\x00b", "tag": "\x00"}).status_code == 200


def test_the_doctor_names_the_server_and_what_is_wrong(
    settings: Settings, url: str, tmp_path: Path
) -> None:
    def found(database_url: str) -> Finding:
        own = settings.model_copy(update={"database_url": database_url})
        (one,) = examine(own, {"database": CHECKS["database"]})
        return one

    there = found(url)
    away = found(f"postgresql://ann:secret@/pool?host={tmp_path}")

    assert there.state == "ok"
    assert there.text.startswith("PostgreSQL ")
    assert away.state == "broken"
    assert "secret" not in away.text + away.advice
    assert "IDEAPOOL_DATABASE_URL" in away.advice
