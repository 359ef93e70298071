"""The feeds of all boards that somebody watches, and the limit of their streams."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from service.errors import StorageUnavailable, TooManyStreams
from service.live.feed import BoardFeed
from service.live.happenings import Happening, Here
from service.live.presence import Presence
from service.live.rights import RECHECK_S, MayStillRead
from service.messages import Text
from service.signals import PEOPLE
from service.store import Store

# What the watcher hears of at least so often, so that it notices a dead connection.
BEAT_S = 15.0
RETRY_AFTER_S = 5
# A feed that nobody watches any more ends after this time; most who load a page come back at once.
IDLE_S = 30.0


class BoardFeeds:
    """`limit` is the largest number of open streams."""

    def __init__(self, store: Store, presence: Presence, *, limit: int) -> None:
        self._store = store
        self._presence = presence
        self._limit = limit
        self._feeds: dict[str, BoardFeed] = {}
        self._open = 0
        self._is_closed = False
        self._doubting: asyncio.Task[None] | None = None

    @property
    def open_streams(self) -> int:
        return self._open

    def here(self, board_id: str) -> Here:
        """Who is at the board, as its watchers were last told."""
        feed = self._feeds.get(board_id)
        return feed.here if feed is not None else Here()

    async def watch(
        self,
        board_id: str,
        *,
        person_id: str | None,
        after: int | None,
        may_still_read: MayStillRead,
    ) -> AsyncGenerator[Happening, None]:
        """What happens on the board until the watcher leaves, is too slow, or may not read it.

        Raises:
            NotFound: there is no such board.
            TooManyStreams: the server has as many streams as it may.
            StorageUnavailable: the board cannot be read.
        """
        if self._open >= self._limit or self._is_closed:
            raise TooManyStreams(
                Text("Too many pages are open at this server. Changes are shown when you reload."),
                retry_after_s=RETRY_AFTER_S,
            )
        self._open += 1
        try:
            stream = self._stream(board_id, person_id, after, may_still_read)
            async with aclosing(stream):
                async for happening in stream:
                    yield happening
        finally:
            self._open -= 1

    async def close(self) -> None:
        """Ends all streams."""
        self._is_closed = True
        feeds, self._feeds = list(self._feeds.values()), {}
        for feed in feeds:
            feed.stop()
        if self._doubting is not None:
            self._doubting.cancel()
        for feed in feeds:
            await feed.stopped()

    async def _stream(
        self, board_id: str, person_id: str | None, after: int | None, may_still_read: MayStillRead
    ) -> AsyncGenerator[Happening, None]:
        feed = self._feed(board_id)
        try:
            watch, reset = await feed.join(person_id, after)
        finally:
            self._drop_over(feed)
        try:
            # The first event comes at once, so that the watcher knows that it is connected.
            begins = watch.number if after is None else after
            yield replace(feed.here, number=begins) if reset is None else reset
            while not watch.is_closed:
                happenings = await watch.take(BEAT_S)
                if watch.is_doubted() and not await _may_still(may_still_read):
                    return
                for happening in happenings:
                    yield happening
        finally:
            feed.leave(watch)
            asyncio.get_running_loop().call_later(IDLE_S, self._drop_idle, board_id)

    def _feed(self, board_id: str) -> BoardFeed:
        if self._doubting is None:
            self._doubting = asyncio.create_task(self._doubt())
        feed = self._feeds.get(board_id)
        if feed is None or feed.is_over:
            feed = self._feeds[board_id] = BoardFeed(self._store, self._presence, board_id)
        return feed

    def _drop_over(self, feed: BoardFeed) -> None:
        """There is no such board, or it could not be read."""
        if feed.is_over and self._feeds.get(feed.board_id) is feed:
            del self._feeds[feed.board_id]

    def _drop_idle(self, board_id: str) -> None:
        feed = self._feeds.get(board_id)
        if feed is not None and not feed.watches:
            del self._feeds[board_id]
            feed.stop()

    async def _doubt(self) -> None:
        """Has every stream check its reader's right when people, roles or keys have changed, and every
        few seconds.
        """
        with self._store.signals.waiter(PEOPLE) as waiter:
            while True:
                await waiter.wait(RECHECK_S)
                for feed in self._feeds.values():
                    for watch in feed.watches:
                        watch.doubt()


async def _may_still(may_still_read: MayStillRead) -> bool:
    """While the database cannot be asked, nothing comes from it either."""
    try:
        return await may_still_read()
    except StorageUnavailable:
        return True
