"""Lets a request watch a board or a run, as long as its sender may read it."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from functools import partial
from typing import Annotated

from fastapi import Depends, Header, Path, Query, Request

from service.actor import ACTOR
from service.errors import NotFound
from service.live.happenings import Happening
from service.live.rights import MayStillRead, RightChecks, until_lost
from service.messages import Text
from service.signals import Signals
from service.store.rights import Claim
from service.web.dependencies import FeedsDep, RightChecksDep, SettingsDep, StoreDep
from service.web.guard import token_of
from service.web.sse import Over

LARGEST_NUMBER = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Reader:
    """Who sent a request; `token` is the one that it needed, if any."""

    signals: Signals
    checks: RightChecks
    person_id: str | None
    token: str | None

    def may_still(self, *, board_id: str | None = None, run_id: str | None = None) -> MayStillRead:
        """Tells whether the sender may read that, or do anything at all; whoever has no name may as long
        as the token is valid.
        """
        return partial(
            self.checks.holds, Claim(self.token, self.person_id, board_id=board_id, run_id=run_id)
        )

    def until_lost(self, run_id: str | None = None) -> Over | None:
        """Waits until the sender may not read the run any more, or do nothing at all; None if that
        cannot be.
        """
        if self.person_id is None and self.token is None:
            return None
        return partial(until_lost, self.signals, self.may_still(run_id=run_id))


async def _reader(
    request: Request, store: StoreDep, checks: RightChecksDep, settings: SettingsDep
) -> Reader:
    token = token_of(request.scope) if settings.needs_key else None
    return Reader(store.signals, checks, ACTOR.get().person_id, token)


ReaderDep = Annotated[Reader, Depends(_reader)]


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
    board_id: Annotated[str, Path(min_length=1, max_length=64)],
    feeds: FeedsDep,
    reader: ReaderDep,
    after: Annotated[int | None, Depends(_after)],
) -> AsyncGenerator[Happening, None]:
    """Raises: NotFound, TooManyStreams or StorageUnavailable, at the first happening."""
    if ACTOR.get().role_on(board_id) is None:
        raise NotFound(Text("There is no such board."))
    return feeds.watch(
        board_id,
        person_id=reader.person_id,
        after=after,
        may_still_read=reader.may_still(board_id=board_id),
    )


HappeningsDep = Annotated[AsyncGenerator[Happening, None], Depends(_happenings)]
