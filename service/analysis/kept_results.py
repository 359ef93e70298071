"""Results that are kept as long as what they were made from stays the same."""

from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from threading import Lock
from typing import Generic, TypeVar

MOST_KEPT = 16
Result = TypeVar("Result")


class KeptResults(Generic[Result]):
    """Keeps the results that were asked for last. Any thread may ask."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, Result] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, source: str, make: Callable[[], Result]) -> Result:
        """The result for `source`. Two threads that ask at the same time both make it."""
        key = sha256(source.encode()).digest()
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        result = make()
        with self._lock:
            self._kept[key] = result
            if len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return result
