"""A pool that moves to another kind of database, and back."""

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import JSON, Text, cast, inspect, select
from sqlmodel import SQLModel, col

from service.app import create_app
from service.cli.main import main
from service.errors import ConfigurationError
from service.schemas.ideas import IdeaCreate
from service.schemas.identity import now
from service.settings import Settings
from service.store import Limits, Store
from service.store.copying import copy_database
from service.store.database import Database
from service.store.listing import IdeaQuery
from service.store.tables import Change, Idea, KeyedAnswer, TopicVector
from service.store.team_tables import (
    Invitation,
    Membership,
    Person,
    SharedLink,
    Webhook,
    WebhookCursor,
    WebhookDelivery,
    WritingRound,
)
from tests.api.test_ideas import IDEAS, add
from tests.api.test_transfer import filled
from tests.support.fake_backend import FakeBackend
from tests.support.postgresql import PostgresServer

__all__ = ["filled"]
Rows = dict[str, list[dict[str, Any]]]
# The index is written anew, and migrations are their own.
NOT_COPIED = {"alembic_version", "idea_search"}
# What servers tell each other: there may be rows of these only while one runs.
OF_SERVERS = {"file_import", "pending_upload", "presence", "replica", "run_events"}


@pytest.fixture
def target(postgresql: PostgresServer) -> Iterator[str]:
    with postgresql.emptied("shared") as url:
        yield url


@pytest.fixture
def source(filled: Any, tmp_path: Path) -> str:
    """A file with every kind of row, and parents that are newer than their children."""
    path = tmp_path / "source.db"
    path.write_bytes(filled.database.read_bytes())
    url = f"sqlite:///{path}"
    with closing(Database(url)) as database:
        store = Store(database, Limits(200, 8192, 20))
        board = store.boards.default().id
        ideas = [store.ideas.create(IdeaCreate(title=t, board_id=board)) for t in ("Älv", "Hus")]
        store.ideas.delete(ideas[0].id)
        store.keys.create("mine")
        with database.write() as session:
            ann = Person(name="Ann")
            vector = TopicVector(key="k", encoder="e", vector=b"\x00\xff\x80")
            answer = KeyedAnswer(id="a", fingerprint="f", headers={"ETag": '"1"'}, body="[]")
            change = Change(operation="set_star", value=True, before={ideas[0].id: False})
            session.add_all([ann, vector, answer, change])
            session.flush()
            session.add(Membership(person_id=ann.id, role=3))
            session.add(Invitation(sha256="1" * 64, role=3, expires_at=now()))
            hook = Webhook(url="https://example.org/hook", kinds=[], secret="whsec_x")
            session.add_all([hook, SharedLink(board_id=board, sha256="0" * 64)])
            session.flush()
            session.add(WebhookCursor(webhook_id=hook.id, board_id=board, number=1))
            session.add(WebhookDelivery(webhook_id=hook.id, kind="test", payload="{}"))
            going_on = WritingRound(board_id=board, topic="Hus", ends_at=now() + timedelta(hours=1))
            session.add(going_on)
            session.flush()
            session.add(
                Idea(board_id=board, title="Hidden", title_key="hidden", round_id=going_on.id)
            )
            child = session.scalars(select(Idea).where(col(Idea.id) == ideas[0].id)).one()
            child.parent_id = ideas[1].id
    return url


def rows(url: str) -> Rows:
    """Every row of every table; JSON as its text, in which a missing value and `null` differ."""
    with closing(Database(url)) as database, database.read() as session:
        found = {}
        for table in SQLModel.metadata.sorted_tables:
            columns = [
                cast(column, Text).label(column.name) if isinstance(column.type, JSON) else column
                for column in table.columns
            ]
            statement = select(*columns).order_by(*table.primary_key)
            found[table.name] = [dict(row) for row in session.execute(statement).mappings()]
        return found


def tables(url: str) -> set[str]:
    with closing(Database(url)) as database, database.read() as session:
        names = inspect(session.connection()).get_table_names()
    return {name for name in names if not name.startswith("idea_search_")} - NOT_COPIED


def test_there_and_back_nothing_is_lost(
    source: str, target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = rows(source)
    back = f"sqlite:///{tmp_path / 'back.db'}"

    assert main(["copy-database", target, "--from", source]) == 0
    assert main(["copy-database", back, "--from", target]) == 0

    assert {name for name, found in before.items() if not found} == OF_SERVERS
    assert before.keys() == tables(source) == tables(target)
    assert rows(target) == before
    assert rows(back) == before
    assert rows(source) == before
    assert "every table was counted" in capsys.readouterr().err


def test_a_copy_goes_on_as_the_original_would(source: str, target: str, settings: Settings) -> None:
    with closing(Database(source)) as old, closing(Database(target)) as new:
        numbers = copy_database(old, new, lambda _name, _rows: None)
    settings = settings.model_copy(update={"database_url": target})

    with TestClient(create_app(settings, FakeBackend()), base_url="http://localhost") as client:
        idea = add(client, "The next one")
        client.patch(f"{IDEAS}/{idea['id']}", json={"body": "Changed."})

        assert len(client.get(IDEAS, params={"q": "dril", "limit": 50}).json()) > 0
        in_trash = client.get(IDEAS, params={"q": "alv", "deleted": True}).json()
        assert [one["title"] for one in in_trash] == ["Älv"]
        newest = client.app.state.store.ideas.page(IdeaQuery()).items[0]  # type: ignore[attr-defined]
        assert newest.id == idea["id"]
    assert numbers["idea"] >= 3


def test_a_database_with_rows_is_no_target(source: str, target: str) -> None:
    with closing(Database(source)) as old, closing(Database(target)) as new:
        Store(new, Limits(200, 8192, 20)).boards.ensure_one()
        new.close()

        with pytest.raises(ConfigurationError, match="not empty"):
            copy_database(old, new, lambda _name, _rows: None)

    assert [row["name"] for row in rows(target)["board"]] == ["My ideas"]
    assert not rows(target)["idea"]


def test_a_database_in_use_is_not_copied(
    source: str, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(Database(target)) as server:
        Store(server, Limits(200, 8192, 20)).boards.all()

        assert main(["copy-database", target, "--from", source]) == 2

    assert "in use" in capsys.readouterr().err


def test_what_is_no_database_of_ideapool_is_no_source(
    target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "missing.db"

    assert main(["copy-database", target, "--from", f"sqlite:///{missing}"]) == 2

    assert str(missing) in capsys.readouterr().err
    assert not missing.exists()


def test_a_failed_copy_leaves_the_target_empty(
    source: str, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_value: str) -> Any:
        raise RuntimeError("torn")

    monkeypatch.setattr(json, "loads", fail)
    with (
        closing(Database(source)) as old,
        closing(Database(target)) as new,
        pytest.raises(RuntimeError),
    ):
        copy_database(old, new, lambda _name, _rows: None)
    monkeypatch.undo()

    assert not any(rows(target).values())
