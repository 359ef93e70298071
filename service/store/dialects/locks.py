"""Locks by name that one holder at a time has: of this process, or of all on a database.

They are for work that takes longer than a transaction. They end with their process, however that ends.
"""

import asyncio
import hashlib
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import psycopg

from service.errors import StorageUnavailable
from service.messages import Text


class Locks:
    """For a database that only this process uses. Its methods block: call them in a thread."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._held: set[str] = set()

    @asynccontextmanager
    async def held(self, name: str) -> AsyncIterator[bool]:
        """Yields whether the lock was free and is held until the end of the block.

        Raises: as `take`
        """
        is_held = await asyncio.to_thread(self.take, name)
        try:
            yield is_held
        finally:
            if is_held:
                # Shielded: whoever is cancelled must still release it.
                await asyncio.shield(asyncio.to_thread(self.release, name))

    def take(self, name: str) -> bool:
        """Raises: StorageUnavailable if the database of several servers cannot be asked."""
        with self._guard:
            if name in self._held or not self._is_free(name):
                return False
            self._held.add(name)
            return True

    def release(self, name: str) -> None:
        with self._guard:
            self._held.discard(name)
            self._let_go(name)

    def close(self) -> None:
        """Ends all locks."""

    def _is_free(self, name: str) -> bool:  # noqa: ARG002
        return True

    def _let_go(self, name: str) -> None:
        pass


class AdvisoryLocks(Locks):
    """All locks of this process are on one connection. When it breaks, the database ends them; they
    are taken again with the next one, as far as nobody else has taken them.
    """

    def __init__(self, connect: "Callable[[], psycopg.Connection[Any]]") -> None:
        super().__init__()
        self._connect = connect
        self._connection: psycopg.Connection[Any] | None = None

    def close(self) -> None:
        with self._guard:
            self._drop()

    def _is_free(self, name: str) -> bool:
        try:
            return self._ask("SELECT pg_try_advisory_lock(%s)", name)
        except psycopg.Error:
            self._drop()
        try:
            return self._ask("SELECT pg_try_advisory_lock(%s)", name)
        except psycopg.Error as error:
            self._drop()
            raise StorageUnavailable(
                Text(
                    "The database cannot be used right now (%(reason)s). Nothing was saved. %(advice)s",
                    reason=error.diag.message_primary or Text("no connection to the server"),
                    advice=Text("Try again."),
                )
            ) from error

    def _let_go(self, name: str) -> None:
        if self._connection is None:
            return
        try:
            self._ask("SELECT pg_advisory_unlock(%s)", name)
        except psycopg.Error:
            self._drop()

    def _ask(self, question: str, name: str) -> bool:
        if self._connection is None:
            self._connection = self._connect()
            for held in self._held:
                self._ask("SELECT pg_try_advisory_lock(%s)", held)
        row = self._connection.execute(question.encode(), [_number(name)]).fetchone()
        return bool(row and row[0])

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _number(name: str) -> int:
    """PostgreSQL names locks by integers of 64 bits."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
