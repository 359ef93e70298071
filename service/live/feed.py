"""Reads what happens on a board once for all who watch it through this server."""

import asyncio
import logging
from collections.abc import Sequence

from service.errors import NotFound, StorageUnavailable
from service.live.happenings import Change, Here, Reset, named
from service.live.presence import Presence
from service.live.recent import Recent
from service.live.watch import Watch
from service.schemas.people import PersonPublic
from service.signals import Waiter
from service.store import Store
from service.store.team_tables import Activity

# A signal wakes the feed. This is for one that was lost, and it renews the presence.
POLL_S = 15.0
# Who missed more than this loads the board again.
MOST_MISSED = 500
# What is read for one who comes back reaches back by so many numbers more: the others who lost the same
# server have seen a little more or less.
SPARE = 100
# How long a person stays on the list after the last stream has ended, so that a page that is loaded
# again does not make the name flicker.
LINGER_S = 3.0
# People who come within this time are told of, and stored, together.
GATHER_S = 0.1
_log = logging.getLogger(__name__)


class BoardFeed:
    """One task that runs while anybody watches the board. `here` is what was last told."""

    def __init__(self, store: Store, presence: Presence, board_id: str) -> None:
        self.board_id = board_id
        self.here = Here()
        self.watches: set[Watch] = set()
        self._store = store
        self._presence = presence
        self._recent = Recent(0)
        # Held while older changes are read, and nothing is forgotten.
        self._reaching = asyncio.Lock()
        # Whoever has seen no more than this has missed too much.
        self._lost = -1
        self._was_deleted = False
        # Those who are at the board through this server, as was last stored.
        self._present: frozenset[str] = frozenset()
        self._gathering: asyncio.TimerHandle | None = None
        self._ready = asyncio.Event()
        self._failure: StorageUnavailable | NotFound | None = None
        self._waiter: Waiter | None = None
        self._task = asyncio.create_task(self._run())

    async def join(self, person_id: str | None, after: int | None) -> tuple[Watch, Reset | None]:
        """Returns a watch that begins after that change, by default with the next one.

        Raises:
            NotFound: there is no such board.
            StorageUnavailable: it cannot be read.
        """
        await self._ready.wait()
        if self._failure is not None:
            raise self._failure
        if self._was_deleted:
            # It may have been restored since.
            await asyncio.to_thread(self._store.boards.get, self.board_id)
        reset = None if after is None else await self._reach(after)
        # No await from here on: a change that is told meanwhile would be lost to the watch.
        watch = Watch(person_id, self._recent.newest if after is None else after)
        if reset is not None:
            watch.number = reset.number
        watch.catch_up(self._recent.changes)
        if self.is_over:
            watch.close()
        self.watches.add(watch)
        if person_id is not None and person_id not in self._present:
            self._look_soon()
        return watch, reset

    def leave(self, watch: Watch) -> None:
        self.watches.discard(watch)
        watch.close()
        if watch.person_id is not None:
            asyncio.get_running_loop().call_later(LINGER_S, self._look_if_somebody_left)

    def stop(self) -> None:
        self._task.cancel()

    async def stopped(self) -> None:
        await asyncio.wait([self._task])

    @property
    def is_over(self) -> bool:
        return self._task.done()

    async def _run(self) -> None:
        try:
            with self._store.signals.waiter(self.board_id) as self._waiter:
                self._recent = Recent(await asyncio.to_thread(self._newest))
                self._ready.set()
                while True:
                    await self._tell()
                    await self._waiter.wait(POLL_S)
        except (StorageUnavailable, NotFound) as error:
            self._failure = error
        finally:
            self._waiter = None
            self._ready.set()
            # They come back and catch up.
            for watch in self.watches:
                watch.close()

    def _newest(self) -> int:
        self._store.boards.get(self.board_id)
        return self._store.activity.newest(self.board_id)

    def _look(self) -> None:
        """Makes the feed look again at once."""
        self._gathering = None
        if self._waiter is not None:
            self._waiter.wake()

    def _look_soon(self) -> None:
        if self._gathering is None:
            self._gathering = asyncio.get_running_loop().call_later(GATHER_S, self._look)

    def _look_if_somebody_left(self) -> None:
        if self._present - self._people():
            self._look_soon()

    def _people(self) -> frozenset[str]:
        return frozenset(one.person_id for one in self.watches if one.person_id is not None)

    async def _tell(self) -> None:
        present = self._people()
        try:
            changes, here = await asyncio.to_thread(self._read, present)
        except StorageUnavailable:
            _log.warning("The changes of a board cannot be read right now")
            return
        self._present = present
        self._was_deleted |= any(change.kind == "board.deleted" for change in changes)
        self._recent.add(changes)
        if not self._reaching.locked():
            self._recent.trim()
        for watch in list(self.watches):
            if changes:
                watch.add(changes)
            if here != self.here:
                watch.show(here)
        self.here = here

    def _read(self, present: frozenset[str]) -> tuple[list[Change], Here]:
        rows = self._store.activity.after(self.board_id, self._recent.newest)
        ids = self._presence.renew(self.board_id, present)
        names = self._store.people.names({*ids, *(row.person_id for row in rows)})
        return _changes(rows, names), named(ids, names)

    async def _reach(self, after: int) -> Reset | None:
        """Has all changes since that one in memory, or says why they cannot be told."""
        if self._recent.has_all_after(after):
            return None
        async with self._reaching:
            # Those who come back at the same time have waited for one of them to read it.
            if self._recent.has_all_after(after):
                return None
            if after <= self._lost:
                return Reset(self._recent.newest)
            missed = await asyncio.to_thread(self._missed, after)
            if isinstance(missed, Reset):
                if after < self._recent.begin:
                    self._lost = max(self._lost, after)
                return missed
            self._recent.put_before(*missed)
            return None

    def _missed(self, after: int) -> tuple[int, list[Change]] | Reset:
        """A number up to `after` and what happened since, or why that cannot be told."""
        oldest, newest = self._store.activity.kept()
        # A number from the future is one of another database, before a backup was restored.
        if not oldest - 1 <= after <= newest:
            return Reset(newest)
        begin = max(oldest - 1, after - SPARE)
        rows = self._store.activity.after(self.board_id, begin, limit=SPARE + MOST_MISSED + 1)
        if sum((row.number or 0) > after for row in rows) > MOST_MISSED:
            return Reset(newest)
        names = self._store.people.names(row.person_id for row in rows)
        return begin, _changes(rows, names)


def _changes(rows: Sequence[Activity], names: dict[str, str]) -> list[Change]:
    people = {one: PersonPublic(id=one, name=name) for one, name in names.items()}
    return [
        Change(
            row.number or 0,
            row.kind,
            row.subject_id,
            None if row.person_id is None else people.get(row.person_id),
            row.created_at,
        )
        for row in rows
    ]
