"""Reads what happens on a board once for all who watch it through this server."""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence

from service.errors import StorageUnavailable
from service.live.happenings import Change, Here, Reset, named
from service.live.presence import Presence
from service.live.watch import Watch
from service.schemas.people import PersonPublic
from service.signals import Waiter
from service.store import Store
from service.store.team_tables import Activity

# A signal wakes the feed. This is for one that was lost, and it renews the presence.
POLL_S = 15.0
# So many changes are kept in memory, for watchers that connect again.
MOST_KEPT = 500
# Who missed more than this loads the board again.
MOST_MISSED = 500
# How long a person stays on the list after the last stream has ended, so that a page that is loaded
# again does not make the name flicker.
LINGER_S = 3.0
_log = logging.getLogger(__name__)


class BoardFeed:
    """One task that runs while anybody watches the board. `here` is what was last told."""

    def __init__(self, store: Store, presence: Presence, board_id: str) -> None:
        self.board_id = board_id
        self.here = Here()
        self.watches: set[Watch] = set()
        self._store = store
        self._presence = presence
        self._number = 0
        self._kept_from = 0
        self._kept: deque[Change] = deque(maxlen=MOST_KEPT)
        self._ready = asyncio.Event()
        self._failure: StorageUnavailable | None = None
        self._waiter: Waiter | None = None
        self._task = asyncio.create_task(self._run())

    async def join(self, person_id: str | None, after: int | None) -> tuple[Watch, Reset | None]:
        """Returns a watch that begins after that change, by default with the next one.

        Raises: StorageUnavailable.
        """
        await self._ready.wait()
        if self._failure is not None:
            raise self._failure
        missed: Sequence[Change] = ()
        reset = None
        if after is not None and not self._kept_from <= after <= self._number:
            missed, reset = await asyncio.to_thread(self._missed, after)
        # No await from here on: a change that is told meanwhile would be lost to the watch.
        watch = Watch(person_id, self._number if after is None else after)
        if reset is not None:
            watch.number = reset.number
        watch.add(missed)
        watch.add(self._kept)
        if self.is_over:
            watch.close()
        self.watches.add(watch)
        self.look()
        return watch, reset

    def leave(self, watch: Watch) -> None:
        self.watches.discard(watch)
        watch.close()
        asyncio.get_running_loop().call_later(LINGER_S, self.look)

    def look(self) -> None:
        """Makes the feed look again at once."""
        if self._waiter is not None:
            self._waiter.wake()

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
                self._number = await asyncio.to_thread(self._store.activity.newest, self.board_id)
                self._kept_from = self._number
                self._ready.set()
                while True:
                    await self._waiter.wait(POLL_S)
                    await self._tell()
        except StorageUnavailable as error:
            self._failure = error
        finally:
            self._waiter = None
            self._ready.set()
            # They come back and catch up.
            for watch in self.watches:
                watch.close()

    async def _tell(self) -> None:
        present = frozenset(one.person_id for one in self.watches if one.person_id is not None)
        try:
            changes, here = await asyncio.to_thread(self._read, present)
        except StorageUnavailable:
            _log.warning("The changes of a board cannot be read right now")
            return
        for change in changes:
            if len(self._kept) == MOST_KEPT:
                self._kept_from = self._kept[0].number
            self._kept.append(change)
            self._number = change.number
        for watch in list(self.watches):
            if changes:
                watch.add(changes)
            if here != self.here:
                watch.show(here)
        self.here = here

    def _read(self, present: frozenset[str]) -> tuple[list[Change], Here]:
        rows = self._store.activity.after(self.board_id, self._number)
        ids = self._presence.renew(self.board_id, present)
        names = self._store.people.names({*ids, *(row.person_id for row in rows)})
        return [_change(row, names) for row in rows], named(ids, names)

    def _missed(self, after: int) -> tuple[Sequence[Change], Reset | None]:
        """What a watcher has missed since that change, or why it cannot be told."""
        oldest, newest = self._store.activity.kept()
        rows = self._store.activity.after(self.board_id, after, limit=MOST_MISSED + 1)
        # A number from the future is one of another database, before a backup was restored.
        if not oldest - 1 <= after <= newest or len(rows) > MOST_MISSED:
            return (), Reset(newest)
        names = self._store.people.names(row.person_id for row in rows)
        return [_change(row, names) for row in rows], None


def _change(row: Activity, names: dict[str, str]) -> Change:
    person = None
    if row.person_id is not None and row.person_id in names:
        person = PersonPublic(id=row.person_id, name=names[row.person_id])
    return Change(row.number or 0, row.kind, row.subject_id, person, row.created_at)
