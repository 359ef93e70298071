"""Streams that come back to a board are told what they missed, without a read for each of them."""

import asyncio
from contextlib import aclosing
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event

from service.actor import Role
from service.errors import NotFound
from service.live import feed as feed_module
from service.live import recent
from service.live import watch as watches
from service.live.happenings import Change, Here
from service.live.rights import RightChecks
from service.schemas.ideas import BoardCreate, IdeaCreate
from service.store import Store
from service.store.rights import Claim
from service.store.team_tables import Membership
from tests.support.feeds import PATIENCE_S, feeds_of, watching
from tests.support.people import add_person


@pytest.fixture
def reads(client: TestClient) -> list[str]:
    """The statements that are sent to the database from now on."""
    found: list[str] = []
    engine = client.app.state.database._reader  # type: ignore[attr-defined]
    event.listen(engine, "before_cursor_execute", lambda *args: found.append(args[2]))
    return found


async def told(stream: Any, count: int) -> list[str]:
    """What the next changes are about."""
    found: list[str] = []
    async with asyncio.timeout(PATIENCE_S):
        while len(found) < count:
            one = await anext(stream)
            if isinstance(one, Change):
                found.append(one.subject_id)
    return found


def add(store: Store, count: int) -> list[str]:
    return [store.ideas.create(IdeaCreate(title=f"Idea {one}")).id for one in range(count)]


def test_all_who_come_back_at_once_cost_one_reader(store: Store, reads: list[str]) -> None:
    board = store.boards.default().id
    seen = store.activity.newest(board)
    made = add(store, 5)
    missed = [5 - place % 3 for place in range(60)]
    reads.clear()

    async def story() -> list[list[str]]:
        async with feeds_of(store) as feeds:
            streams = [watching(feeds, board, after=seen + 5 - count) for count in missed]
            return await asyncio.gather(*map(told, streams, missed))

    assert asyncio.run(story()) == [made[5 - count :] for count in missed]
    # The newest number, which ones are kept, what was missed, and what the feed looks for at first.
    begin = ("SELECT max(activity.", "SELECT min(activity.", "SELECT activity.")
    assert 1 <= sum(one.startswith(begin) for one in reads) <= 4
    assert sum("FROM board" in one for one in reads) == 1


def test_who_missed_more_than_may_wait_for_a_slow_one_is_told_all_of_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watches, "MOST_WAITING", 3)
    board = store.boards.default().id
    seen = store.activity.newest(board)
    made = add(store, 8)

    async def story() -> list[str]:
        async with feeds_of(store) as feeds:
            return await told(watching(feeds, board, after=seen), 8)

    assert asyncio.run(story()) == made


@pytest.mark.parametrize("spare", [0, 2, 100])
def test_nothing_is_lost_or_told_twice_whatever_is_still_in_memory(
    store: Store, monkeypatch: pytest.MonkeyPatch, spare: int
) -> None:
    monkeypatch.setattr(recent, "MOST_KEPT", 2)
    monkeypatch.setattr(feed_module, "SPARE", spare)
    board = store.boards.default().id
    made = add(store, 8)

    async def story() -> None:
        async with feeds_of(store) as feeds:
            watcher = watching(feeds, board)
            await anext(watcher)
            for missed in (1, 4, 8, 2, 6):
                after = store.activity.newest(board) - missed
                async with aclosing(watching(feeds, board, after=after)) as back:
                    assert await told(back, missed) == made[-missed:]
                    made.extend(await asyncio.to_thread(add, store, 1))
                    assert await told(back, 1) == await told(watcher, 1) == made[-1:]

    asyncio.run(story())


def test_who_missed_too_much_is_told_to_load_the_board_and_the_others_are_not(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "MOST_MISSED", 3)
    board = store.boards.default().id
    made = add(store, 6)
    newest = store.activity.newest(board)

    async def story() -> list[str]:
        async with feeds_of(store) as feeds:
            for missed in (5, 4, 6):
                stream = watching(feeds, board, after=newest - missed)
                assert type(await anext(stream)).__name__ == "Reset"
            return await told(watching(feeds, board, after=newest - 3), 3)

    assert asyncio.run(story()) == made[-3:]


def test_a_board_that_was_deleted_takes_no_watcher_until_it_is_restored(store: Store) -> None:
    store.boards.create(BoardCreate(name="Another"))
    board = store.boards.default().id

    async def story() -> None:
        async with feeds_of(store) as feeds:
            watcher = watching(feeds, board)
            await anext(watcher)
            await asyncio.to_thread(store.boards.delete, board)
            assert await told(watcher, 1) == [board]
            with pytest.raises(NotFound):
                await anext(watching(feeds, board))

            await asyncio.to_thread(store.boards.restore, board)
            assert isinstance(await anext(watching(feeds, board)), Here)

    asyncio.run(story())


def test_boards_that_do_not_exist_take_no_memory(store: Store) -> None:
    async def story() -> None:
        async with feeds_of(store) as feeds:
            for number in range(3):
                with pytest.raises(NotFound):
                    await anext(watching(feeds, f"nobody-{number}"))
            assert not feeds._feeds

    asyncio.run(story())


def test_the_rights_of_all_streams_are_asked_at_once(store: Store, reads: list[str]) -> None:
    board = store.boards.default().id
    checks = RightChecks(store.rights)
    people = [add_person(store, f"Person {number}") for number in range(20)]
    keys = [store.keys.create("key", person_id=person) for person in people]
    claims = [Claim(key, one, board_id=board) for key, one in zip(keys, people, strict=True)]
    claims.append(Claim(store.keys.create("owner")))
    claims.append(Claim("no such key"))
    reads.clear()

    async def story() -> list[bool]:
        return await asyncio.gather(*map(checks.holds, claims), checks.holds(Claim()))

    # They have keys, but no roles.
    assert asyncio.run(story()) == [*[False] * 20, True, False, True]
    assert sum(one.startswith("SELECT") for one in reads) == 2


def test_a_stream_that_ends_while_rights_are_asked_leaves_the_answer_to_the_others(
    store: Store,
) -> None:
    checks = RightChecks(store.rights)
    owner = Claim(store.keys.create("owner"))

    async def story() -> bool:
        leaving = asyncio.create_task(checks.holds(owner))
        staying = asyncio.create_task(checks.holds(owner))
        await asyncio.sleep(0)
        leaving.cancel()
        return await staying

    assert asyncio.run(story())


def test_a_claim_holds_for_the_boards_on_which_a_person_has_a_role(
    client: TestClient, store: Store
) -> None:
    board = store.boards.default().id
    one, all_boards = add_person(store, "Ada"), add_person(store, "Bo")
    with client.app.state.database.write() as session:  # type: ignore[attr-defined]
        session.add(Membership(person_id=one, board_id=board, role=Role.READER))
        session.add(Membership(person_id=all_boards, board_id="", role=Role.READER))
    claims = {
        Claim(person_id=one, board_id=board): True,
        Claim(person_id=one, board_id="another"): False,
        Claim(person_id=all_boards, board_id="another"): True,
        Claim(person_id=one): True,
        Claim(person_id="nobody"): False,
    }

    assert store.rights.held(claims) == {claim for claim, holds in claims.items() if holds}
