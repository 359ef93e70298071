"""Imports write in short transactions: who gets in between, and what is there after only some of them."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from typing import Any

import pytest
from sqlmodel import select

from service.errors import StorageUnavailable
from service.schemas.ideas import BoardCreate, IdeaCreate
from service.schemas.imports import Draft, Imported, ImportPolicy, ParsedFile
from service.settings import PROJECT_ROOT, Settings
from service.store import Limits, Store, batches
from service.store.batches import FIRST_IDEAS, ROWS, Stopped
from service.store.database import Database
from service.store.tables import Idea, IdeaVersion
from tests.support.watched_import import Watched

pytestmark = pytest.mark.both_databases
MANY = 1000


@pytest.fixture(autouse=True)
def _no_step_is_short_enough_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """So the transactions do not depend on how fast the machine is."""
    monkeypatch.setattr(batches, "BATCH_S", 0)


@pytest.fixture
def database(migrated: Settings) -> Iterator[Database]:
    with closing(Database(migrated.sqlalchemy_url)) as database:
        yield database


@pytest.fixture
def store(database: Database) -> Store:
    store = Store(database, Limits(200, 8192, 20))
    store.boards.create(BoardCreate(name="Party"))
    return store


def add_many(store: Store, watch: Watched | None = None, **policy: Any) -> Imported:
    drafts = [Draft(line, f"Idea {line}", parent=0 if line else None) for line in range(MANY)]
    parsed = ParsedFile(ideas=drafts)
    return store.text_import.add(parsed, ImportPolicy(**policy), watch=watch)


def idea_count(database: Database) -> int:
    """Each with its version."""
    with database.read() as session:
        ideas = set(session.exec(select(Idea.id)))
        assert ideas == set(session.exec(select(IdeaVersion.idea_id)))
        return len(ideas)


def test_no_transaction_of_an_import_writes_many_ideas(store: Store) -> None:
    watched = Watched()

    add_many(store, watched)

    assert watched.total == watched.written[-1] == MANY
    at_once = [after - before for before, after in pairwise([0, *watched.written])]
    assert at_once[0] <= FIRST_IDEAS
    assert max(at_once[1:]) <= ROWS


def test_others_write_between_the_transactions_of_an_import(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: set[str] = set()

    def write() -> None:
        made.add(store.ideas.create(IdeaCreate(title="Mine")).id)

    monkeypatch.setattr(batches, "pause", write)

    add_many(store)

    assert len(made) >= (MANY - FIRST_IDEAS) // ROWS


def test_a_small_file_is_one_transaction(store: Store) -> None:
    watched = Watched()
    drafts = [Draft(line, f"Idea {line}") for line in range(FIRST_IDEAS)]

    store.text_import.add(ParsedFile(ideas=drafts), ImportPolicy(), watch=watched)

    assert watched.written == [FIRST_IDEAS]


def test_what_a_stopped_import_has_written_stays_and_the_next_one_adds_the_rest(
    store: Store, database: Database
) -> None:
    watched = Watched(most=3)
    with pytest.raises(Stopped):
        add_many(store, watched)
    written = watched.written[-1]
    assert 0 < written == idea_count(database) < MANY

    again = add_many(store)

    assert (again.added.ideas, again.already_there.ideas) == (MANY - written, written)
    assert idea_count(database) == MANY


def test_two_imports_of_a_file_at_the_same_time_add_it_once(
    store: Store, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = [store]

    def import_too() -> None:
        if others:
            add_many(others.pop())

    monkeypatch.setattr(batches, "pause", import_too)

    add_many(store)

    assert idea_count(database) == MANY


def test_an_import_that_breaks_off_says_what_is_stored(
    store: Store, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Database) -> None:
        raise StorageUnavailable("The disk is full. Nothing was saved.")

    monkeypatch.setattr(batches, "pause", lambda: monkeypatch.setattr(Database, "write", refuse))

    with pytest.raises(StorageUnavailable) as caught:
        add_many(store)

    assert f"{idea_count(database)} of {MANY} ideas were imported" in caught.value.detail
    assert "Nothing" not in caught.value.detail


KILLED = """
import os, sys
from service.store import Limits, Store, batches
from service.store.database import Database
from tests.api.test_import_batches import add_many

batches.BATCH_S, batches.pause = 0, lambda: os._exit(9)
add_many(Store(Database(sys.argv[1]), Limits(200, 8192, 20)))
"""


def test_a_server_killed_during_an_import_leaves_whole_ideas(
    store: Store, database: Database, migrated: Settings
) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, migrated.sqlalchemy_url],
        cwd=PROJECT_ROOT,
        timeout=120,
        check=False,
    )
    assert killed.returncode == 9
    assert 0 < idea_count(database) < MANY

    add_many(store)

    assert idea_count(database) == MANY
