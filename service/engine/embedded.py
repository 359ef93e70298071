"""The backend with its own models: admits, queues and relays; a child process does the work."""

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Coroutine
from dataclasses import dataclass, field
from pathlib import Path

from service.engine.catalog import CatalogModel, Selection
from service.engine.scheduler import QueueFullError, Scheduler
from service.engine.shelf import SLOTS, Shelf
from service.engine.supervisor import Supervisor
from service.engine.types import (
    Delta,
    Embedding,
    Event,
    Finished,
    ModelInfo,
    Probabilities,
    Queued,
    Request,
    Role,
    Started,
    Stats,
)
from service.engine.wire import (
    Body,
    Cancel,
    Ended,
    Envelope,
    Failure,
    Load,
    Loaded,
    LoadFailed,
    Loading,
    error_of,
)
from service.errors import (
    EngineBusy,
    EngineCrashed,
    InvalidInput,
    ModelUnavailable,
    ServiceError,
)

LONGEST_RETRY_AFTER_S = 120
FIRST_GUESS_S = 10.0
CRASHED = "The model process stopped while it worked on this. It starts again by itself; try again."


@dataclass(slots=True)
class _Job:
    """`inbox` ends with a last event, an error, or None for a cancelled request."""

    request: Request
    inbox: asyncio.Queue[Event | ServiceError | None] = field(default_factory=asyncio.Queue)
    position: int = 0
    sent_at: float = 0.0
    sendings: int = 0
    has_started: bool = False
    is_cancelled: bool = False


class EmbeddedBackend:
    """Implements `Backend`. A request is sent to the process only when its model has a slot."""

    def __init__(
        self,
        selection: Selection,
        *,
        models_dir: Path,
        queue_limit: int = 32,
        threads: int | None = None,
        gpu_layers: int | None = None,
        stall_s: float = 120,
    ) -> None:
        """`queue_limit` bounds requests that run and wait; `gpu_layers` overrides the catalog."""
        self._selection = selection
        self._threads = threads
        self._gpu_layers = gpu_layers
        self._queue_limit = queue_limit
        self._shelf = Shelf(
            selection.models, models_dir, send_load=self._send_load, on_failed=self._fail_jobs
        )
        slots = {model.name: SLOTS for model in selection.models}
        self._scheduler = Scheduler(slots, queue_limit)
        self._supervisor = Supervisor(self, stall_s=stall_s)
        self._jobs: dict[str, _Job] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._mean_run_s = FIRST_GUESS_S
        self._is_closed = False

    async def start(self) -> None:
        self._spawn(self._supervisor.run())
        self._spawn(self._shelf.prepare())

    async def close(self) -> None:
        self._is_closed = True
        for job in self._jobs.values():
            job.inbox.put_nowait(None)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def submit(self, request: Request) -> AsyncGenerator[Event, None]:
        job = self._admit(request)
        try:
            while (item := await job.inbox.get()) is not None:
                if isinstance(item, ServiceError):
                    raise item
                yield item
                if isinstance(item, Finished | Probabilities | Embedding):
                    return
        finally:
            self._abandon(job)

    async def cancel(self, request_id: str) -> None:
        job = self._jobs.get(request_id)
        if job is not None:
            self._abandon(job)
            job.inbox.put_nowait(None)

    def model_for(self, role: Role) -> ModelInfo:
        model = self._selection.by_role.get(role)
        for served in self._shelf:
            if served.model is model:
                return served.info()
        raise ModelUnavailable(f"No model of the catalog has the role {role}.")

    def models(self) -> tuple[ModelInfo, ...]:
        return tuple(served.info() for served in self._shelf)

    def stats(self) -> Stats:
        return Stats(
            running=self._scheduler.running,
            waiting=self._scheduler.waiting,
            queue_limit=self._queue_limit,
            restarts=self._supervisor.restarts,
            process_id=self._supervisor.process_id,
        )

    def _admit(self, request: Request) -> _Job:
        if self._is_closed:
            raise ModelUnavailable("The server is stopping.")
        changed = self._shelf.usable(request.model)
        if changed is not None:
            self._spawn(self._shelf.prepare(changed))
        try:
            self._scheduler.add(request.id, request.model, request.client)
        except QueueFullError:
            wait_s = min(LONGEST_RETRY_AFTER_S, max(1, math.ceil(self._mean_run_s)))
            raise EngineBusy(
                f"All {self._queue_limit} places are taken; try again in {wait_s} s.",
                retry_after_s=wait_s,
            ) from None
        except ValueError:
            raise InvalidInput(f"A request {request.id!r} is running already.") from None
        job = self._jobs[request.id] = _Job(request)
        self._dispatch()
        return job

    def _dispatch(self) -> None:
        """Hand out free slots, and tell those who wait where they stand."""
        if self._supervisor.is_up:
            for request_id in self._scheduler.start(self._shelf.ready):
                job = self._jobs[request_id]
                job.sent_at = time.monotonic()
                job.sendings += 1
                self._supervisor.send([(request_id, job.request)])
        for model in self._selection.models:
            for request_id, position in self._scheduler.positions(model.name).items():
                job = self._jobs[request_id]
                if job.position != position:
                    job.position = position
                    job.inbox.put_nowait(Queued(position))

    def _abandon(self, job: _Job) -> None:
        """Nobody reads the job any more. A slot is free only once the process has let go of it."""
        request_id = job.request.id
        if self._jobs.get(request_id) is not job or job.is_cancelled:
            return
        if self._scheduler.withdraw(request_id):
            del self._jobs[request_id]
            self._dispatch()
        else:
            job.is_cancelled = True
            self._supervisor.send([(request_id, Cancel())])

    def _conclude(self, request_id: str, last: Event | ServiceError | None) -> None:
        job = self._jobs.pop(request_id, None)
        if job is None:
            return
        self._scheduler.withdraw(request_id)
        self._scheduler.finish(request_id)
        job.inbox.put_nowait(last)
        if isinstance(last, Finished):
            took_s = time.monotonic() - job.sent_at
            self._mean_run_s += 0.2 * (took_s - self._mean_run_s)

    def _send_load(self, model: CatalogModel, weights: Path) -> None:
        adapter = model.adapter
        order = Load(
            weights=str(weights.resolve()),
            tokens=model.context,
            threads=self._threads,
            gpu_layers=model.gpu_layers if self._gpu_layers is None else self._gpu_layers,
            chat_template=model.chat_template,
            adapter=str(adapter.path) if adapter is not None else None,
            adapter_scale=adapter.scale if adapter is not None else 0.0,
        )
        self._supervisor.send([(model.name, order)])

    def _fail_jobs(self, model_name: str, detail: str) -> None:
        for job in list(self._jobs.values()):
            if job.request.model == model_name:
                self._conclude(job.request.id, ModelUnavailable(detail))

    def is_busy(self) -> bool:
        return self._scheduler.running > 0 or self._shelf.is_loading

    def on_up(self) -> None:
        self._shelf.on_up()

    def on_reports(self, envelopes: list[Envelope]) -> None:
        for about, body in envelopes:
            if isinstance(body, Loading | Loaded | LoadFailed):
                self._shelf.on_report(about, body)
            else:
                self._on_job_report(about, body)
        if envelopes:
            self._dispatch()

    def _on_job_report(self, request_id: str, body: Body) -> None:
        if isinstance(body, Started | Delta):
            job = self._jobs.get(request_id)
            if job is not None:
                job.has_started = True
                job.inbox.put_nowait(body)
        elif isinstance(body, Finished | Probabilities | Embedding):
            self._supervisor.note_success()
            self._conclude(request_id, body)
        elif isinstance(body, Failure):
            self._conclude(request_id, error_of(body))
        elif isinstance(body, Ended):
            self._conclude(request_id, None)

    def on_down(self) -> None:
        self._shelf.on_down()
        for request_id, job in list(self._jobs.items()):
            if not job.sent_at:
                continue
            if job.is_cancelled:
                self._conclude(request_id, None)
            elif job.has_started or job.sendings > 1:
                self._conclude(request_id, EngineCrashed(CRASHED))
            elif self._scheduler.put_back(request_id):
                # Nothing of it was seen: it runs again, but only once, lest it be the cause.
                job.sent_at, job.position = 0.0, 0
        self._dispatch()

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
