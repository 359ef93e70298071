"""A request while the backend has it: what its reader has not read yet, how long such ones take."""

import asyncio
import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from service.engine.types import Delta, Event, GenerateRequest, Request
from service.errors import DeadlineExceeded, ServiceError
from service.messages import Text

# The end of a stream is its last event, an error, or None for a cancelled request.
Item = Event | ServiceError | None

FIRST_GUESS_S = 10.0
LONGEST_RETRY_AFTER_S = 120
# The share of the latest request in the mean.
WEIGHT = 0.2


class Inbox:
    """A reader never slows the model down: what it has not read waits here.

    That is bounded by what the request may produce: `max_tokens` pieces of text and a few events.
    Pieces that follow each other are read as one, so a slow reader catches up at once.
    """

    def __init__(self) -> None:
        self._items: deque[Item] = deque()
        self._has_items = asyncio.Event()

    def put(self, item: Item) -> None:
        self._items.append(item)
        self._has_items.set()

    async def get(self) -> Item:
        while not self._items:
            self._has_items.clear()
            await self._has_items.wait()
        item = self._items.popleft()
        if type(item) is Delta and self._items and type(self._items[0]) is Delta:
            return self._merged(item)
        return item

    def _merged(self, first: Delta) -> Delta:
        pieces = [first]
        while self._items and isinstance(piece := self._items[0], Delta):
            pieces.append(piece)
            self._items.popleft()
        return Delta(
            "".join(piece.text for piece in pieces),
            tuple(one for piece in pieces for one in piece.logprobs),
        )


@dataclass(slots=True)
class Job:
    """`is_cancelled` once nobody reads it any more while the process still works on it."""

    request: Request
    inbox: Inbox = field(default_factory=Inbox)
    position: int = 0
    sent_at: float = 0.0
    sendings: int = 0
    has_started: bool = False
    is_cancelled: bool = False

    @property
    def timeout_s(self) -> float:
        timeout_s = self.request.timeout_s if isinstance(self.request, GenerateRequest) else None
        return math.inf if timeout_s is None else timeout_s

    def overdue(self) -> DeadlineExceeded:
        return DeadlineExceeded(
            Text(
                "Not done within %(seconds)s s, waiting included; what came until then "
                "stands. Ask for less, or allow more time.",
                seconds=format(self.timeout_s, "g"),
            )
        )


class Pace:
    """How long requests took lately, and so how long those who wait will."""

    def __init__(self, slots: Mapping[str, int]) -> None:
        self._slots = slots
        self._mean_s = dict.fromkeys(slots, FIRST_GUESS_S)

    def note(self, model: str, took_s: float) -> None:
        self._mean_s[model] += WEIGHT * (took_s - self._mean_s[model])

    def retry_after_s(self, model: str, waiting: int) -> int:
        """By then all who wait for the model have begun, and there is a place again."""
        rounds = (waiting + 1) / self._slots[model]
        return min(LONGEST_RETRY_AFTER_S, max(1, math.ceil(rounds * self._mean_s[model])))
