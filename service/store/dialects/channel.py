"""Carries signals between the servers on a database of PostgreSQL, by NOTIFY and LISTEN.

A signal is sent with the transaction that it tells of, so nobody is woken before there is something to
read. While a server has no connection, it misses signals; so when it has one again, all who wait are
woken.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any, Self

import psycopg
from sqlalchemy import text
from sqlmodel import Session

CHANNEL = "ideapool"
# A connection that broke without a word is found within this time.
CHECK_S = 10.0
PAUSE_S = 0.5
_NOTIFY = text(
    "SELECT pg_notify(:channel, payload) FROM unnest(CAST(:payloads AS TEXT[])) AS payload"
)
Connect = Callable[[], "Awaitable[psycopg.AsyncConnection[Any]]"]
_log = logging.getLogger(__name__)


def notify(session: Session, origin: str, topics: Iterable[str]) -> None:
    """Sends topics with the session's transaction. `origin` is the sender's id."""
    payloads = [f"{origin} {topic}" for topic in topics]
    if payloads:
        session.connection().execute(_NOTIFY, {"channel": CHANNEL, "payloads": payloads})


class Channel(AbstractAsyncContextManager["Channel"]):
    """Listens while it is open. `heard` is called with the topics of other servers, `missed` whenever
    some may have been missed.
    """

    def __init__(
        self,
        connect: Connect,
        origin: str,
        heard: Callable[[str], None],
        missed: Callable[[], None],
    ) -> None:
        self._connect = connect
        self._origin = origin
        self._heard = heard
        self._missed = missed
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._repeat())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _repeat(self) -> None:
        is_away = False
        while True:
            try:
                async with await self._connect() as connection:
                    await connection.execute(b"LISTEN " + CHANNEL.encode())
                    if is_away:
                        _log.warning("signals of other servers are heard again")
                    is_away = False
                    self._missed()
                    await self._listen(connection)
            except (psycopg.Error, OSError) as error:
                if not is_away:
                    reason = str(error).strip().partition("\n")[0]
                    _log.warning("signals of other servers cannot be heard: %s", reason)
                is_away = True
            await asyncio.sleep(PAUSE_S)

    async def _listen(self, connection: "psycopg.AsyncConnection[Any]") -> None:
        while True:
            async for signal in connection.notifies(timeout=CHECK_S):
                origin, _, topic = signal.payload.partition(" ")
                if origin != self._origin:
                    self._heard(topic)
            await connection.execute(b"SELECT 1")
