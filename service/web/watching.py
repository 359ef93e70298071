"""Lets a request watch a board, as long as its sender may read it."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Annotated

from fastapi import Depends, Header, Path, Query, Request

from service.actor import ACTOR
from service.errors import NotFound
from service.live.happenings import Happening
from service.messages import Text
from service.store import Store
from service.web.dependencies import FeedsDep, SettingsDep, StoreDep
from service.web.guard import token_of

LARGEST_NUMBER = 2**63 - 1


async def _after(
    after: Annotated[
        int | None,
        Query(ge=0, le=LARGEST_NUMBER, description="Sends what happened after this change first."),
    ] = None,
    last_event_id: Annotated[
        str | None,
        Header(max_length=20, description="The same; browsers send it when they connect again."),
    ] = None,
) -> int | None:
    is_number = last_event_id is not None and last_event_id.isascii() and last_event_id.isdigit()
    return min(int(last_event_id or 0), LARGEST_NUMBER) if is_number else after


async def _happenings(
    request: Request,
    board_id: Annotated[str, Path(min_length=1, max_length=64)],
    feeds: FeedsDep,
    store: StoreDep,
    settings: SettingsDep,
    after: Annotated[int | None, Depends(_after)],
) -> AsyncGenerator[Happening, None]:
    """Raises: NotFound, TooManyStreams or StorageUnavailable, at the first happening."""
    actor = ACTOR.get()
    if actor.role_on(board_id) is None:
        raise NotFound(Text("There is no such board."))
    token = token_of(request.headers) if settings.needs_key else None

    async def may_still_read() -> bool:
        return await asyncio.to_thread(_may_read, store, board_id, actor.person_id, token)

    return feeds.watch(
        board_id, person_id=actor.person_id, after=after, may_still_read=may_still_read
    )


def _may_read(store: Store, board_id: str, person_id: str | None, token: str | None) -> bool:
    if token is not None and not store.keys.is_valid(token):
        return False
    return person_id is None or store.rights.may_read(person_id, board_id)


HappeningsDep = Annotated[AsyncGenerator[Happening, None], Depends(_happenings)]
