"""Feeds of boards in a loop of the test's own, without a server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from service.live.feeds import BoardFeeds
from service.live.presence import LocalPresence
from service.store import Store

# Proves nothing: a busy machine may take long.
PATIENCE_S = 30


async def allowed() -> bool:
    return True


@asynccontextmanager
async def feeds_of(store: Store, limit: int = 1000) -> AsyncIterator[BoardFeeds]:
    feeds = BoardFeeds(store, LocalPresence(), limit=limit)
    try:
        yield feeds
    finally:
        await feeds.close()


def watching(feeds: BoardFeeds, board: str, **options: Any) -> Any:
    options = {"person_id": None, "after": None, "may_still_read": allowed} | options
    return feeds.watch(board, **options)
