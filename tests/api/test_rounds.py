"""Writing rounds: ideas are hidden until a round ends, and models may have to wait for people."""

import contextlib
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient
from sqlmodel import Session

from service.actor import ACTOR, OWNER, Actor, Role
from service.store import Store
from service.store.team_tables import Person, WritingRound
from service.web.guard import Guard

API = "/api/v1"
HTML = {"accept": "text/html"}
WORD = "zanzibar"
ADA, BO = (Actor(person_id=name.lower(), name=name, role=Role.EDITOR) for name in ("Ada", "Bo"))
As = Callable[[Actor], AbstractContextManager[None]]


@pytest.fixture
def store(client: TestClient) -> Store:
    assert isinstance(client.app, FastAPI)
    found: Store = client.app.state.store
    return found


@pytest.fixture
def acting(client: TestClient, store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[As]:
    """Says whose requests the following ones are."""
    with store.rounds._database.write() as session:
        session.add_all(Person(id=one.person_id or "", name=one.name) for one in (ADA, BO))
    who = OWNER
    call = Guard.__call__

    async def guarded(self: Guard, scope: Any, receive: Any, send: Any) -> None:
        token = ACTOR.set(who)
        try:
            await call(self, scope, receive, send)
        finally:
            ACTOR.reset(token)

    monkeypatch.setattr(Guard, "__call__", guarded)

    @contextlib.contextmanager
    def acting(actor: Actor) -> Iterator[None]:
        nonlocal who
        before, who = who, actor
        token = ACTOR.set(actor)
        try:
            yield
        finally:
            who = before
            ACTOR.reset(token)

    yield acting


def post(client: TestClient, path: str, **body: Any) -> Any:
    response = client.post(f"{API}{path}", json=body)
    assert response.status_code in (200, 201), response.text
    return response.json()


@pytest.fixture
def board(client: TestClient) -> str:
    made: str = post(client, "/boards", name="Ours", goal="A party")["id"]
    return made


@pytest.fixture
def begun(client: TestClient, board: str, acting: As) -> str:
    """A round that Ada has started."""
    with acting(ADA):
        made: str = post(client, f"/boards/{board}/rounds", topic="The party")["id"]
    return made


def write(client: TestClient, board: str, begun: str, title: str = WORD) -> Any:
    return post(
        client,
        "/ideas",
        board_id=board,
        round_id=begun,
        title=title,
        body=f"About {title}.",
        tags=[f"{title}-tag"],
    )


def let_time_pass(store: Store, round_id: str, *, seconds: int = 0) -> None:
    """Moves the end of the round into the past, or near."""
    with Session(store.rounds._database._writer) as session, session.begin():
        row = session.get(WritingRound, round_id)
        assert row is not None
        row.ends_at = datetime.now(UTC) + timedelta(seconds=seconds - 1)
        session.add(row)
