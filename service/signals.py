"""Wakes those who wait for news of a topic, for example of a board.

A signal carries no data: who is woken reads the database, so that a lost or a doubled one does no
harm.
"""

import asyncio
import threading
from collections.abc import Collection

# The topic of people, their roles and their keys. Other topics are ids of boards.
PEOPLE = "people"


class Signals:
    """Safe to use from any thread; each waiter is woken in its own event loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, set[Waiter]] = {}

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits."""
        return not self._waiting

    def announce(self, topics: Collection[str]) -> None:
        with self._lock:
            waiters = [one for topic in topics for one in self._waiting.get(topic, ())]
        for waiter in waiters:
            waiter.wake()

    def announce_all(self) -> None:
        """Wakes everybody, for when it is not known what has happened."""
        with self._lock:
            waiters = {one for waiting in self._waiting.values() for one in waiting}
        for waiter in waiters:
            waiter.wake()

    def waiter(self, *topics: str) -> "Waiter":
        """Must be made, in the event loop that waits, before the database is read: what is announced
        from then on is not missed.
        """
        return Waiter(self, topics)

    def add(self, waiter: "Waiter") -> None:
        with self._lock:
            for topic in waiter.topics:
                self._waiting.setdefault(topic, set()).add(waiter)

    def remove(self, waiter: "Waiter") -> None:
        with self._lock:
            for topic in waiter.topics:
                waiters = self._waiting.get(topic, set())
                waiters.discard(waiter)
                if not waiters:
                    self._waiting.pop(topic, None)


class Waiter:
    """A context manager that collects signals while it is open."""

    def __init__(self, signals: Signals, topics: tuple[str, ...]) -> None:
        self.topics = topics
        self._signals = signals
        self._loop = asyncio.get_running_loop()
        self._signalled = asyncio.Event()

    def __enter__(self) -> "Waiter":
        self._signals.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._signals.remove(self)

    def wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._signalled.set)
        except RuntimeError:
            # The loop is closed, so nobody waits any more.
            return

    async def wait(self, timeout_s: float) -> bool:
        """Returns whether there was a signal since the last call; returns at once if so."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._signalled.wait()
        except TimeoutError:
            return False
        self._signalled.clear()
        return True
