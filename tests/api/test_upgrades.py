"""A filled database of every earlier version is upgraded, and nothing of it is lost."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from fastapi.testclient import TestClient
from sqlalchemy import (
    JSON,
    Boolean,
    Connection,
    DateTime,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    create_engine,
    insert,
)

from service.app import create_app
from service.settings import Settings
from service.store.database import MIGRATIONS, newest_revision
from tests.support.fake_backend import FakeBackend

OLDER = sorted(
    step.revision
    for step in ScriptDirectory(str(MIGRATIONS)).walk_revisions()
    if step.revision != newest_revision()
)
# Now, since a server that starts deletes old deliveries of webhooks.
WHEN = datetime.now(UTC).replace(microsecond=0, tzinfo=None)
CRITERIA = [{"name": "fun", "description": "how much people laugh", "weight": 1.0}]
SCORES = {"novelty": 7.0, "feasibility": 5.0, "impact": 6.0, "clarity": 8.0}
REQUEST = {"topic": "a street party", "n": 1}
# What a column holds where any text or number would not do. Columns that a version lacks are left out.
VALUES: dict[str, dict[str, Any]] = {
    "api_key": {"kind": "key", "revoked_at": None, "expires_at": None, "opened_with": None},
    "attachment": {"name": "plan.txt", "media_type": "text/plain", "width": None, "height": None},
    "board": {"name": "Street", "deleted_at": None, "language": ""},
    "change": {"operation": "status", "value": "open", "before": []},
    "comment": {"body": "Nice.", "deleted_at": None, "edited_at": None},
    "comparison": {
        "outcome": "first",
        "by": "people",
        "second_id": "two",
        "probability": None,
    },
    "evaluation": {
        "scores": SCORES,
        "criteria": [{"name": one, "description": "", "weight": 1.0} for one in SCORES],
        "spread": dict.fromkeys(SCORES),
        "uncalibrated": [],
        "strengths": ["cheap"],
        "concerns": ["rain"],
        "method": "digits",
        "rubric_id": None,
    },
    "idea": {
        "title": "Soup for all",
        "status": "kept",
        "deleted_at": None,
        "lost_parent_id": None,
        "parent_id": None,
        "origin": "human",
        "version": 1,
        "round_id": None,
    },
    "idea_tag": {"name": "food"},
    "idea_version": {"number": 1, "title": "Soup for all", "origin": "human"},
    "invitation": {"role": 2, "withdrawn_at": None},
    "membership": {"board_id": "", "role": 2},
    "person": {"name": "Ada", "removed_at": None, "external_name": None},
    "rubric": {"criteria": CRITERIA, "deleted_at": None, "is_shown": False},
    "run": {
        "kind": "brainstorm",
        "status": "done",
        "decision": "open",
        "request": REQUEST,
        "prompts": [],
        "result": {"suggestions": []},
        "usage": None,
        "timing": None,
        "error": None,
        "idea_id": None,
        "stop_requested_at": None,
    },
    "shared_link": {"withdrawn_at": None, "expires_at": None},
    "suggestion": {
        "state": "open",
        "title": "Stew",
        "origin": "model",
        "redrawn_in": None,
        "similar_to": None,
        "copied_from": None,
        "written_for": None,
    },
    "webhook": {"url": "https://example.org/", "kinds": ["idea.created"], "is_active": False},
    "webhook_delivery": {"status": "done", "problem": None, "payload": "{}"},
    "writing_round": {"ended_at": WHEN, "named_at": None},
}
# Of these rows a server soon deletes what is old.
LIVING = {
    "activity",
    "alembic_version",
    "file_import",
    "keyed_answer",
    "pending_upload",
    "presence",
    "replica",
    "run_events",
}
# What an upgrade works out anew: shown scores, and the criteria of evaluations.
ANEW = {"score", "scored_version", "criteria", "spread", "is_shown", "place"}


def made(url: str, revision: str) -> MetaData:
    """A database of that version, with something in each table."""
    config, tables = Config(), MetaData()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = create_engine(url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        tables.reflect(connection)
        for table in tables.sorted_tables:
            if not table.name.startswith("idea_search") and table.name not in LIVING:
                connection.execute(insert(table), rows_of(table))
        _index(connection)
    engine.dispose()
    return tables


def rows_of(table: Table) -> list[dict[str, Any]]:
    own = VALUES.get(table.name, {})
    row = {
        column.name: own[column.name] if column.name in own else value_of(column)
        for column in table.columns
    }
    second = {"number": 2, "id": "two", "title": "Chalk"}
    return [row, row | second] if table.name == "idea" else [row]


def value_of(column: Any) -> Any:
    """Each row is the first of its table and refers to the first of others."""
    if isinstance(column.type, DateTime):
        return WHEN
    if isinstance(column.type, JSON):
        return []
    if isinstance(column.type, Boolean):
        return True
    if isinstance(column.type, LargeBinary):
        return b"some bytes"
    if isinstance(column.type, Integer):
        return 1
    if isinstance(column.type, Float):
        return 0.5
    if column.name == "id" or column.foreign_keys or column.name.endswith("_id"):
        return "one"
    return f"the {column.name}"


def _index(connection: Connection) -> None:
    connection.exec_driver_sql(
        "INSERT INTO idea_search(rowid, title, body, tags) VALUES (1, 'Soup for all', 'warm', 'food')"
    )


def rows(path: Path, tables: MetaData) -> dict[str, list[dict[str, Any]]]:
    """All rows, with the columns that the earlier version had."""
    found = {}
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        for table in tables.sorted_tables:
            if table.name.startswith("idea_search") or table.name in LIVING:
                continue
            columns = [one.name for one in table.columns if one.name not in ANEW]
            names = ", ".join(f'"{name}"' for name in columns)
            found[table.name] = [
                dict(row) for row in connection.execute(f'SELECT {names} FROM "{table.name}"')
            ]
    return found


@pytest.mark.parametrize("revision", OLDER)
def test_an_upgrade_from_any_earlier_version_keeps_every_row_and_the_pages_show_them(
    settings: Settings, revision: str
) -> None:
    path = settings.data_dir / "ideapool.db"
    tables = made(f"sqlite:///{path}", revision)
    before = rows(path, tables)

    with TestClient(create_app(settings, FakeBackend()), base_url="http://localhost") as client:
        after = rows(path, tables)
        found = client.get("/api/v1/ideas", params={"q": "soup"}).json()
        pages = {
            page: client.get(page, headers={"Accept": "text/html"}).status_code
            for page in ("/boards/one", "/ideas/one", "/runs/one", "/boards/one/rank")
        }
        with closing(sqlite3.connect(path)) as connection:
            damage = connection.execute("PRAGMA integrity_check").fetchall()
            dangling = connection.execute("PRAGMA foreign_key_check").fetchall()

    assert after == before
    assert [(one["id"], one["title"], one["tags"]) for one in found] == [
        ("one", "Soup for all", ["food"])
    ]
    assert set(pages.values()) == {200}, pages
    assert (damage, dangling) == ([("ok",)], [])
    assert all(before.values())


@pytest.mark.parametrize("revision", OLDER)
def test_the_copy_before_an_upgrade_is_of_the_version_before(
    settings: Settings, revision: str
) -> None:
    path = settings.data_dir / "ideapool.db"
    tables = made(f"sqlite:///{path}", revision)
    before = rows(path, tables)

    with TestClient(create_app(settings, FakeBackend())):
        pass

    copy = path.with_suffix(f".before-{newest_revision()}.db")
    assert rows(copy, tables) == before
    assert copy.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == (
            revision,
        )


def test_evaluations_of_the_first_version_get_their_criteria_and_keep_their_score(
    settings: Settings,
) -> None:
    path = settings.data_dir / "ideapool.db"
    made(f"sqlite:///{path}", "0004")

    with TestClient(create_app(settings, FakeBackend())):
        pass

    with closing(sqlite3.connect(path)) as connection:
        criteria, score = connection.execute(
            "SELECT criteria, score FROM evaluation JOIN idea ON idea.id = idea_id"
        ).fetchone()
    assert [one["name"] for one in json.loads(criteria)] == list(SCORES)
    assert score == 0.5
