"""The backend for the catalog's own models: a child process decodes, and this relays.

Requests wait in a `RequestQueue`, models are managed by a `ModelRegistry`, and the process is kept
alive by a `Supervisor`. This class connects the three.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Coroutine, Mapping, Sequence
from pathlib import Path

from service.engine.admission.fair_queue import RequestCounts
from service.engine.admission.request_queue import Capacity, RequestQueue
from service.engine.catalog import Selection
from service.engine.embedded.model_registry import ModelRegistry
from service.engine.embedded.supervisor import Supervisor
from service.engine.files.download import Sources
from service.engine.protocol import (
    Cancel,
    Ended,
    Envelope,
    Failure,
    Load,
    Loading,
    ModelReport,
    Unload,
    error_of,
)
from service.engine.types import Delta, Event, ModelInfo, Outcome, Request, Role, Started, Stats
from service.errors import EngineCrashed, ModelUnavailable
from service.messages import Text

CRASHED = Text("The model process stopped during this. It starts again by itself; try again.")


class EmbeddedBackend:
    """Implements `Backend`. A request is sent to the process once its model has a free slot."""

    def __init__(
        self,
        selection: Selection,
        *,
        models_dir: Path,
        queue_limit: int = 32,
        threads: int | None = None,
        memory_limit_bytes: int | None = None,
        stall_s: float = 120,
    ) -> None:
        """`queue_limit` is how many requests may run and wait, over all models.

        `memory_limit_bytes` is what all loaded models may take together, None for no limit.
        `stall_s` is how long a busy process may be silent before it is killed.
        """
        self._selection = selection
        self._registry = ModelRegistry(
            selection.models,
            models_dir,
            listener=self,
            threads=threads,
            memory_limit_bytes=memory_limit_bytes,
        )
        slots = {model.name: model.slots for model in selection.models}
        self._queue = RequestQueue(slots, queue_limit, executor=self)
        self._supervisor = Supervisor(self, stall_s=stall_s)
        self._tasks: set[asyncio.Task[None]] = set()

    def fetch_from(self, sources: Sources) -> None:
        """Call it before `start`. Without it, missing weights stay missing."""
        for served in self._registry:
            served.sources = sources

    async def start(self) -> None:
        self._spawn(self._supervisor.run())
        self._spawn(self.prepare())

    async def prepare(self) -> None:
        """Verify, fetch and build the files; `models` tells what is wrong. Loads nothing."""
        await self._registry.prepare()

    async def close(self) -> None:
        self._queue.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def submit(self, request: Request) -> AsyncGenerator[Event, None]:
        return self._queue.submit(request)

    async def cancel(self, request_id: str) -> None:
        self._queue.cancel(request_id)

    def model_for(self, role: Role) -> ModelInfo:
        model = self._selection.by_role.get(role)
        for served in self._registry:
            if served.model is model:
                return served.info()
        raise ModelUnavailable(Text("No model of the catalog has the role %(role)s.", role=role))

    def models(self) -> tuple[ModelInfo, ...]:
        return tuple(served.info() for served in self._registry)

    def stats(self) -> Stats:
        return Stats(
            running=self._queue.running,
            waiting=self._queue.waiting,
            queue_limit=self._queue.limit,
            restarts=self._supervisor.restarts,
            process_id=self._supervisor.process_id,
        )

    # What the request queue asks of its executor.

    async def check_request(self, request: Request) -> str:
        changed = self._registry.usable(request.model)
        if changed is not None:
            self._spawn(self._registry.prepare(changed))
        return request.model

    def capacity(self, counts: Mapping[str, RequestCounts], now: float) -> Capacity:
        if not self._supervisor.is_up:
            return Capacity(())
        return Capacity(self._registry.plan(counts, now), self._registry.plan_again_at)

    def start_requests(self, requests: Sequence[Request]) -> None:
        self._supervisor.send([(request.id, request) for request in requests])

    def stop_request(self, request_id: str) -> None:
        self._supervisor.send([(request_id, Cancel())])

    # What the model registry tells its listener.

    def send_command(self, name: str, command: Load | Unload) -> None:
        self._supervisor.send([(name, command)])

    def on_models_changed(self) -> None:
        self._queue.dispatch_soon()

    def on_model_failed(self, name: str, detail: str) -> None:
        self._queue.fail_model(name, ModelUnavailable(detail))

    # What the supervisor asks and tells its listener.

    def is_busy(self) -> bool:
        return self._queue.running > 0 or self._registry.is_changing

    def on_up(self) -> None:
        self._queue.dispatch_soon()

    def on_reports(self, envelopes: list[Envelope]) -> None:
        for subject, body in envelopes:
            if isinstance(body, Delta | Started):
                self._queue.emit(subject, body)
            elif isinstance(body, ModelReport):
                self._registry.on_report(subject, body, time.monotonic())
                if not isinstance(body, Loading):
                    self._queue.dispatch_soon()
            elif isinstance(body, Failure):
                self._queue.finish(subject, error_of(body))
            elif isinstance(body, Ended):
                self._queue.finish(subject, None)
            elif isinstance(body, Outcome):
                self._supervisor.note_success()
                self._queue.finish(subject, body)

    def on_down(self) -> None:
        self._registry.on_down()
        self._queue.recover(EngineCrashed(CRASHED))

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
