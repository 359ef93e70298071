"""The backend with its own models: admits, queues and relays; a child process does the work."""

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Coroutine
from pathlib import Path

from service.engine.admission.fair_queue import QueueFullError, Scheduler
from service.engine.admission.jobs import Job, Pace
from service.engine.catalog import Selection
from service.engine.embedded.model_registry import ModelRegistry
from service.engine.embedded.residency import Demand
from service.engine.embedded.supervisor import Supervisor
from service.engine.protocol import (
    Body,
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
from service.engine.types import (
    Delta,
    Event,
    ModelInfo,
    Outcome,
    Queued,
    Request,
    Role,
    Started,
    Stats,
)
from service.errors import (
    EngineBusy,
    EngineCrashed,
    InvalidInput,
    ModelUnavailable,
    ServiceError,
)
from service.messages import Text

CRASHED = Text("The model process stopped during this. It starts again by itself; try again.")


class EmbeddedBackend:
    """Implements `Backend`. A request is sent to the process only when its model has a slot."""

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
        """`queue_limit` bounds the places for requests; the memory limit, what models take."""
        self._selection = selection
        self._queue_limit = queue_limit
        self._shelf = ModelRegistry(
            selection.models,
            models_dir,
            owner=self,
            threads=threads,
            memory_limit_bytes=memory_limit_bytes,
        )
        self._slots = {model.name: model.slots for model in selection.models}
        self._scheduler = Scheduler(self._slots, queue_limit)
        self._supervisor = Supervisor(self, stall_s=stall_s)
        self._jobs: dict[str, Job] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._alarm: asyncio.TimerHandle | None = None
        self._is_dispatch_due = False
        self._pace = Pace(self._slots)
        self._is_closed = False

    async def start(self) -> None:
        self._spawn(self._supervisor.run())
        self._spawn(self._shelf.prepare())

    async def close(self) -> None:
        self._is_closed = True
        self._set_alarm(math.inf)
        for job in self._jobs.values():
            job.inbox.put(None)
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
                if isinstance(item, Outcome):
                    return
        finally:
            self._abandon(job)

    async def cancel(self, request_id: str) -> None:
        job = self._jobs.get(request_id)
        if job is not None:
            self._abandon(job)
            job.inbox.put(None)

    def model_for(self, role: Role) -> ModelInfo:
        model = self._selection.by_role.get(role)
        for served in self._shelf:
            if served.model is model:
                return served.info()
        raise ModelUnavailable(Text("No model of the catalog has the role %(role)s.", role=role))

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

    def _admit(self, request: Request) -> Job:
        if self._is_closed:
            raise ModelUnavailable(Text("The server is stopping."))
        changed = self._shelf.usable(request.model)
        if changed is not None:
            self._spawn(self._shelf.prepare(changed))
        job = Job(request)
        deadline = time.monotonic() + job.timeout_s
        try:
            self._scheduler.add(
                request.id,
                request.model,
                request.client,
                deadline=deadline,
                takes_place=not request.is_admitted,
            )
        except QueueFullError:
            raise self._busy(request.model) from None
        except ValueError:
            raise InvalidInput(f"A request {request.id!r} is running already.") from None
        self._jobs[request.id] = job
        self._dispatch_soon()
        return job

    def _busy(self, model: str) -> EngineBusy:
        s = self._pace.retry_after_s(model, self._scheduler.waiting_for(model))
        text = Text("All %(n)s places are taken; try again in %(s)s s.", n=self._queue_limit, s=s)
        return EngineBusy(text, retry_after_s=s)

    def _dispatch_soon(self) -> None:
        """Once for all that arrives in the same turn of the event loop."""
        if not self._is_dispatch_due:
            self._is_dispatch_due = True
            asyncio.get_running_loop().call_soon(self._dispatch)

    def _dispatch(self) -> None:
        """End what is overdue, hand out free slots, and tell those who wait where they stand."""
        self._is_dispatch_due = False
        if self._is_closed:
            return
        now = time.monotonic()
        for request_id in self._scheduler.overdue(now):
            self._expire(self._jobs[request_id])
        wake_at = math.inf
        if self._supervisor.is_up:
            self._start(now)
            wake_at = self._shelf.wake_at
        for model in self._slots:
            self._tell_positions(model)
        self._set_alarm(min(wake_at, self._scheduler.next_deadline()) - now)

    def _start(self, now: float) -> None:
        queue = self._scheduler
        demands = {
            one: Demand(queue.running_for(one), queue.waiting_for(one)) for one in self._slots
        }
        started = queue.start(self._shelf.plan(demands, now))
        for request_id in started:
            job = self._jobs[request_id]
            job.sent_at = now
            job.sendings += 1
        if started:
            self._supervisor.send([(one, self._jobs[one].request) for one in started])

    def _tell_positions(self, model: str) -> None:
        for request_id, position in self._scheduler.positions(model).items():
            job = self._jobs[request_id]
            if job.position != position:
                job.position = position
                job.inbox.put(Queued(position))

    def _set_alarm(self, delay_s: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if delay_s < math.inf:
            loop = asyncio.get_running_loop()
            self._alarm = loop.call_later(max(0.0, delay_s), self._dispatch)

    def _expire(self, job: Job) -> None:
        self._abandon(job)
        job.inbox.put(job.overdue())

    def _abandon(self, job: Job) -> None:
        """Nobody reads the job any more. A slot is free only once the process has let go of it."""
        request_id = job.request.id
        if self._jobs.get(request_id) is not job or job.is_cancelled:
            return
        if self._scheduler.withdraw(request_id):
            del self._jobs[request_id]
            self._dispatch_soon()
        else:
            job.is_cancelled = True
            self._supervisor.send([(request_id, Cancel())])

    def _conclude(self, request_id: str, last: Event | ServiceError | None) -> None:
        job = self._jobs.pop(request_id, None)
        if job is None:
            return
        self._scheduler.withdraw(request_id)
        self._scheduler.finish(request_id)
        job.inbox.put(last)
        if isinstance(last, Outcome):
            self._supervisor.note_success()
            self._pace.note(job.request.model, time.monotonic() - job.sent_at)

    def send_order(self, name: str, order: Load | Unload) -> None:
        self._supervisor.send([(name, order)])

    def on_models_changed(self) -> None:
        self._dispatch_soon()

    def on_model_failed(self, name: str, detail: str) -> None:
        for job in list(self._jobs.values()):
            if job.request.model == name:
                self._conclude(job.request.id, ModelUnavailable(detail))

    def is_busy(self) -> bool:
        return self._scheduler.running > 0 or self._shelf.is_moving

    def on_up(self) -> None:
        self._dispatch()

    def on_reports(self, envelopes: list[Envelope]) -> None:
        is_changed = False
        for about, body in envelopes:
            if isinstance(body, Delta | Started):
                self._relay(about, body)
            elif isinstance(body, ModelReport):
                self._shelf.on_report(about, body, time.monotonic())
                is_changed |= not isinstance(body, Loading)
            else:
                self._on_end(about, body)
                is_changed = True
        if is_changed:
            self._dispatch()

    def _relay(self, request_id: str, event: Delta | Started) -> None:
        job = self._jobs.get(request_id)
        if job is not None and not job.is_cancelled:
            job.has_started = True
            job.inbox.put(event)

    def _on_end(self, request_id: str, body: Body) -> None:
        if isinstance(body, Failure):
            self._conclude(request_id, error_of(body))
        elif isinstance(body, Outcome | Ended):
            self._conclude(request_id, None if isinstance(body, Ended) else body)

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
