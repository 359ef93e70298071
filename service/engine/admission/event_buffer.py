"""The events of one request that its reader has not read yet."""

import asyncio
from collections import deque

from service.engine.types import Delta, Event
from service.errors import ServiceError

# A stream ends with an outcome, an error, or None if the request was cancelled.
Item = Event | ServiceError | None


class EventBuffer:
    """Lets a slow reader lag behind without slowing the model down.

    Its size is bounded by what the request may produce: `max_tokens` deltas and a few other
    events. Deltas that follow each other are read as one, so a slow reader catches up at once.
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
        deltas = [first]
        while self._items and isinstance(delta := self._items[0], Delta):
            deltas.append(delta)
            self._items.popleft()
        return Delta(
            "".join(delta.text for delta in deltas),
            tuple(logprob for delta in deltas for logprob in delta.logprobs),
        )
