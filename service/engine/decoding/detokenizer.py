"""Turns the bytes of tokens into text: whole characters only, and no part of a stop string."""

import codecs
from collections.abc import Sequence


class Detokenizer:
    def __init__(self, stop: Sequence[str] = ()) -> None:
        self._stop = tuple(text for text in stop if text)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._pending = ""
        self.is_stopped = False

    def push(self, piece: bytes) -> str:
        """The text that is now certain; once `is_stopped`, no more follows."""
        self._pending += self._decoder.decode(piece)
        return self._release(self._certain_length())

    def finish(self) -> str:
        """The rest of the text after the last byte; an incomplete character becomes U+FFFD."""
        self._pending += self._decoder.decode(b"", final=True)
        self._certain_length()
        return self._release(len(self._pending))

    def _certain_length(self) -> int:
        """Cut the pending text at a stop string; returns how many characters are certain."""
        if self.is_stopped:
            self._pending = ""
            return 0
        starts = [self._pending.find(stop) for stop in self._stop]
        found = [start for start in starts if start >= 0]
        if found:
            self.is_stopped = True
            self._pending = self._pending[: min(found)]
            return len(self._pending)
        return len(self._pending) - max((self._overlap(stop) for stop in self._stop), default=0)

    def _overlap(self, stop: str) -> int:
        """The length of the longest end of the pending text that may begin a stop string."""
        longest = min(len(stop) - 1, len(self._pending))
        return next((n for n in range(longest, 0, -1) if self._pending.endswith(stop[:n])), 0)

    def _release(self, size: int) -> str:
        text, self._pending = self._pending[:size], self._pending[size:]
        return text
