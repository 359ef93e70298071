"""What a connection may cost before the app sees a request, on a real server with real sockets."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from service.cli.connections import BoundedConfig, ConnectionLimits
from tests.support.app_server import listening
from tests.support.raw_http import HEAD, POST, answer, send_until_refused, status

PATIENCE_S = 20.0
Connect = Callable[[], socket.socket]


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the size of the body; `/endless` streams without end."""
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while scope["path"] == "/endless":
        await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
    await send({"type": "http.response.body", "body": str(size).encode()})


@contextmanager
def server(**limits: float) -> Iterator[Connect]:
    listener = listening()
    config = BoundedConfig(
        app,
        ConnectionLimits(**limits),  # type: ignore[arg-type]
        log_level="error",
        lifespan="off",
    )
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
    thread.start()
    opened: list[socket.socket] = []

    def connect() -> socket.socket:
        opened.append(socket.create_connection(listener.getsockname(), PATIENCE_S))
        return opened[-1]

    try:
        while not running.started:
            time.sleep(0.01)
        yield connect
    finally:
        for one in opened:
            one.close()
        running.should_exit = running.force_exit = True
        thread.join(PATIENCE_S)
        listener.close()


def test_a_request_within_the_limits_is_answered_again_and_again() -> None:
    with server() as connect:
        connection = connect()
        for _ in range(3):
            connection.sendall(POST + b"Content-Length: 3\r\n\r\nabc")
            assert status(connection) == b"HTTP/1.1 200 OK"


@pytest.mark.parametrize(
    "part", [b"X-Long: " + b"a" * 1000 + b"\r\n", b"a" * 65536], ids=["many", "one"]
)
def test_headers_without_end_are_cut_off(part: bytes) -> None:
    with server() as connect:
        connection = connect()
        connection.sendall(HEAD + b"X-First: ")
        sent = send_until_refused(connection, part, 200 * 2**20)

    # The rest is what the kernel buffers.
    assert sent < 20 * 2**20


def test_trailers_without_end_are_cut_off() -> None:
    with server() as connect:
        connection = connect()
        connection.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Trailer: ")
        sent = send_until_refused(connection, b"a" * 65536, 200 * 2**20)

    assert sent < 20 * 2**20


@pytest.mark.parametrize(
    "headers", [b"X-A: 1\r\n" * 101, b"X-A: " + b"a" * 70_000 + b"\r\n"], ids=["count", "size"]
)
def test_too_many_headers_are_refused_with_431(headers: bytes) -> None:
    with server() as connect:
        connection = connect()
        connection.sendall(HEAD + headers + b"\r\n")

        assert status(connection) == b"HTTP/1.1 431 Request Header Fields Too Large"


def test_half_a_request_is_closed_after_its_time() -> None:
    with server(head_s=0.3) as connect:
        waiting = [connect() for _ in range(20)]
        for one in waiting:
            one.sendall(HEAD)

        assert {answer(one).split(b"\r\n")[0] for one in waiting} == {
            b"HTTP/1.1 408 Request Timeout"
        }


def test_a_connection_that_is_never_used_is_closed_without_a_word() -> None:
    with server(head_s=0.3) as connect:
        assert answer(connect()) == b""


def test_headers_that_drip_are_closed_after_their_time() -> None:
    with server(head_s=0.5) as connect:
        connection = connect()
        connection.sendall(HEAD)
        began = time.monotonic()
        try:
            while time.monotonic() - began < PATIENCE_S:
                connection.sendall(b"X: 1\r\n")
                time.sleep(0.2)
        except ConnectionError:
            pass

        assert time.monotonic() - began < 5


def test_a_body_that_does_not_come_is_closed_and_a_slow_one_is_not() -> None:
    with server(body_s=0.5, body_bytes_per_s=100) as connect:
        still, slow = connect(), connect()
        still.sendall(POST + b"Content-Length: 1000\r\n\r\nabc")
        slow.sendall(POST + b"Content-Length: 1000\r\n\r\n")
        for _ in range(10):
            slow.sendall(b"a" * 100)
            time.sleep(0.1)

        assert status(slow) == b"HTTP/1.1 200 OK"
        answer(still)


def test_connections_over_the_limit_are_refused_and_the_others_go_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with server(connections=5) as connect:
        first = [connect() for _ in range(5)]
        first[4].sendall(HEAD + b"\r\n")
        assert status(first[4]) == b"HTTP/1.1 200 OK"
        refused = [answer(connect()) for _ in range(20)]
        for one in first:
            one.sendall(HEAD + b"\r\n")

        assert all(one.startswith(b"HTTP/1.1 503") and b"Retry-After" in one for one in refused)
        assert {status(one) for one in first} == {b"HTTP/1.1 200 OK"}
        first.pop().close()
        time.sleep(0.3)
        last = connect()
        last.sendall(HEAD + b"\r\n")
        assert status(last) == b"HTTP/1.1 200 OK"

    assert sum("too many connections" in line for line in caplog.messages) == 1


def test_a_reader_who_stalls_is_dropped() -> None:
    with server(stalled_s=0.5) as connect:
        connection = connect()
        connection.sendall(b"GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(2.0)
        connection.settimeout(PATIENCE_S)

        # Of an endless answer, only what was buffered arrives.
        assert 0 < len(answer(connection)) < 50 * 2**20
