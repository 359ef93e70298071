"""The model process: `python -m service.engine.decoding.worker FD`. Owns llama.cpp and runs the step loop.

It knows no queue: the server starts a request only when its model has a free slot. It ends when
the socket FD closes, so it never outlives its server.
"""

import os
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from service.engine.decoding.batching import Batcher, Part
from service.engine.decoding.loaded_model import Demand, Steps
from service.engine.decoding.open_models import Loader, OpenModels
from service.engine.decoding.request_steps import Output, steps_of
from service.engine.host import yield_to_the_server
from service.engine.llama import Context, Rows
from service.engine.protocol import Body, Cancel, Channel, Ended, Envelope, Load, Unload, failure_of
from service.engine.types import Request
from service.errors import ServiceError

# An empty frame says that the process lives; more of them would only wake the server.
SIGN_OF_LIFE_S = 0.25
LOADING_POLL_S = 0.05


@dataclass(slots=True)
class Running:
    """`demand` is None while the request waits for a seat."""

    steps: Steps
    demand: Demand | None = None


@dataclass(slots=True)
class Turns:
    """The contexts in the order in which they are next served, each with its batcher."""

    batchers: dict[Context, Batcher[str]] = field(default_factory=dict)

    def serve(self, busy: set[Context]) -> tuple[Context, Batcher[str]]:
        """Models take turns by the decode, so that neither role waits for the other's answers."""
        for context in list(self.batchers):
            if context not in busy:
                del self.batchers[context]
        for context in busy:
            self.batchers.setdefault(context, Batcher())
        context, batcher = next(iter(self.batchers.items()))
        del self.batchers[context]
        self.batchers[context] = batcher
        return context, batcher


class Worker:
    def __init__(self, channel: Channel, pool: OpenModels) -> None:
        self._channel = channel
        self._pool = pool
        self._loader = Loader(pool)
        self._running: dict[str, Running] = {}
        self._turns = Turns()
        self._outbox: list[Envelope] = []
        self._sent_at = 0.0

    def run(self) -> None:
        """Until the server closes its end."""
        try:
            while True:
                for about, command in self._channel.receive(self._patience()):
                    self._obey(about, command)
                self._outbox += self._loader.reports()
                self._step()
                self._send()
        finally:
            self._loader.close()

    def _patience(self) -> float | None:
        if self._running:
            return 0
        return LOADING_POLL_S if self._loader.is_busy else None

    def _send(self) -> None:
        now = time.monotonic()
        if self._outbox or now - self._sent_at > SIGN_OF_LIFE_S:
            self._channel.send(self._outbox)
            self._outbox.clear()
            self._sent_at = now

    def _obey(self, about: str, command: Body) -> None:
        if isinstance(command, Load | Unload):
            self._loader.order(about, command)
        elif isinstance(command, Cancel):
            running = self._running.pop(about, None)
            if running is not None:
                running.steps.close()
                self._outbox.append((about, Ended()))
        elif isinstance(command, Request):
            self._begin(command)

    def _begin(self, request: Request) -> None:
        def emit(event: Output) -> None:
            self._outbox.append((request.id, event))

        try:
            steps = steps_of(self._pool[request.model], request, emit)
        except ServiceError as error:
            self._outbox.append((request.id, failure_of(error)))
        else:
            self._running[request.id] = Running(steps)
            self._advance(request.id, None)

    def _step(self) -> None:
        """One decode of one context."""
        for request_id in [key for key, one in self._running.items() if one.demand is None]:
            self._advance(request_id, None)
        demands = dict(self._demands())
        if not demands:
            return
        context, batcher = self._turns.serve({one.context for one in demands.values()})
        model = self._pool.of(context)
        if model is not None:
            model.close_gap()
        batch = batcher.next(
            [Part(key, one.is_answer) for key, one in demands.items() if one.context is context],
            waiting=model.seats.waiting if model is not None else 0,
        )
        began = time.perf_counter()
        self._decode(context, {key: demands[key] for key in batch})
        batcher.took(time.perf_counter() - began)

    def _demands(self) -> Iterator[tuple[str, Demand]]:
        for key, one in self._running.items():
            if one.demand is not None:
                yield key, one.demand

    def _decode(self, context: Context, batch: dict[str, Demand]) -> None:
        slices = {key: demand.slice() for key, demand in batch.items()}
        keys = sorted(batch, key=lambda key: slices[key].sequence)
        try:
            rows = context.decode([slices[key] for key in keys])
        except ServiceError as error:
            for key in keys:
                self._fail(key, error)
            return
        # The rows are gone with the next decode: each request takes what it needs at once.
        for key, its_rows in zip(keys, rows, strict=True):
            self._advance(key, its_rows)

    def _advance(self, request_id: str, rows: Rows | None) -> None:
        running = self._running[request_id]
        try:
            running.demand = running.steps.send(rows)
        except StopIteration:
            del self._running[request_id]
        except ServiceError as error:
            self._fail(request_id, error)

    def _fail(self, request_id: str, error: ServiceError) -> None:
        self._running.pop(request_id).steps.close()
        self._outbox.append((request_id, failure_of(error)))


def main() -> None:
    # Nothing but frames may reach the server, and a stray print is not one.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    yield_to_the_server()
    with socket.socket(fileno=int(sys.argv[1])) as connection:
        pool = OpenModels()
        try:
            Worker(Channel(connection), pool).run()
        except (EOFError, ConnectionError):
            pool.close()


if __name__ == "__main__":
    main()
