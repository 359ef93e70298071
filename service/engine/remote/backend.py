"""The backend for one model on an OpenAI-compatible server.

It watches whether the server can be used and runs the requests that get a slot. HTTP is the
business of `http_client`, the fields of request bodies of `dialects`, and those of answers of
`replies`.
"""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from service.engine.admission.fair_queue import RequestCounts
from service.engine.admission.request_queue import Capacity, RequestQueue
from service.engine.remote.discovery import Server, discover
from service.engine.remote.http_client import HttpClient
from service.engine.remote.request_runner import RequestRunner
from service.engine.types import (
    REQUIRED_ROLES,
    Event,
    ModelInfo,
    Outcome,
    Request,
    Role,
    Stats,
)
from service.errors import EngineBusy, EngineCrashed, ModelUnavailable, ServiceError

DEFAULT_SLOTS = 8
# Seconds between two checks of the server, and the age up to which the last one still counts.
READY_CHECK_S, FAILED_CHECK_S, FRESH_S = 30.0, 2.0, 1.0
# The queue knows the model by this name, because its real name may change with the server.
QUEUE = "engine"
# The name of the model until the server has named one.
UNNAMED = "engine"

logger = logging.getLogger(__name__)


class RemoteBackend:
    """Implements `Backend` for one model, which serves all roles.

    The hash of its weights is unknown (`""`). The number of prompt tokens is known only at the
    end, so `Started` says 0. A server that takes no grammars gets none; the caller validates the
    answers anyway. Embeddings are pooled in the server's own way.
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
        """`queue_limit` is how many requests may run and wait; `slots` of them are sent at a time.

        `model` may be None if the server has only one. Without `slots` the server's own number
        counts, or else 8.
        """
        self._client = HttpClient(url, key, stall_s=stall_s)
        self._wanted_model = model
        self._wanted_slots = slots
        self._server: Server | None = None
        self._info = ModelInfo(
            model or UNNAMED, REQUIRED_ROLES, "", 0, slots or DEFAULT_SLOTS, identity=None
        )
        self._queue = RequestQueue({QUEUE: self._info.slots}, queue_limit, executor=self)
        self._tasks: dict[str, asyncio.Task[Outcome | ServiceError]] = {}
        self._check_lock = asyncio.Lock()
        self._checked_at = -math.inf
        self._check_now = asyncio.Event()
        self._watcher: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._watcher = asyncio.create_task(self._watch())

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        self._queue.close()
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._client.close()

    def submit(self, request: Request) -> AsyncGenerator[Event, None]:
        return self._queue.submit(request)

    async def cancel(self, request_id: str) -> None:
        self._queue.cancel(request_id)

    def model_for(self, role: Role) -> ModelInfo:  # noqa: ARG002
        if self._server is None and self._wanted_model is None:
            raise self._unavailable()
        return self._info

    def models(self) -> tuple[ModelInfo, ...]:
        return (self._info,)

    def stats(self) -> Stats:
        return Stats(
            running=self._queue.running,
            waiting=self._queue.waiting,
            queue_limit=self._queue.limit,
            restarts=0,
            process_id=None,
        )

    # What the request queue asks of its executor.

    async def check_request(self, request: Request) -> str:
        if self._info.state != "ready":
            await self._check_server()
        if self._info.state != "ready":
            raise self._unavailable()
        if request.model != self._info.name:
            raise ModelUnavailable(
                f"There is no model {request.model!r}. The engine serves {self._info.name}."
            )
        return QUEUE

    def capacity(self, counts: Mapping[str, RequestCounts], now: float) -> Capacity:  # noqa: ARG002
        return Capacity((QUEUE,))

    def start_requests(self, requests: Sequence[Request]) -> None:
        for request in requests:
            task = asyncio.create_task(self._run(request))
            self._tasks[request.id] = task
            # Not in the task itself: one that is cancelled before its first step never runs.
            task.add_done_callback(partial(self._on_done, request.id))

    def stop_request(self, request_id: str) -> None:
        """Closes the connection, which ends the work on the server."""
        self._tasks[request_id].cancel()

    async def _run(self, request: Request) -> Outcome | ServiceError:
        assert self._server is not None
        runner = RequestRunner(
            self._client, self._server, expected_s=self._queue.retry_after_s(QUEUE)
        )
        try:
            return await runner.run(request, partial(self._queue.emit, request.id))
        except ServiceError as error:
            return error

    def _on_done(self, request_id: str, task: asyncio.Task[Outcome | ServiceError]) -> None:
        del self._tasks[request_id]
        end: Outcome | ServiceError | None = None
        if not task.cancelled():
            failure = task.exception()
            if failure is not None:
                logger.error("A request to the engine failed unexpectedly.", exc_info=failure)
                end = EngineCrashed("The engine's answer could not be handled. Try again.")
            else:
                end = task.result()
        if isinstance(end, ModelUnavailable | EngineCrashed):
            self._checked_at = -math.inf
            self._check_now.set()
        self._queue.finish(request_id, end)

    async def _watch(self) -> None:
        while True:
            self._check_now.clear()
            is_busy = self._queue.running > 0
            # A server that is working may be too busy to answer a check in time.
            if not is_busy:
                await self._check_server()
            is_well = self._info.state == "ready" and not is_busy
            pause_s = READY_CHECK_S if is_well else FAILED_CHECK_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._check_now.wait()

    async def _check_server(self) -> None:
        """Find out whether the server can be used, unless that was just done."""
        async with self._check_lock:
            if time.monotonic() - self._checked_at < FRESH_S:
                return
            try:
                self._use(await discover(self._client, self._wanted_model))
            except EngineBusy:
                self._info = replace(self._info, state="loading", progress=0.0, error=None)
            except ServiceError as error:
                if error.detail != self._info.error:
                    logger.error("%s", error.detail)
                self._info = replace(self._info, state="failed", progress=0.0, error=error.detail)
            self._checked_at = time.monotonic()

    def _use(self, server: Server) -> None:
        if server != self._server:
            engine, dialect = self._client.engine, server.dialect
            logger.info("%s is %s with the model %s.", engine, dialect.name, server.model)
            if dialect.grammar is None:
                logger.warning("%s takes no grammars, so more answers may be unusable.", engine)
        slots = self._wanted_slots or server.slots or DEFAULT_SLOTS
        if not self._queue.is_empty:
            slots = self._info.slots
        elif slots != self._info.slots:
            self._queue.set_slots({QUEUE: slots})
        self._server = server
        self._info = ModelInfo(
            server.model,
            REQUIRED_ROLES,
            "",
            server.context,
            slots,
            identity=None,
            state="ready",
            progress=1.0,
        )

    def _unavailable(self) -> ModelUnavailable:
        return ModelUnavailable(
            self._info.error
            or f"{self._client.engine} is still getting ready. Try again in a moment."
        )
