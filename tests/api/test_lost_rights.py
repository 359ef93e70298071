"""Streams of runs and completions end for whoever loses the right to them."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlmodel import col, update

from service.actor import Role
from service.app import create_app
from service.live import rights
from service.schemas.fields import UNFINISHED
from service.schemas.identity import now
from service.settings import Settings
from service.store import Store
from service.store.database import Database
from service.store.keys import KeyStore
from service.store.tables import ApiKey
from service.store.team_tables import Membership
from tests.support.app_server import served
from tests.support.fake_backend import Endless, FakeBackend
from tests.support.people import add_person

# Proves nothing: a busy machine may take long. Without the check the streams stay open for longer.
PATIENCE_S = 5
ASKED = {"topic": "a street party", "n": 1}
Lose = Callable[[Store, str, str], object]


class Team:
    """A server that needs keys, a run without an end on its board, and Ada, who reads it."""

    def __init__(self, app: FastAPI, url: str) -> None:
        self.url = url
        self.store: Store = app.state.store
        self.database: Database = app.state.database
        self.board = self.store.boards.default().id
        self.owner = self._http(self.store.keys.create("owner"))
        self.ada = add_person(self.store, "Ada")
        with app.state.database.write() as session:
            session.add(Membership(person_id=self.ada, board_id=self.board, role=Role.EDITOR))
        self.key = self.store.keys.create("ada", person_id=self.ada)
        self.reader = self._http(self.key)

    def start(self, reader: httpx2.Client, **fields: Any) -> str:
        asked = ASKED | fields
        headers = {"Prefer": "respond-async"}
        run = reader.post("/api/v1/brainstorm", json=asked, headers=headers)
        assert run.status_code == 202, run.text
        run_id: str = run.json()["run_id"]
        return run_id

    def _http(self, key: str) -> httpx2.Client:
        headers = {"Authorization": f"Bearer {key}"}
        return httpx2.Client(base_url=self.url, headers=headers, timeout=PATIENCE_S)


@pytest.fixture
def team(migrated: Settings) -> Iterator[Team]:
    backend = FakeBackend([Endless("Idea: Soup")] * 5, delay_s=0.02)
    app = create_app(migrated.model_copy(update={"require_key": True, "drain_s": 0}), backend)
    with served(app) as url:
        team = Team(app, url)
        with team.owner, team.reader:
            yield team


def remove(store: Store, person_id: str, _board: str) -> None:
    store.people.remove(person_id)


def revoke_keys(store: Store, person_id: str, _board: str) -> None:
    store.keys.revoke_all(person_id, "key")


@contextmanager
def opened(
    http: httpx2.Client, method: str, path: str, **options: Any
) -> Iterator[Iterator[bytes]]:
    with http.stream(method, path, **options) as response:
        assert response.status_code == 200, response.read()
        pieces = response.iter_raw()
        next(pieces)
        yield pieces


def end_of(pieces: Iterator[bytes]) -> bytes:
    """What comes until the server ends the stream as it should."""
    rest, until = b"", time.monotonic() + PATIENCE_S
    for piece in pieces:
        rest += piece
        assert time.monotonic() < until, "the stream goes on"
    return rest


@pytest.mark.parametrize("lose", [remove, revoke_keys])
@pytest.mark.parametrize("path", ["/runs/{}/live", "/api/v1/runs/{}/events"])
def test_who_loses_the_right_loses_the_stream_of_a_run(team: Team, path: str, lose: Lose) -> None:
    run = team.start(team.owner, board_id=team.board)

    with opened(team.reader, "GET", path.format(run)) as pieces:
        lose(team.store, team.ada, team.board)
        rest = end_of(pieces)

    assert b"event: done" not in rest
    assert team.store.runs.status(run) in UNFINISHED
    team.owner.post(f"/api/v1/runs/{run}/cancel")


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/api/v1/brainstorm", ASKED),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "Hi"}], "stream": True}),
        ("/v1/completions", {"prompt": "Hi", "stream": True}),
        ("/v1/responses", {"input": "Hi", "stream": True}),
    ],
)
def test_who_loses_the_right_loses_the_stream_of_an_answer(
    team: Team, path: str, asked: dict[str, Any]
) -> None:
    asked = asked | ({"board_id": team.board} if path.startswith("/api") else {"model": "fake"})
    headers = {"Accept": "text/event-stream"}

    with opened(team.reader, "POST", path, json=asked, headers=headers) as pieces:
        team.store.people.remove(team.ada)
        end_of(pieces)


CHAT = {"model": "fake", "messages": [{"role": "user", "content": "Hi"}], "stream": True}


@pytest.mark.parametrize(
    ("method", "path", "asked"),
    [
        ("GET", "/runs/{run}/live", None),
        ("GET", "/api/v1/runs/{run}/events", None),
        ("GET", "/boards/{board}/live", None),
        ("GET", "/api/v1/boards/{board}/events", None),
        ("POST", "/v1/chat/completions", CHAT),
    ],
)
def test_a_key_that_is_revoked_without_a_signal_loses_its_streams_with_the_next_check(
    team: Team,
    migrated: Settings,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    path: str,
    asked: dict[str, Any] | None,
) -> None:
    monkeypatch.setattr("service.live.rights.RECHECK_S", 0.2)
    monkeypatch.setattr("service.live.feeds.RECHECK_S", 0.2)
    run = team.start(team.owner, board_id=team.board)
    address = path.format(run=run, board=team.board)
    key = team.store.keys.of(team.ada)[0].id

    with (
        opened(team.reader, method, address, json=asked) as pieces,
        closing(Database(migrated.sqlalchemy_url)) as another_process,
    ):
        KeyStore(another_process).revoke(key)
        end_of(pieces)
    team.owner.post(f"/api/v1/runs/{run}/cancel")


@pytest.mark.parametrize("path", ["/api/v1/runs/{run}/events", "/boards/{board}/live"])
def test_a_key_that_expires_loses_its_streams_with_the_next_check(
    team: Team, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr("service.live.rights.RECHECK_S", 0.2)
    monkeypatch.setattr("service.live.feeds.RECHECK_S", 0.2)
    run = team.start(team.owner, board_id=team.board)
    address = path.format(run=run, board=team.board)

    with opened(team.reader, "GET", address) as pieces:
        with team.database.write() as session:
            is_adas = col(ApiKey.person_id) == team.ada
            session.exec(update(ApiKey).where(is_adas).values(expires_at=now()))
        end_of(pieces)
    team.owner.post(f"/api/v1/runs/{run}/cancel")


def test_rights_are_checked_often_enough_to_end_streams_within_five_seconds() -> None:
    assert rights.RECHECK_S < 5


def test_who_loses_only_another_board_keeps_the_stream_of_a_run(team: Team) -> None:
    run = team.start(team.owner, board_id=team.board)
    other = add_person(team.store, "Bo")

    with opened(team.reader, "GET", f"/api/v1/runs/{run}/events") as pieces:
        team.store.people.remove(other)
        ending = threading.Timer(0.3, team.owner.post, [f"/api/v1/runs/{run}/cancel"])
        ending.start()
        rest = end_of(pieces)
    ending.join()

    assert b"event: done" in rest


def test_whoever_asked_without_a_board_keeps_the_stream_of_the_run(team: Team) -> None:
    run = team.start(team.reader)
    other = add_person(team.store, "Bo")

    with opened(team.reader, "GET", f"/api/v1/runs/{run}/events") as pieces:
        team.store.people.remove(other)
        ending = threading.Timer(0.3, team.owner.post, [f"/api/v1/runs/{run}/cancel"])
        ending.start()
        rest = end_of(pieces)
    ending.join()

    assert b"event: done" in rest
