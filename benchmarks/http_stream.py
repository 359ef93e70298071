"""An HTTP/1.1 answer read piece by piece into server-sent events. Knows no socket.

As little as a load generator needs, because it shares the machine with the server it measures.
"""


class Answer:
    """One response: `feed` what arrives, get the payloads of the events it completes."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.is_over = False
        self._raw = b""
        self._text = b""
        self._is_chunked = False
        self._left = 0

    def feed(self, data: bytes) -> list[bytes]:
        self._raw += data
        if not self.status and not self._read_head():
            return []
        if self._is_chunked:
            self._read_chunks()
        else:
            self._text += self._raw
            self._raw = b""
        *lines, self._text = self._text.split(b"\n")
        return [line[5:].strip() for line in lines if line.startswith(b"data:")]

    @property
    def rest(self) -> str:
        """What came and is no event: the text of an error."""
        return (self._text + self._raw).decode(errors="replace")

    def _read_head(self) -> bool:
        head, separator, rest = self._raw.partition(b"\r\n\r\n")
        if not separator:
            return False
        first, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(first.split()[1])
        for line in lines:
            name, _, value = line.partition(":")
            self.headers[name.strip().lower()] = value.strip()
        self._is_chunked = self.headers.get("transfer-encoding", "").lower() == "chunked"
        self._raw = rest
        return True

    def _read_chunks(self) -> None:
        while self._raw:
            if self._left:
                # The two bytes after a chunk's data are its line end.
                taken = self._raw[: max(0, self._left - 2)]
                used = min(len(self._raw), self._left)
                self._text += taken
                self._raw = self._raw[used:]
                self._left -= used
                continue
            size, separator, rest = self._raw.partition(b"\r\n")
            if not separator:
                return
            length = int(size.split(b";")[0], 16)
            if length == 0:
                self.is_over = True
                return
            self._raw = rest
            self._left = length + 2
