"""A model's bytes -> text that may be shown: whole characters, and nothing of a stop string."""

import codecs
from collections.abc import Sequence


class Detokenizer:
    def __init__(self, stop: Sequence[str] = ()) -> None:
        self._stop = tuple(text for text in stop if text)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""
        self.is_stopped = False

    def push(self, piece: bytes) -> str:
        """What has become certain; once `is_stopped`, nothing follows."""
        self._held += self._decoder.decode(piece)
        return self._release(self._first_held())

    def finish(self) -> str:
        """The rest, when no more bytes come; an unfinished character shows as U+FFFD."""
        self._held += self._decoder.decode(b"", final=True)
        self._first_held()
        return self._release(len(self._held))

    def _first_held(self) -> int:
        """How much of the held text can be released; cuts it at a stop string."""
        if self.is_stopped:
            self._held = ""
            return 0
        starts = [self._held.find(stop) for stop in self._stop]
        found = [start for start in starts if start >= 0]
        if found:
            self.is_stopped = True
            self._held = self._held[: min(found)]
            return len(self._held)
        return len(self._held) - max((self._overlap(stop) for stop in self._stop), default=0)

    def _overlap(self, stop: str) -> int:
        """The longest end of the held text that a stop string could begin with."""
        longest = min(len(stop) - 1, len(self._held))
        return next((n for n in range(longest, 0, -1) if self._held.endswith(stop[:n])), 0)

    def _release(self, size: int) -> str:
        text, self._held = self._held[:size], self._held[size:]
        return text
