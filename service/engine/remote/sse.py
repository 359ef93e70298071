"""Parses the bytes of a text/event-stream into events, as the HTML standard says.

The ids and retry times of events are ignored.
"""

import re

LIMIT_BYTES = 1024 * 1024
_LINE_END = re.compile(rb"\r\n|\n|\r")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class EventTooLargeError(Exception):
    """A line or an event is longer than the limit."""


class EventReader:
    """Chunks may end anywhere, even within a character or a line end.

    An event that is not followed by an empty line before the stream ends is dropped.
    """

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._is_first = True
        self._is_after_return = False
        self._line = bytearray()
        self._name = b""
        self._data: list[bytes] = []
        self._size_bytes = 0

    def feed(self, chunk: bytes) -> list[str]:
        """The data of the events that this chunk completes.

        Raises:
            EventTooLargeError: an event is longer than the limit.
        """
        return [data for _, data in self.feed_named(chunk)]

    def feed_named(self, chunk: bytes) -> list[tuple[str, str]]:
        """Names and data of the events; an event without a name is a `message`."""
        if not chunk:
            return []
        if self._is_after_return:
            # The last chunk ended with a carriage return; a line feed now belongs to it.
            chunk = chunk.removeprefix(b"\n")
        self._is_after_return = chunk.endswith(b"\r")
        *ended, rest = _LINE_END.split(chunk)
        found: list[tuple[str, str]] = []
        for piece in ended:
            self._extend(piece)
            found += self._end_line()
        self._extend(rest)
        return found

    def _extend(self, piece: bytes) -> None:
        self._line += piece
        if self._size_bytes + len(self._line) > self._limit_bytes:
            raise EventTooLargeError

    def _end_line(self) -> list[tuple[str, str]]:
        line = bytes(self._line)
        self._line.clear()
        if self._is_first:
            line = line.removeprefix(_BYTE_ORDER_MARK)
            self._is_first = False
        if not line:
            return self._end_event()
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))
            self._size_bytes += len(line)
        elif name == b"event":
            self._name = value.removeprefix(b" ")
        return []

    def _end_event(self) -> list[tuple[str, str]]:
        name, self._name = self._name.decode("utf-8", "replace") or "message", b""
        if not self._data:
            return []
        data = b"\n".join(self._data).decode("utf-8", "replace")
        self._data.clear()
        self._size_bytes = 0
        return [(name, data)]
