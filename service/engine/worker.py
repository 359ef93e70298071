"""The model process: `python -m service.engine.worker FD`. Owns llama.cpp and runs the step loop.

It knows no queue: the server starts a request only when its model has a free slot. It ends when
the socket FD closes, so it never outlives its server.
"""

import os
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.engine.host import usable_cpus, yield_to_the_server
from service.engine.llama import AdapterFile, Library, Weights
from service.engine.sequences import Demand, LoadedModel, Output, Steps, steps_of
from service.engine.types import Request
from service.engine.wire import (
    Body,
    Cancel,
    Channel,
    Ended,
    Envelope,
    Load,
    Loaded,
    LoadFailed,
    Loading,
    failure_of,
)
from service.errors import ModelUnavailable, ServiceError

WeightsKey = tuple[str, int]


@dataclass(slots=True)
class Running:
    steps: Steps
    row: NDArray[np.float32] | None = None


class Pool:
    """The open models; those of one file share its weights."""

    def __init__(self) -> None:
        self._library = Library()
        self._weights: dict[WeightsKey, Weights] = {}
        self._models: dict[str, LoadedModel] = {}

    def load(self, name: str, order: Load, on_progress: Callable[[float], bool]) -> LoadedModel:
        """Raises ModelUnavailable if the model cannot be opened."""
        old = self._models.pop(name, None)
        if old is not None:
            old.close()
        key = (order.weights, order.gpu_layers)
        if key not in self._weights:
            self._weights[key] = Weights(
                self._library,
                Path(order.weights),
                gpu_layers=order.gpu_layers,
                on_progress=on_progress,
            )
        weights = self._weights[key]
        adapter = None
        if order.adapter is not None and order.adapter_scale:
            adapter = AdapterFile(self._library, weights, Path(order.adapter)), order.adapter_scale
        self._models[name] = LoadedModel(
            weights,
            tokens=order.tokens,
            threads=order.threads or usable_cpus(),
            on_gpu=order.gpu_layers != 0,
            chat_template=order.chat_template,
            adapter=adapter,
        )
        return self._models[name]

    def __getitem__(self, name: str) -> LoadedModel:
        try:
            return self._models[name]
        except KeyError:
            raise ModelUnavailable(f"The model {name} is not loaded.") from None

    def close(self) -> None:
        for model in self._models.values():
            model.close()
        for weights in self._weights.values():
            weights.close()
        self._library.close()


class Worker:
    def __init__(self, channel: Channel, pool: Pool) -> None:
        self._channel = channel
        self._pool = pool
        self._loads: dict[str, Load] = {}
        self._running: dict[str, Running] = {}
        self._outbox: list[Envelope] = []

    def run(self) -> None:
        """Until the server closes its end."""
        while True:
            is_idle = not self._running and not self._loads
            for about, command in self._channel.receive(None if is_idle else 0):
                self._obey(about, command)
            if self._loads:
                self._load(next(iter(self._loads)))
            for request_id in list(self._running):
                self._advance(request_id)
            # Sent even when empty: silence is how the server knows that a decode hangs.
            self._channel.send(self._outbox)
            self._outbox.clear()

    def _obey(self, about: str, command: Body) -> None:
        if isinstance(command, Load):
            self._loads[about] = command
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

    def _advance(self, request_id: str) -> None:
        """One decode of one request; a batch over all of them would be put together here."""
        running = self._running[request_id]
        try:
            demand: Demand = running.steps.send(running.row)
            running.row = demand.context.decode((demand.part,))[0]
        except StopIteration:
            del self._running[request_id]
        except ServiceError as error:
            del self._running[request_id]
            running.steps.close()
            self._outbox.append((request_id, failure_of(error)))

    def _load(self, name: str) -> None:
        order = self._loads.pop(name)
        shown = -1

        def on_progress(share: float) -> bool:
            nonlocal shown
            percent = int(share * 100)
            if percent != shown:
                shown = percent
                try:
                    self._channel.send([(name, Loading(share))])
                except OSError:
                    return False
            return True

        on_progress(0.0)
        try:
            model = self._pool.load(name, order, on_progress)
        except ModelUnavailable as error:
            self._outbox.append((name, LoadFailed(error.detail)))
        else:
            self._outbox.append((name, Loaded(model.tokens)))


def main() -> None:
    # Nothing but frames may reach the server, and a stray print is not one.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    yield_to_the_server()
    with socket.socket(fileno=int(sys.argv[1])) as connection:
        pool = Pool()
        try:
            Worker(Channel(connection), pool).run()
        except (EOFError, ConnectionError):
            pool.close()


if __name__ == "__main__":
    main()
