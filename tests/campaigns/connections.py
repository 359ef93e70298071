"""Connections that cost a server without asking it anything, while a neighbour is served."""

import socket
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from benchmarks.bench_soak import Figures
from service.cli.connections import ConnectionLimits
from tests.campaigns.neighbour import Neighbour
from tests.campaigns.report import Report, tell
from tests.support.app_server import Server, serving, without_models
from tests.support.raw_http import HEAD, POST, answer, send_until_refused, status

CONNECTIONS = 500
ROUNDS = 3
LIMIT = 600
LIMITS = ConnectionLimits()
PATIENCE_S = 60.0
GROWTH_MB = 100.0
MIB = 2**20


def campaign(folder: Path, *, connections: int = CONNECTIONS, rounds: int = ROUNDS) -> Report:
    report = Report("Connections")
    with serving(folder, IDEAPOOL_CONNECTION_LIMIT=str(LIMIT), **without_models(folder)) as server:
        with Neighbour(server) as neighbour:
            course = _Course(server, connections)
            for number in range(rounds):
                for attack in (course.hold, course.drip, course.flood, course.crowd):
                    attack()
                tell(f"round {number + 1} of {rounds}: {dict(course.answers)}; {neighbour}")
        course.add_to(report)
    unless = ", but where connections are full"
    neighbour.add_to(report, refusals=course.crowded, unless=unless)
    return report


class _Course:
    """`crowded` counts requests that may have been refused because the connections were full."""

    def __init__(self, server: Server, connections: int) -> None:
        self.answers: Counter[str] = Counter()
        self.crowded = 0
        self._server = server
        self._connections = connections
        self._faults: list[str] = []
        self._before = Figures.of(server.process.pid)
        self._largest_mb = self._before.rss_mb

    def hold(self) -> None:
        """Half a request, nothing, and half a body: each is closed after its time."""
        starts = (HEAD, b"", POST + b"Content-Length: 1000\r\n\r\nabc")
        with ExitStack() as stack:
            opened = []
            for number in range(self._connections):
                one = self._connect(stack)
                one.sendall(starts[number % len(starts)])
                opened.append(one)
            began = time.monotonic()
            for one in opened:
                self._note("half a request", answer(one).split(b"\r\n")[0].decode())
            self._measure()
            limit_s = max(LIMITS.head_s, LIMITS.body_s) + 10
            if time.monotonic() - began > limit_s:
                self._faults.append(f"half a request was open for {time.monotonic() - began:.0f} s")

    def drip(self) -> None:
        """A header every second, which would never end."""
        with ExitStack() as stack:
            open_ones = [self._connect(stack) for _ in range(self._connections // 5)]
            for one in open_ones:
                one.sendall(HEAD)
            began = time.monotonic()
            while open_ones and time.monotonic() - began < PATIENCE_S:
                time.sleep(1)
                open_ones = [one for one in open_ones if _goes_through(one, b"X-A: 1\r\n")]
            self._measure()
            self.answers["dripping headers closed"] += self._connections // 5 - len(open_ones)
            if open_ones:
                self._faults.append(f"{len(open_ones)} dripped for {PATIENCE_S:.0f} s")

    def flood(self) -> None:
        """Headers that are too many, too long, or without end."""
        heads = (
            HEAD + b"X-A: 1\r\n" * (LIMITS.headers + 50) + b"\r\n",
            HEAD + b"X-A: " + b"a" * (LIMITS.head_bytes + 10_000) + b"\r\n\r\n",
        )
        for number in range(self._connections // 5):
            with ExitStack() as stack:
                one = self._connect(stack)
                if number % 3 == 2:
                    one.sendall(HEAD + b"X-First: ")
                    if send_until_refused(one, b"a" * 65_536, 200 * MIB) > 20 * MIB:
                        self._faults.append("headers without end were taken")
                    self.answers["endless headers cut"] += 1
                    continue
                one.sendall(heads[number % 3])
                self._expect("too many headers", one, b"431")
        self._measure()

    def crowd(self) -> None:
        """More connections than there is room for: the rest is refused, those that are open go on."""
        faults_before = len(self._faults)
        with ExitStack() as stack:
            first = [self._connect(stack) for _ in range(50)]
            for one in first:
                one.sendall(HEAD + b"\r\n")
                self._expect("one of the first", one, b"HTTP/1.1")
            others = [self._connect(stack) for _ in range(LIMIT)]
            refused = sum(_is_refused(one) for one in others[-40:])
            self.answers["over the limit, refused"] += refused
            if refused < 40:
                self._faults.append(f"{40 - refused} of 40 over the limit were not refused")
            for one in first:
                one.sendall(HEAD + b"\r\n")
                self._expect("one of the first, again", one, b"HTTP/1.1")
            self._measure()
        self.crowded += 20 if len(self._faults) == faults_before else 0
        _await(lambda: self._server.http.get("/livez").status_code == 200)

    def add_to(self, report: Report) -> None:
        seen = ", ".join(f"{what} {count}" for what, count in self.answers.items())
        report.add_faults(
            f"connections that misbehave ({seen})",
            self.answers.total(),
            self._faults,
            f"closed after {LIMITS.head_s:.0f} s (headers) or {LIMITS.body_s:.0f} s (body); 431 for "
            "headers, 503 over the limit",
        )
        grown_mb = self._largest_mb - self._before.rss_mb
        report.add(
            "memory of the server, at its largest",
            1,
            found=f"{grown_mb:+.0f} MB",
            promised=f"at most +{GROWTH_MB:.0f} MB",
            holds=grown_mb < GROWTH_MB,
        )
        pid, before = self._server.process.pid, self._before.others
        _await(lambda: Figures.of(pid).others <= before + 5)
        others = Figures.of(pid).others
        report.add(
            "sockets that are left open",
            others,
            found=f"{before} before, {others} after",
            promised="all are given back",
            holds=others <= before + 5,
        )

    def _connect(self, stack: ExitStack) -> socket.socket:
        address = ("127.0.0.1", self._server.port)
        return stack.enter_context(socket.create_connection(address, PATIENCE_S))

    def _note(self, what: str, line: str) -> None:
        self.answers[f"{what}: {line.removeprefix('HTTP/1.1 ') or 'closed'}"] += 1
        if line and " 408 " not in line:
            self._faults.append(f"{what} was answered with {line}")

    def _expect(self, what: str, connection: socket.socket, expected: bytes) -> None:
        try:
            line = status(connection)
        except ConnectionError as error:
            line = repr(error).encode()
        self.answers[what] += 1
        if expected not in line:
            self._faults.append(f"{what}: {line.decode()}")

    def _measure(self) -> None:
        self._largest_mb = max(self._largest_mb, Figures.of(self._server.process.pid).rss_mb)


def _goes_through(connection: socket.socket, part: bytes) -> bool:
    try:
        connection.sendall(part)
    except ConnectionError:
        return False
    return True


def _is_refused(connection: socket.socket) -> bool:
    return answer(connection).startswith(b"HTTP/1.1 503")


def _await(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.2)
