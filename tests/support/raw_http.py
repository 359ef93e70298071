"""HTTP on connections of its own, so that a test decides when to send, to read and to disconnect."""

import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any

from tests.support.app_server import Server

PATIENCE_S = 120.0
DONE = b"[DONE]"
# Begun requests, whose headers do not end yet.
HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\n"
Event = tuple[str, dict[str, Any]]


class Call:
    """An HTTP call. With `is_narrow`, the kernel buffers about 100 KB of what is not read, else 3 MB.

    Calls with different `source` addresses come from different clients.
    """

    def __init__(
        self, server: Server, *, is_narrow: bool = False, source: str = "127.0.0.1"
    ) -> None:
        self.socket = socket.socket()
        self.socket.bind((source, 0))
        self.socket.settimeout(PATIENCE_S)
        if is_narrow:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        self.socket.connect(("127.0.0.1", server.port))
        self._answer: http.client.HTTPResponse | None = None

    def __enter__(self) -> "Call":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get(self, path: str, accept: str = "text/event-stream") -> "Call":
        head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: {accept}\r\n\r\n"
        self.socket.sendall(head.encode())
        return self

    def post(self, path: str, body: dict[str, Any], accept: str = "text/event-stream") -> "Call":
        content = json.dumps(body).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: {accept}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        self.socket.sendall(head.encode() + content)
        return self

    @property
    def answer(self) -> http.client.HTTPResponse:
        """The response; waits for its headers."""
        if self._answer is None:
            self._answer = http.client.HTTPResponse(self.socket, method="POST")
            self._answer.begin()
        return self._answer

    def events(self) -> Iterator[Event]:
        """The events until the stream ends; `[DONE]` becomes an event of that name without data."""
        name = ""
        while line := self.answer.readline():
            if line.startswith(b"event:"):
                name = line[6:].strip().decode()
            elif line.startswith(b"data:"):
                data = line[5:].strip()
                yield (DONE.decode(), {}) if data == DONE else (name, json.loads(data))

    def close(self) -> None:
        if self._answer is not None:
            self._answer.close()
        self.socket.close()


def chat(text: str, max_tokens: int, **more: Any) -> dict[str, Any]:
    """The body of a streamed completion; its temperature keeps a small model from ending soon."""
    messages = [{"role": "user", "content": text}]
    body = {"model": "general", "messages": messages, "max_tokens": max_tokens, "stream": True}
    return body | {"temperature": 1.2, "seed": 1} | more


def endless(text: str, max_tokens: int, **more: Any) -> dict[str, Any]:
    """A completion that continues to `max_tokens`: the small model's end tokens are forbidden."""
    return chat(text, max_tokens, logit_bias={"0": -100, "2": -100}, **more)


def answer(connection: socket.socket) -> bytes:
    """What comes until the server closes; nothing if it resets the connection."""
    found = b""
    try:
        while data := connection.recv(65536):
            found += data
    except ConnectionError:
        pass
    return found


def status(connection: socket.socket) -> bytes:
    return connection.recv(65536).split(b"\r\n")[0]


def send_until_refused(connection: socket.socket, part: bytes, most: int) -> int:
    """How many bytes the server took before it closed the connection."""
    sent = 0
    try:
        while sent < most:
            connection.sendall(part)
            sent += len(part)
    except (ConnectionError, TimeoutError):
        pass
    return sent
