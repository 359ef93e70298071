"""The last changes of a board, in memory for watchers that connect again.

It reads nothing: the feed gives it what happened.
"""

from collections import deque
from collections.abc import Iterable

from service.live.happenings import Change

# So many changes are kept of a board.
MOST_KEPT = 500


class Recent:
    """All changes after the number `begin` up to `newest`, oldest first."""

    def __init__(self, newest: int) -> None:
        self.begin = self.newest = newest
        self.changes: deque[Change] = deque()

    def has_all_after(self, number: int) -> bool:
        return self.begin <= number <= self.newest

    def add(self, changes: Iterable[Change]) -> None:
        for change in changes:
            self.changes.append(change)
            self.newest = change.number

    def put_before(self, begin: int, changes: Iterable[Change]) -> None:
        """`changes` are all that happened after `begin`; some of them may be here already."""
        older = [change for change in changes if change.number <= self.begin]
        self.changes.extendleft(reversed(older))
        self.begin = min(self.begin, begin)

    def trim(self) -> None:
        while len(self.changes) > MOST_KEPT:
            self.begin = self.changes.popleft().number
