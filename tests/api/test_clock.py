"""A clock that was a day ahead and is set back: what was stored meanwhile stands in no one's way."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlmodel import SQLModel, select, update

from service.actor import OWNER
from service.schemas.ideas import IdeaCreate
from service.schemas.identity import now
from service.schemas.rounds import RoundCreate
from service.settings import Settings
from service.store import Limits, Store
from service.store.database import Database
from service.store.runs import NewRun
from service.store.tables import ApiKey, Evaluation
from service.store.team_tables import WritingRound
from tests.support.evaluations import SCORES

A_DAY = timedelta(days=1)


@pytest.fixture
def database(migrated: Settings) -> Iterator[Database]:
    database = Database(migrated.sqlalchemy_url)
    yield database
    database.close()


@pytest.fixture
def store(database: Database) -> Store:
    store = Store(database, Limits(200, 8192, 20))
    store.boards.ensure_one()
    return store


def set_back(database: Database, table: type[SQLModel], *columns: str) -> None:
    """As if the times of all rows were from before the clock was set back."""
    with database.write() as session:
        rows: list[Any] = list(session.exec(select(table)))
        for row in rows:
            for name in columns:
                moment: datetime = getattr(row, name)
                session.exec(update(table).where(table.id == row.id).values({name: moment + A_DAY}))  # type: ignore[attr-defined]


def test_the_evaluation_that_was_made_last_is_the_newest(database: Database, store: Store) -> None:
    idea = store.ideas.create(IdeaCreate(title="Soup")).id
    made = []
    for _ in range(3):
        run = store.runs.create(NewRun("evaluate", {}, seed=1, idea_id=idea)).run_id
        made.append(run)
        store.evaluations.add(run, idea, 1, SCORES)
        if len(made) == 1:
            set_back(database, Evaluation, "created_at")

    assert [one.run_id for one in store.evaluations.of_idea(idea)] == made[::-1]


def test_a_writing_round_takes_no_longer_than_its_time(database: Database, store: Store) -> None:
    board = store.boards.default().id
    begun = store.rounds.start(board, RoundCreate(topic="The party", minutes=10))
    set_back(database, WritingRound, "created_at", "ends_at")

    store.rounds.end_due()

    left = store.rounds.get(board, begun.id).ends_at - now()
    assert timedelta(minutes=9) < left <= timedelta(minutes=10)


def test_the_last_use_of_a_key_is_noted_again(database: Database, store: Store) -> None:
    key = store.keys.create("script")
    assert store.people.by_token(key) == OWNER
    set_back(database, ApiKey, "used_at")

    store.people.by_token(key)

    found = store.keys.find(key)
    assert found is not None
    assert found.used_at is not None
    assert found.used_at <= now()
