"""The backend over an OpenAI-compatible server: admits, queues, asks, and knows how it stands.

Knows no HTTP (`exchange`) and no field of a body (`dialects`, `replies`).
"""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from functools import partial

from service.engine.admission.fair_queue import QueueFullError, Scheduler
from service.engine.admission.jobs import Job, Pace
from service.engine.remote.asking import Asking
from service.engine.remote.discovery import Server, discover
from service.engine.remote.exchange import Exchange
from service.engine.types import (
    REQUIRED_ROLES,
    Event,
    ModelInfo,
    Outcome,
    Queued,
    Request,
    Role,
    Stats,
)
from service.errors import (
    EngineBusy,
    EngineCrashed,
    InvalidInput,
    ModelUnavailable,
    ServiceError,
)

SLOTS = 8
# How often the server is looked at, and how old a look may be that refuses a request.
READY_CHECK_S, FAILED_CHECK_S, FRESH_S = 30.0, 2.0, 1.0
LINE = "engine"
# What the model is called as long as nobody has said so.
UNNAMED = "engine"

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Job(Job):
    task: asyncio.Task[Event | ServiceError] | None = None
    timer: asyncio.TimerHandle | None = None


class RemoteBackend:
    """Implements `Backend` for one model, which has both roles.

    The hash of its weights is unknown (`""`), and how many tokens a prompt has is known only at the
    end (`Started` says 0). A server that takes no grammars gets none: the answers are judged by
    whoever asked. Embeddings are pooled as the server does it.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        model: str | None = None,
        slots: int | None = None,
        queue_limit: int = 32,
        stall_s: float = 120,
    ) -> None:
        """`queue_limit` bounds requests that run and wait, `slots` those that are sent at a time.

        `model` may be left out if there is only one, `slots` if the server tells them or 8 will do.
        """
        self._exchange = Exchange(url, key, stall_s=stall_s)
        self._wanted = model
        self._queue_limit = queue_limit
        self._server: Server | None = None
        self._slots = slots
        self._info = ModelInfo(model or UNNAMED, REQUIRED_ROLES, "", 0, slots or SLOTS)
        self._scheduler, self._pace = self._line(self._info.slots)
        self._jobs: dict[str, _Job] = {}
        self._looking = asyncio.Lock()
        self._looked_at = -math.inf
        self._wake = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None
        self._is_closed = False

    async def start(self) -> None:
        self._watching = asyncio.create_task(self._watch())

    async def close(self) -> None:
        self._is_closed = True
        jobs = list(self._jobs.values())
        for job in jobs:
            job.inbox.put(None)
            self._abandon(job)
        tasks = [job.task for job in jobs if job.task is not None]
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._exchange.close()

    async def submit(self, request: Request) -> AsyncGenerator[Event, None]:
        if self._info.state != "ready" and not self._is_closed:
            await self._look()
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

    def model_for(self, role: Role) -> ModelInfo:  # noqa: ARG002
        if self._server is None and self._wanted is None:
            raise self._unavailable()
        return self._info

    def models(self) -> tuple[ModelInfo, ...]:
        return (self._info,)

    def stats(self) -> Stats:
        return Stats(
            running=self._scheduler.running,
            waiting=self._scheduler.waiting,
            queue_limit=self._queue_limit,
            restarts=0,
            process_id=None,
        )

    def _admit(self, request: Request) -> _Job:
        if self._is_closed:
            raise ModelUnavailable("The server is stopping.")
        if self._info.state != "ready":
            raise self._unavailable()
        if request.model != self._info.name:
            raise ModelUnavailable(
                f"There is no model {request.model!r}; there is: {self._info.name}."
            )
        try:
            self._scheduler.add(
                request.id, LINE, request.client, takes_place=not request.is_admitted
            )
        except QueueFullError:
            wait_s = self._expected_s()
            raise EngineBusy(
                f"All {self._queue_limit} places are taken; try again in {wait_s} s.",
                retry_after_s=wait_s,
            ) from None
        except ValueError:
            raise InvalidInput(f"A request {request.id!r} is running already.") from None
        job = self._jobs[request.id] = _Job(request)
        if job.timeout_s < math.inf:
            job.timer = asyncio.get_running_loop().call_later(job.timeout_s, self._expire, job)
        self._dispatch()
        return job

    def _dispatch(self) -> None:
        """Hand out free slots, and tell those who wait where they stand."""
        for request_id in self._scheduler.start((LINE,)):
            job = self._jobs[request_id]
            job.sent_at = time.monotonic()
            job.task = asyncio.create_task(self._work(job))
            # Not in the task: one that is cancelled before its first step never runs.
            job.task.add_done_callback(partial(self._conclude, job))
        for request_id, position in self._scheduler.positions(LINE).items():
            job = self._jobs[request_id]
            if job.position != position:
                job.position = position
                job.inbox.put(Queued(position))

    def _expire(self, job: _Job) -> None:
        self._abandon(job)
        job.inbox.put(job.overdue())

    def _abandon(self, job: _Job) -> None:
        """Nobody reads the job any more. Its slot is free once the connection is closed."""
        if self._jobs.get(job.request.id) is not job or job.is_cancelled:
            return
        if job.task is not None:
            # Once: a second time would cut the closing of the connection short.
            job.is_cancelled = True
            job.task.cancel()
        elif self._scheduler.withdraw(job.request.id):
            self._forget(job)

    async def _work(self, job: _Job) -> Event | ServiceError:
        assert self._server is not None
        asking = Asking(self._exchange, self._server, expected_s=self._expected_s())
        try:
            return await asking.answer(job.request, job.inbox.put)
        except ServiceError as error:
            return error

    def _conclude(self, job: _Job, task: asyncio.Task[Event | ServiceError]) -> None:
        last: Event | ServiceError | None = None
        if not task.cancelled():
            failure = task.exception()
            if failure is not None:
                logger.error("A request to the engine failed unexpectedly.", exc_info=failure)
                last = EngineCrashed("The engine's answer could not be handled. Try again.")
            else:
                last = task.result()
        self._scheduler.finish(job.request.id)
        if isinstance(last, Outcome):
            self._pace.note(LINE, time.monotonic() - job.sent_at)
        elif isinstance(last, ModelUnavailable | EngineCrashed):
            self._looked_at = -math.inf
            self._wake.set()
        job.inbox.put(last)
        self._forget(job)

    def _forget(self, job: _Job) -> None:
        del self._jobs[job.request.id]
        if job.timer is not None:
            job.timer.cancel()
        if not self._is_closed:
            self._dispatch()

    async def _watch(self) -> None:
        while True:
            self._wake.clear()
            is_busy = self._scheduler.running > 0
            # A server that works may be too busy to say that it is well.
            if not is_busy:
                await self._look()
            is_well = self._info.state == "ready" and not is_busy
            pause_s = READY_CHECK_S if is_well else FAILED_CHECK_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._wake.wait()

    async def _look(self) -> None:
        """See how the server stands, unless that was just done."""
        async with self._looking:
            if time.monotonic() - self._looked_at < FRESH_S:
                return
            try:
                self._adopt(await discover(self._exchange, self._wanted))
            except EngineBusy:
                self._info = replace(self._info, state="loading", progress=0.0, error=None)
            except ServiceError as error:
                if error.detail != self._info.error:
                    logger.error("%s", error.detail)
                self._info = replace(self._info, state="failed", progress=0.0, error=error.detail)
            self._looked_at = time.monotonic()

    def _adopt(self, server: Server) -> None:
        if server != self._server:
            engine, dialect = self._exchange.engine, server.dialect
            logger.info("%s is %s with the model %s.", engine, dialect.name, server.model)
            if dialect.grammar is None:
                logger.warning("%s takes no grammars, so more answers may be unusable.", engine)
        slots = self._slots or server.slots or SLOTS
        if self._jobs:
            slots = self._info.slots
        elif slots != self._info.slots:
            self._scheduler, self._pace = self._line(slots)
        self._server = server
        self._info = ModelInfo(
            server.model, REQUIRED_ROLES, "", server.context, slots, state="ready", progress=1.0
        )

    def _line(self, slots: int) -> tuple[Scheduler, Pace]:
        return Scheduler({LINE: slots}, self._queue_limit), Pace({LINE: slots})

    def _expected_s(self) -> int:
        """When there may be a place again."""
        return self._pace.retry_after_s(LINE, self._scheduler.waiting)

    def _unavailable(self) -> ModelUnavailable:
        return ModelUnavailable(
            self._info.error
            or f"{self._exchange.engine} is still getting ready. Try again in a moment."
        )
