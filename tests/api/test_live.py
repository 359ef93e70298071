"""A board's changes reach everybody who watches it, and nobody who may not."""

import asyncio
import json
import signal
import threading
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import event

from service.actor import ACTOR, Actor, Role
from service.app import create_app
from service.errors import TooManyStreams
from service.live import watch as watches
from service.live.happenings import Change, Happening, Here
from service.schemas.ideas import IdeaCreate, IdeaUpdate
from service.schemas.identity import now
from service.settings import Settings
from service.store import Store
from service.store.rights import Claim
from service.store.team_tables import Membership, Person
from tests.support.app_server import served, serving
from tests.support.fake_backend import FakeBackend
from tests.support.feeds import PATIENCE_S, feeds_of, watching


@dataclass
class Pool:
    url: str
    app: FastAPI

    @property
    def store(self) -> Store:
        store: Store = self.app.state.store
        return store

    @property
    def board(self) -> str:
        return self.store.boards.default().id

    def add(self, title: str) -> str:
        return self.store.ideas.create(IdeaCreate(title=title)).id


@pytest.fixture
def pool(migrated: Settings) -> Iterator[Pool]:
    app = create_app(migrated, FakeBackend())
    with served(app) as url:
        yield Pool(url, app)


def person(database: Any, name: str, board_id: str = "") -> Actor:
    with database.write() as session:
        session.add(Person(id=name, name=name.capitalize()))
        session.flush()
        session.add(Membership(person_id=name, board_id=board_id, role=Role.EDITOR))
    return Actor(person_id=name, name=name.capitalize(), role=Role.EDITOR)


def acting(actor: Actor, store: Store, idea_id: str, **fields: Any) -> None:
    token = ACTOR.set(actor)
    try:
        store.ideas.update(idea_id, IdeaUpdate(**fields))
    finally:
        ACTOR.reset(token)


class Stream:
    """Reads server-sent events as (name, id, data)."""

    def __init__(self, response: httpx2.Response) -> None:
        self._lines = response.iter_lines()

    def next(self, *names: str) -> tuple[str, str, Any]:
        fields: dict[str, str] = {}
        for line in self._lines:
            if line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                fields[name] = fields.get(name, "") + value
            elif fields:
                if not names or fields.get("event") in names:
                    data = fields.get("data", "")
                    is_json = data.startswith("{")
                    return (
                        fields.get("event", ""),
                        fields.get("id", ""),
                        json.loads(data) if is_json else data,
                    )
                fields = {}
        raise EOFError


def watch(pool: Pool, **options: Any) -> Any:
    path = options.pop("path", f"/api/v1/boards/{pool.board}/events")
    return httpx2.stream("GET", pool.url + path, timeout=PATIENCE_S, **options)


def test_a_change_reaches_who_watches_with_the_name_of_who_made_it(pool: Pool) -> None:
    idea = pool.add("Lend tools")
    ada = person(pool.app.state.database, "ada")
    with watch(pool) as response:
        stream = Stream(response)
        assert response.headers["content-type"].startswith("text/event-stream")
        newest = pool.store.activity.newest(pool.board)
        assert stream.next() == ("here", str(newest), {"people": []})

        acting(ada, pool.store, idea, title="Lend ladders")

        name, number, data = stream.next("change")
    assert (name, int(number)) == ("change", data["number"])
    assert (data["kind"], data["subject_id"]) == ("idea.changed", idea)
    assert data["person"] == {"id": "ada", "name": "Ada"}


@pytest.mark.parametrize("how", ["header", "query"])
def test_who_comes_back_gets_what_was_missed(pool: Pool, how: str) -> None:
    pool.add("First")
    seen = pool.store.activity.newest(pool.board)
    missed = pool.add("Second")
    options: dict[str, Any] = (
        {"headers": {"Last-Event-ID": str(seen)}}
        if how == "header"
        else {"params": {"after": seen}}
    )
    with watch(pool, **options) as response:
        _, number, data = Stream(response).next("change")

    assert (int(number), data["subject_id"]) == (seen + 1, missed)


def test_what_is_not_kept_any_more_is_answered_with_a_reset(pool: Pool) -> None:
    pool.add("First")
    seen = pool.store.activity.newest(pool.board)
    for title in ("Second", "Third"):
        pool.add(title)
    newest = pool.store.activity.newest(pool.board)
    last = pool.store.activity.after(pool.board, newest - 1)[0]
    pool.store.activity.purge_before(last.created_at)

    with watch(pool, params={"after": seen - 1}) as response:
        stream = Stream(response)
        assert stream.next() == ("reset", str(newest), {})
        fourth = pool.add("Fourth")
        assert stream.next("change")[2]["subject_id"] == fourth


def test_a_number_of_another_database_is_answered_with_a_reset(pool: Pool) -> None:
    with watch(pool, params={"after": 10**9}) as response:
        assert Stream(response).next()[0] == "reset"


def test_pages_get_names_and_kinds_and_who_is_here(pool: Pool) -> None:
    path = f"/boards/{pool.board}/live"
    with watch(pool, path=path) as response:
        stream = Stream(response)
        assert stream.next()[0] == "here"
        idea = pool.add("Lend tools")

        assert stream.next("change")[2] == {"kind": "idea.created", "subject": idea, "by": ""}


def test_an_unknown_board_has_no_stream(pool: Pool) -> None:
    answer = httpx2.get(f"{pool.url}/api/v1/boards/nobody/events")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_stream_too_many_is_refused_with_the_time_to_wait(migrated: Settings) -> None:
    app = create_app(migrated.model_copy(update={"live_limit": 1}), FakeBackend())
    with served(app) as url:
        pool = Pool(url, app)
        with watch(pool) as response:
            stream = Stream(response)
            stream.next()
            refused = httpx2.get(f"{url}/api/v1/boards/{pool.board}/events")

    assert refused.status_code == 503
    assert refused.json()["type"] == "/problems/too-many-streams"
    assert int(refused.headers["retry-after"]) > 0


def test_streams_end_at_once_when_the_server_stops(tmp_path: Path) -> None:
    with serving(tmp_path, IDEAPOOL_ENGINE_URL="http://127.0.0.1:9") as server:
        board = server.http.get("/api/v1/boards").json()[0]["id"]
        with server.http.stream("GET", f"/api/v1/boards/{board}/events") as response:
            stream = Stream(response)
            stream.next()
            stopping = threading.Thread(target=server.stop)
            stopping.start()
            with pytest.raises(EOFError):
                stream.next("change")
        stopping.join(PATIENCE_S)

    assert server.process.returncode == -signal.SIGTERM


# Below, without a server: the feeds in a loop of the test's own.


async def drain(stream: Any) -> None:
    """Until the stream ends."""
    async with asyncio.timeout(PATIENCE_S):
        async for _ in stream:
            pass


async def until(stream: Any, kind: type[Happening]) -> Any:
    async with asyncio.timeout(PATIENCE_S):
        async for one in stream:
            if isinstance(one, kind):
                return one
    raise EOFError


def test_two_hundred_watchers_cost_one_reader(client: TestClient, store: Store) -> None:
    board = store.boards.default().id
    reads: list[str] = []
    engine = client.app.state.database._reader  # type: ignore[attr-defined]

    async def story() -> None:
        async with feeds_of(store) as feeds:
            streams = [watching(feeds, board) for _ in range(200)]
            for stream in streams:
                assert isinstance(await anext(stream), Here)
            await asyncio.sleep(0)
            # Until the feed is at rest: what it was woken for by those who joined is read.
            store.ideas.create(IdeaCreate(title="Before"))
            await asyncio.gather(*(until(stream, Change) for stream in streams))
            event.listen(engine, "before_cursor_execute", lambda *args: reads.append(args[2]))
            await asyncio.to_thread(store.ideas.create, IdeaCreate(title="After"))
            got = await asyncio.gather(*(until(stream, Change) for stream in streams))
            assert {one.kind for one in got} == {"idea.created"}
            for stream in streams:
                await stream.aclose()

    asyncio.run(story())
    # Webhooks read activities too, in queries of other tables.
    assert 1 <= sum(one.startswith("SELECT activity.") for one in reads) <= 2


def test_a_watcher_that_does_not_read_is_closed_and_catches_up(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watches, "MOST_WAITING", 3)
    board = store.boards.default().id

    async def story() -> list[str]:
        async with feeds_of(store) as feeds:
            slow, quick = watching(feeds, board), watching(feeds, board)
            await anext(slow)
            await anext(quick)
            seen = store.activity.newest(board)
            ideas = []
            for number in range(6):
                made = await asyncio.to_thread(
                    store.ideas.create, IdeaCreate(title=f"Idea {number}")
                )
                ideas.append(made.id)
                await until(quick, Change)
            await drain(slow)
            monkeypatch.setattr(watches, "MOST_WAITING", 100)
            back = watching(feeds, board, after=seen)
            caught = [(await until(back, Change)).subject_id for _ in range(6)]
            assert caught == ideas
            return caught

    assert len(asyncio.run(story())) == 6


def test_who_loses_the_right_loses_the_stream(client: TestClient, store: Store) -> None:
    board = store.boards.default().id
    database = client.app.state.database  # type: ignore[attr-defined]
    person(database, "ada", board)

    async def still() -> bool:
        claim = Claim(person_id="ada", board_id=board)
        return bool(await asyncio.to_thread(store.rights.held, [claim]))

    def remove() -> None:
        with database.write() as session:
            ada = session.get(Person, "ada")
            ada.removed_at = now()
            session.add(ada)

    async def story() -> None:
        async with feeds_of(store) as feeds:
            ada = watching(feeds, board, person_id="ada", may_still_read=still)
            other = watching(feeds, board)
            await anext(ada)
            await anext(other)
            await asyncio.sleep(0)
            await asyncio.to_thread(remove)
            await drain(ada)
            await asyncio.to_thread(store.ideas.create, IdeaCreate(title="Still told"))
            assert (await until(other, Change)).kind == "idea.created"

    asyncio.run(story())


def test_a_right_ends_at_the_latest_with_the_next_check(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.live.feeds.RECHECK_S", 0.01)
    monkeypatch.setattr("service.live.feeds.BEAT_S", 0.02)

    async def never() -> bool:
        return False

    async def story() -> None:
        async with feeds_of(store) as feeds:
            stream = watching(feeds, store.boards.default().id, may_still_read=never)
            await anext(stream)
            await drain(stream)

    asyncio.run(story())


def test_those_who_watch_are_here_until_they_leave(
    client: TestClient, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.live.feed.LINGER_S", 0.01)
    board = store.boards.default().id
    for name in ("ada", "bo"):
        person(client.app.state.database, name)  # type: ignore[attr-defined]

    async def names(stream: Any, *wanted: str) -> None:
        while [one.name for one in (await until(stream, Here)).people] != list(wanted):
            pass

    async def story() -> None:
        async with feeds_of(store) as feeds:
            owner = watching(feeds, board)
            await names(owner)
            async with aclosing(watching(feeds, board, person_id="bo")) as bo:
                await anext(bo)
                await names(owner, "Bo")
                async with aclosing(watching(feeds, board, person_id="ada")) as ada:
                    await anext(ada)
                    await names(owner, "Ada", "Bo")
                    assert [one.id for one in feeds.here(board).people] == ["ada", "bo"]
                await names(owner, "Bo")
            await names(owner)

    asyncio.run(story())


def test_a_closed_service_takes_no_more_watchers(store: Store) -> None:
    async def story() -> None:
        async with feeds_of(store) as feeds:
            await feeds.close()
            with pytest.raises(TooManyStreams):
                await anext(watching(feeds, store.boards.default().id))

    asyncio.run(story())


def test_a_page_that_fetches_news_leaves_the_message_of_another(client: TestClient) -> None:
    board = client.get("/api/v1/boards").json()[0]["id"]
    client.post(f"/boards/{board}/ideas", data={"title": "Soup"}, follow_redirects=False)

    news = client.get(f"/boards/{board}", headers={"X-Live": "true", "Accept": "text/html"})
    page = client.get(f"/boards/{board}")

    assert "Added “Soup”" not in news.text
    assert "Added “Soup”" in page.text


def test_a_page_knows_what_it_may_have_shown_already(client: TestClient, store: Store) -> None:
    store.ideas.create(IdeaCreate(title="Soup"))
    page = client.get("/", headers={"Accept": "text/html"})

    assert f'data-after="{store.activity.newest(store.boards.default().id)}"' in page.text


def test_old_activities_do_not_outlive_their_time(store: Store) -> None:
    store.ideas.create(IdeaCreate(title="Soup"))
    assert store.activity.kept()[1] > 0

    store.activity.purge_before(now() + timedelta(days=1))

    assert store.activity.kept() == (0, 0)
