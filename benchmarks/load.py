"""The load generator: `python -m benchmarks.load http://127.0.0.1:8000 --clients 8 --seconds 6`.

First every client gets one token, so that the server has seen as many streams at a time and has the
system prompt wherever it keeps it; prompts that are to come again are each asked once. Then a closed
loop: all clients send a request at once, and their next one as soon as the one before has ended; when
the time is up, what still runs is cut off. One thread, plain sockets and the standard library, because
every millisecond spent here is one the server does not have. Prints one JSON object.
"""

import argparse
import dataclasses
import gc
import json
import selectors
import socket
import sys
import time
from dataclasses import dataclass, field, replace

from benchmarks import workload
from benchmarks.figures import percentile
from benchmarks.http_stream import Answer

REFUSED = (429, 503)
LONGEST_RETRY_S = 1.0
RETRY_S = 0.1
WARM_UP_S = 120.0
# Requests of the warm-up have numbers that the level does not reach.
WARM_UP_FIRST = 5000
READ_BYTES = 65536
SHOWN_COMPLAINTS = 5


@dataclass(frozen=True, slots=True)
class Plan:
    """`first` is the number of the first request; the others count on from there.

    `load` is the kind of questions. With `is_single` each client sends one request, and `seconds` is
    only how long it may take.
    """

    clients: int
    seconds: float
    max_tokens: int = 64
    first: int = 0
    model: str = "bench"
    load: workload.Load = "new"
    is_single: bool = False


@dataclass(slots=True)
class Outcome:
    """One level of one server. Times in seconds.

    `waits` are the times without a first token of the streams that were cut off before it.
    """

    clients: int
    seconds: float
    tokens: float = 0.0
    first_tokens: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    gap_p50: float = 0.0
    gap_p95: float = 0.0
    gap_p99: float = 0.0
    stream_rate: float = 0.0
    finished: int = 0
    cut: int = 0
    broken: int = 0
    refused: int = 0
    complaints: list[str] = field(default_factory=list)
    generator_cpu: float = 0.0


@dataclass(slots=True)
class Stream:
    connection: socket.socket
    question: workload.Question
    sent_at: float
    texts: list[str] = field(default_factory=list)
    answer: Answer = field(default_factory=Answer)
    first_at: float = 0.0
    last_at: float = 0.0
    pieces: int = 0
    tokens: int | None = None
    has_finished: bool = False
    complaint: str = ""


class Level:
    def __init__(self, address: tuple[str, int], plan: Plan) -> None:
        self._address = address
        self._plan = plan
        self._number = plan.first
        self._selector = selectors.DefaultSelector()
        self._streams: list[Stream] = []
        self._resting: list[float] = []
        self._gaps: list[float] = []
        self.outcome = Outcome(plan.clients, plan.seconds)

    def run(self) -> Outcome:
        began, cpu = time.perf_counter(), time.process_time()
        deadline = began + self._plan.seconds
        for _ in range(self._plan.clients):
            self._send(self._new_question())
        while (now := time.perf_counter()) < deadline and self._has_more:
            until = min([deadline, *self._resting])
            for key, _ in self._selector.select(max(0.0, until - now)):
                self._read(key.data)
            self._wake(time.perf_counter())
        self.outcome.seconds = time.perf_counter() - began
        self.outcome.generator_cpu = (time.process_time() - cpu) / self.outcome.seconds
        for key in list(self._selector.get_map().values()):
            self._end(key.data, is_cut=True)
        self._sum_up()
        return self.outcome

    @property
    def _has_more(self) -> bool:
        return not self._plan.is_single or bool(self._selector.get_map())

    def _new_question(self) -> workload.Question:
        question = workload.question(self._number, self._plan.load)
        self._number += 1
        return question

    def _send(self, question: workload.Question) -> None:
        content = question.body(model=self._plan.model, max_tokens=self._plan.max_tokens)
        sent_at = time.perf_counter()
        try:
            connection = socket.create_connection(self._address)
            connection.sendall(
                b"POST /v1/chat/completions HTTP/1.1\r\nHost: %b:%d\r\nConnection: close\r\n"
                b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
                % (self._address[0].encode(), self._address[1], len(content), content)
            )
        except OSError as error:
            self._break(str(error))
            self._resting.append(sent_at + RETRY_S)
            return
        connection.setblocking(False)
        stream = Stream(connection, question, sent_at)
        self._streams.append(stream)
        self._selector.register(connection, selectors.EVENT_READ, stream)

    def _read(self, stream: Stream) -> None:
        try:
            data = stream.connection.recv(READ_BYTES)
        except OSError:
            data = b""
        now = time.perf_counter()
        for payload in stream.answer.feed(data):
            if payload == b"[DONE]":
                stream.answer.is_over = True
            elif not stream.complaint:
                self._take(stream, payload, now)
        if stream.answer.is_over or not data:
            self._end(stream)
            self._next(stream, now)

    def _take(self, stream: Stream, payload: bytes, now: float) -> None:
        event = json.loads(payload)
        if event.get("error"):
            stream.complaint = payload.decode()
            stream.has_finished, stream.answer.is_over = False, True
            return
        if event.get("usage"):
            stream.tokens = event["usage"]["completion_tokens"]
        for choice in event.get("choices", ()):
            if text := choice["delta"].get("content"):
                stream.texts.append(text)
                if stream.pieces:
                    self._gaps.append(now - stream.last_at)
                else:
                    stream.first_at = now
                stream.last_at = now
                stream.pieces += 1
            stream.has_finished |= choice.get("finish_reason") is not None

    def _end(self, stream: Stream, *, is_cut: bool = False) -> None:
        self._selector.unregister(stream.connection)
        stream.connection.close()
        if stream.has_finished:
            self.outcome.finished += 1
        elif is_cut:
            self.outcome.cut += 1
            if not stream.pieces:
                self.outcome.waits.append(time.perf_counter() - stream.sent_at)
        elif stream.answer.status in REFUSED:
            self.outcome.refused += 1
        else:
            self._break(stream.complaint or f"{stream.answer.status} {stream.answer.rest}")

    def _break(self, complaint: str) -> None:
        self.outcome.broken += 1
        if len(self.outcome.complaints) < SHOWN_COMPLAINTS:
            self.outcome.complaints.append(complaint[:300])

    def _next(self, stream: Stream, now: float) -> None:
        """At once after an answer; after a refusal when the server says, within a second."""
        if self._plan.is_single:
            return
        if stream.has_finished:
            following = stream.question.next("".join(stream.texts))
            self._send(following or self._new_question())
            return
        said = stream.answer.headers.get("retry-after", "")
        self._resting.append(now + min(LONGEST_RETRY_S, float(said) if said.isdigit() else RETRY_S))

    def _wake(self, now: float) -> None:
        for moment in [one for one in self._resting if one <= now]:
            self._resting.remove(moment)
            self._send(self._new_question())

    def _sum_up(self) -> None:
        whole = [one for one in self._streams if one.has_finished and one.pieces]
        told = [one for one in whole if one.tokens is not None]
        # A piece is a token or a little more; what the finished streams say counts for the cut.
        tokens_a_piece = (
            sum(one.tokens or 0 for one in told) / sum(one.pieces for one in told) if told else 1.0
        )
        out = self.outcome
        for one in self._streams:
            out.tokens += one.pieces * tokens_a_piece if one.tokens is None else one.tokens
            if one.pieces:
                out.first_tokens.append(one.first_at - one.sent_at)
        rates = [
            (one.pieces - 1) * tokens_a_piece / (one.last_at - one.first_at)
            for one in whole
            if one.last_at > one.first_at
        ]
        out.stream_rate = percentile(rates, 0.5)
        out.gap_p50, out.gap_p95, out.gap_p99 = (
            percentile(self._gaps, share) for share in (0.5, 0.95, 0.99)
        )


def _warm_up(plan: Plan) -> Plan:
    clients = workload.REPEATED_PROMPTS if plan.load == "repeated" else plan.clients
    first = plan.first + WARM_UP_FIRST
    return replace(
        plan, clients=clients, seconds=WARM_UP_S, max_tokens=1, first=first, is_single=True
    )


def _address(url: str) -> tuple[str, int]:
    host, _, port = url.removeprefix("http://").rstrip("/").partition(":")
    return host, int(port)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--clients", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--max-tokens", type=int, default=64)
    parser.add_argument("--first", type=int, default=0, help="number of the first request")
    parser.add_argument("--load", choices=workload.LOADS, default="new", help="what is asked")
    options = parser.parse_args()
    plan = Plan(
        options.clients, options.seconds, options.max_tokens, options.first, load=options.load
    )
    address = _address(options.url)
    Level(address, _warm_up(plan)).run()
    gc.disable()
    json.dump(dataclasses.asdict(Level(address, plan).run()), sys.stdout)


if __name__ == "__main__":
    main()
