"""The model process, `python -m service.engine.decoding.worker FD`: runs all loaded models.

It has no queue of its own: the server sends a request only when its model has a free slot. It ends
when the socket FD is closed, so it never outlives its server.
"""

import os
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from service.engine.decoding.batching import Batcher, Candidate
from service.engine.decoding.loaded_model import PendingDecode, Steps
from service.engine.decoding.loader import LoadedModels, Loader
from service.engine.decoding.request_steps import Output, steps_for
from service.engine.host import yield_to_the_server
from service.engine.llama import Context, Rows
from service.engine.protocol import Body, Cancel, Channel, Ended, Envelope, Load, Unload, failure_of
from service.engine.types import Request
from service.errors import ServiceError

# Pause between two empty frames, which tell the server that the process is alive.
HEARTBEAT_S = 0.25
LOADING_POLL_S = 0.05
# While all requests wait for replies about grammars of clients.
WAITING_POLL_S = 0.005


@dataclass(slots=True)
class RunningRequest:
    """`pending` is None while the request waits for a slot."""

    steps: Steps
    pending: PendingDecode | None = None


@dataclass(slots=True)
class RoundRobin:
    """The busy contexts in the order in which they decode next, each with its batcher."""

    batchers: dict[Context, Batcher[str]] = field(default_factory=dict)

    def next(self, busy: set[Context]) -> tuple[Context, Batcher[str]]:
        """The context that decodes next: models take turns after every decode."""
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
    def __init__(self, channel: Channel, models: LoadedModels) -> None:
        self._channel = channel
        self._models = models
        self._loader = Loader(models)
        self._running: dict[str, RunningRequest] = {}
        self._round_robin = RoundRobin()
        self._outbox: list[Envelope] = []
        self._sent_at = 0.0

    def run(self) -> None:
        """Obey the server until it closes its end of the channel."""
        try:
            while True:
                for subject, command in self._channel.receive(self._receive_timeout_s()):
                    self._handle(subject, command)
                self._outbox += self._loader.reports()
                self._resume_waiting()
                # A prompt that is known already has its first token before anything is decoded.
                self._send()
                self._step()
                self._send()
        finally:
            self._loader.close()

    def _receive_timeout_s(self) -> float | None:
        if any(one.pending is not None for one in self._running.values()):
            return 0
        if self._running:
            return WAITING_POLL_S
        return LOADING_POLL_S if self._loader.is_busy else None

    def _send(self) -> None:
        now = time.monotonic()
        if self._outbox or now - self._sent_at > HEARTBEAT_S:
            self._channel.send(self._outbox)
            self._outbox.clear()
            self._sent_at = now

    def _handle(self, subject: str, command: Body) -> None:
        if isinstance(command, Load | Unload):
            self._loader.add(subject, command)
        elif isinstance(command, Cancel):
            running = self._running.pop(subject, None)
            if running is not None:
                running.steps.close()
                self._outbox.append((subject, Ended()))
        elif isinstance(command, Request):
            self._start(command)

    def _start(self, request: Request) -> None:
        def emit(event: Output) -> None:
            self._outbox.append((request.id, event))

        try:
            steps = steps_for(self._models[request.model], request, emit)
        except ServiceError as error:
            self._outbox.append((request.id, failure_of(error)))
        else:
            self._running[request.id] = RunningRequest(steps)
            self._advance(request.id, None)

    def _resume_waiting(self) -> None:
        for request_id in [key for key, one in self._running.items() if one.pending is None]:
            self._advance(request_id, None)

    def _step(self) -> None:
        """Decode one batch of one context."""
        pending = dict(self._pending())
        if not pending:
            return
        context, batcher = self._round_robin.next({one.context for one in pending.values()})
        model = self._models.generating_in(context)
        if model is not None:
            model.prompts.close_gap()
        batch = batcher.next(
            [
                Candidate(key, one.is_answer)
                for key, one in pending.items()
                if one.context is context
            ],
            waiting=model.prompts.waiting if model is not None else 0,
        )
        began = time.perf_counter()
        self._decode(context, {key: pending[key] for key in batch})
        batcher.record(time.perf_counter() - began)

    def _pending(self) -> Iterator[tuple[str, PendingDecode]]:
        for key, one in self._running.items():
            if one.pending is not None:
                yield key, one.pending

    def _decode(self, context: Context, batch: dict[str, PendingDecode]) -> None:
        chunks = {key: pending.chunk() for key, pending in batch.items()}
        keys = sorted(batch, key=lambda key: chunks[key].sequence)
        try:
            rows = context.decode([chunks[key] for key in keys])
        except ServiceError as error:
            for key in keys:
                self._fail(key, error)
            return
        # The rows are valid only until the next decode, so each request reads its rows at once.
        for key, its_rows in zip(keys, rows, strict=True):
            self._advance(key, its_rows)

    def _advance(self, request_id: str, rows: Rows | None) -> None:
        running = self._running[request_id]
        try:
            running.pending = running.steps.send(rows)
        except StopIteration:
            del self._running[request_id]
        except ServiceError as error:
            self._fail(request_id, error)

    def _fail(self, request_id: str, error: ServiceError) -> None:
        self._running.pop(request_id).steps.close()
        self._outbox.append((request_id, failure_of(error)))


def main() -> None:
    # Only frames may reach the server, so whatever is printed goes to stderr.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    yield_to_the_server()
    with socket.socket(fileno=int(sys.argv[1])) as connection:
        models = LoadedModels()
        try:
            Worker(Channel(connection), models).run()
        except (EOFError, ConnectionError):
            models.close()


if __name__ == "__main__":
    main()
