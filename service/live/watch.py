"""One watcher's share of what happens on a board."""

import asyncio
from collections import deque
from collections.abc import Iterable

from service.live.happenings import Change, Happening, Here, Quiet

# A watcher that reads so slowly is closed; it comes back and catches up.
MOST_WAITING = 256


class Watch:
    """Filled by the board's feed and read by one stream, in one event loop."""

    def __init__(self, person_id: str | None, number: int) -> None:
        self.person_id = person_id
        # The last change that was sent or is waiting.
        self.number = number
        self.is_closed = False
        self._waiting: deque[Happening] = deque()
        self._here: Here | None = None
        self._doubted = False
        self._filled = asyncio.Event()

    def add(self, changes: Iterable[Change]) -> None:
        for change in changes:
            if change.number <= self.number:
                continue
            if len(self._waiting) >= MOST_WAITING:
                self.close()
                return
            self._waiting.append(change)
            self.number = change.number
        self._filled.set()

    def catch_up(self, changes: Iterable[Change]) -> None:
        """Adds what it missed before it came, however much that is."""
        missed = [change for change in changes if change.number > self.number]
        if missed:
            self._waiting.extend(missed)
            self.number = missed[-1].number
            self._filled.set()

    def show(self, here: Here) -> None:
        """Only the newest waits, since it replaces the ones before."""
        self._here = here
        self._filled.set()

    def doubt(self) -> None:
        """Makes the stream check at once whether its reader may still see the board."""
        self._doubted = True
        self._filled.set()

    def close(self) -> None:
        self.is_closed = True
        self._filled.set()

    def is_doubted(self) -> bool:
        """Whether the right was doubted since the last call."""
        doubted, self._doubted = self._doubted, False
        return doubted

    async def take(self, patience_s: float) -> list[Happening]:
        """Waits for happenings; returns `Quiet` after that time, and nothing if only `doubt` or
        `close` woke it.
        """
        try:
            async with asyncio.timeout(patience_s):
                await self._filled.wait()
        except TimeoutError:
            return [Quiet()]
        self._filled.clear()
        taken = list(self._waiting)
        self._waiting.clear()
        if self._here is not None:
            taken.append(self._here)
            self._here = None
        return taken
