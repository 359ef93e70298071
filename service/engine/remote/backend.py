"""The backend for one model on one or several OpenAI-compatible servers.

It watches whether the servers can be used and runs the requests that get a slot; a request whose
answer has not begun may go on to another server. The choice of a server is the business of
`engine_pool`, HTTP that of `http_client`, the fields of request bodies that of `dialects`, and those
of answers that of `replies`.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from service.engine.admission.fair_queue import RequestCounts
from service.engine.admission.request_queue import Capacity, RequestQueue
from service.engine.remote.capabilities import Lacks
from service.engine.remote.engine_pool import Address, EnginePool
from service.engine.remote.pooled_engine import DEFAULT_SLOTS, PooledEngine
from service.engine.remote.request_runner import RequestRunner
from service.engine.types import (
    REQUIRED_ROLES,
    Delta,
    Embedding,
    EngineStatus,
    Event,
    ModelInfo,
    ModelState,
    Outcome,
    Request,
    Role,
    Started,
    Stats,
)
from service.errors import EngineBusy, EngineCrashed, ModelUnavailable, ServiceError
from service.messages import Text

# Seconds between two checks of a server.
READY_CHECK_S, FAILED_CHECK_S = 5.0, 2.0
# How often a request may go on after an engine failed, and how often after one crashed: the request
# itself may be the reason. One that is full or lacks something costs nothing, so all may be asked.
MOVES_AFTER_FAILURES, MOVES_AFTER_CRASHES = 2, 1
# How long a request waits before it looks for a place again, when nobody tells it of one.
PLACE_S = 1.0
# The queue knows the model by this name, because its real name may change with the server.
QUEUE = "engine"
# The name of the model until a server has named one.
UNNAMED = "engine"

# Errors that another engine may not have.
OF_ENGINE = (EngineBusy, ModelUnavailable, EngineCrashed)

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Attempt:
    """A request on its way through the engines.

    `is_lacking` means that the last engine does not offer what the request needs.
    """

    request: Request
    has_started: bool = False
    has_text: bool = False
    is_lacking: bool = False
    failures: int = 0
    crashes: int = 0
    tried: list[PooledEngine] = field(default_factory=list)
    refusal: EngineBusy | None = None


class RemoteBackend:
    """Implements `Backend` for one model, which serves all roles.

    The hash of its weights is unknown (`""`). The number of prompt tokens is known only at the
    end, so `Started` says 0. A server that takes no grammars gets none; the caller validates the
    answers anyway. Embeddings are pooled in the server's own way.
    """

    def __init__(
        self,
        *addresses: Address,
        model: str | None = None,
        slots: int | None = None,
        queue_limit: int = 32,
        stall_s: float = 120,
    ) -> None:
        """`queue_limit` is how many requests may run and wait; each engine gets `slots` of them at a
        time.

        `model` may be None if the servers have only one. Without `slots` the server's own number
        counts, or else 8.
        """
        self._pool = EnginePool(addresses, model=model, slots=slots, stall_s=stall_s)
        self._wanted_model = model
        self._slots = len(addresses) * (slots or DEFAULT_SLOTS)
        self._queue = RequestQueue({QUEUE: self._slots}, queue_limit, executor=self)
        self._tasks: dict[str, asyncio.Task[Outcome | ServiceError]] = {}
        self._watchers: list[asyncio.Task[None]] = []
        self._place_freed = asyncio.Event()
        self._reported = self._pool.statuses()

    async def start(self) -> None:
        self._watchers = [asyncio.create_task(self._watch(one)) for one in self._pool.engines]

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        self._queue.close()
        for watcher in self._watchers:
            watcher.cancel()
        await asyncio.gather(*self._watchers, *tasks, return_exceptions=True)
        await self._pool.close()

    def submit(self, request: Request) -> AsyncGenerator[Event, None]:
        return self._queue.submit(request)

    async def cancel(self, request_id: str) -> None:
        self._queue.cancel(request_id)

    def model_for(self, role: Role) -> ModelInfo:  # noqa: ARG002
        if self._pool.model is None and self._wanted_model is None:
            raise self._unavailable()
        return self._info()

    def models(self) -> tuple[ModelInfo, ...]:
        return (self._info(),)

    def stats(self) -> Stats:
        return Stats(
            running=self._queue.running,
            waiting=self._queue.waiting,
            queue_limit=self._queue.limit,
            restarts=0,
            process_id=None,
            engines=self._pool.statuses(),
        )

    # What the request queue asks of its executor.

    async def check_request(self, request: Request) -> str:
        if not self._is_ready():
            await asyncio.gather(*(self._check(one) for one in self._pool.engines))
        if not self._is_ready():
            raise self._unavailable()
        if request.model != self._pool.model:
            raise ModelUnavailable(
                f"There is no model {request.model!r}. The engine serves {self._pool.model}."
            )
        return QUEUE

    def capacity(self, counts: Mapping[str, RequestCounts], now: float) -> Capacity:  # noqa: ARG002
        slots = sum(self._pool.slots_by_engine().values())
        if slots and slots != self._slots:
            self._slots = slots
            self._queue.set_slots({QUEUE: slots})
        return Capacity((QUEUE,), ask_again_at=self._pool.resumes_at())

    def start_requests(self, requests: Sequence[Request]) -> None:
        for request in requests:
            task = asyncio.create_task(self._run(_Attempt(request)))
            self._tasks[request.id] = task
            # Not in the task itself: one that is cancelled before its first step never runs.
            task.add_done_callback(partial(self._on_done, request.id))

    def stop_request(self, request_id: str) -> None:
        """Closes the connection, which ends the work on the server."""
        self._tasks[request_id].cancel()

    async def _run(self, attempt: _Attempt) -> Outcome | ServiceError:
        request, end = attempt.request, None
        while (engine := await self._place(attempt)) is not None:
            try:
                end = await self._ask(engine, attempt)
            finally:
                engine.requests.discard(request.id)
                self._changed()
            if not isinstance(end, ServiceError) or not self._may_move(attempt, end):
                break
            engine.moved += 1
        if isinstance(end, OF_ENGINE) and attempt.refusal is not None and not attempt.has_text:
            return self._pool.all_busy(attempt.refusal)
        return end or self._unavailable()

    async def _place(self, attempt: _Attempt) -> PooledEngine | None:
        """Take a place at an engine, and wait for one where the request could not wait before."""
        while True:
            engine = self._pool.choose(attempt.request, attempt.tried)
            if engine is None or self._pool.has_place(engine) or not self._is_ready():
                break
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PLACE_S):
                    await self._place_freed.wait()
        if engine is not None:
            attempt.tried.append(engine)
            self._pool.reserve(engine, attempt.request)
        return engine

    async def _ask(self, engine: PooledEngine, attempt: _Attempt) -> Outcome | ServiceError:
        """What one engine makes of the request, which also tells how the engine is."""
        assert engine.server is not None
        attempt.is_lacking = False
        runner = RequestRunner(
            engine.client, engine.server, expected_s=self._queue.retry_after_s(QUEUE)
        )
        try:
            outcome = await runner.run(attempt.request, partial(self._emit, attempt))
        except Lacks as lack:
            engine.lacks.add(lack.need)
            attempt.is_lacking = True
            return lack.error
        except EngineBusy as error:
            attempt.refusal = error
            engine.refused(error)
            return error
        except (ModelUnavailable, EngineCrashed) as error:
            attempt.failures += 1
            attempt.crashes += isinstance(error, EngineCrashed)
            engine.failed(error)
            self._report_changes()
            return error
        except ServiceError as error:
            return error
        engine.succeeded()
        if isinstance(outcome, Embedding):
            return self._checked(engine, outcome)
        return outcome

    def _checked(self, engine: PooledEngine, found: Embedding) -> Outcome | ServiceError:
        if self._pool.accepts_vector(engine, len(found.vector)):
            return found
        return ModelUnavailable(engine.difference or "")

    def _emit(self, attempt: _Attempt, event: Started | Delta) -> None:
        if isinstance(event, Started):
            if attempt.has_started:
                return
            attempt.has_started = True
        else:
            attempt.has_text = True
        self._queue.emit(attempt.request.id, event)

    def _may_move(self, attempt: _Attempt, error: ServiceError) -> bool:
        """Whether another engine may answer, of whose answer nobody has seen a beginning."""
        return (
            not attempt.has_text
            and (attempt.is_lacking or isinstance(error, OF_ENGINE))
            and attempt.failures <= MOVES_AFTER_FAILURES
            and attempt.crashes <= MOVES_AFTER_CRASHES
            and self._pool.has_another(attempt.request, attempt.tried)
        )

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
        self._queue.finish(request_id, end)

    def _changed(self) -> None:
        """A place may be free, or another engine may be usable."""
        self._place_freed.set()
        self._place_freed.clear()
        self._queue.dispatch_soon()

    async def _watch(self, engine: PooledEngine) -> None:
        while True:
            engine.check_now.clear()
            # A server that is working may be too busy to answer a check in time.
            if engine.health != "ready" or not engine.requests:
                await self._check(engine)
            pause_s = READY_CHECK_S if engine.health == "ready" else FAILED_CHECK_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await engine.check_now.wait()

    async def _check(self, engine: PooledEngine) -> None:
        await engine.check()
        self._pool.settle()
        self._report_changes()
        self._changed()

    def _report_changes(self) -> None:
        statuses = self._pool.statuses()
        for old, new in zip(self._reported, statuses, strict=True):
            _report(old, new)
        self._reported = statuses

    def _is_ready(self) -> bool:
        return self._pool.model is not None and any(one.is_usable for one in self._pool.engines)

    def _info(self) -> ModelInfo:
        contexts = [one.server.context for one in self._pool.members if one.server is not None]
        slots = sum(self._pool.slots_by_engine().values())
        state = self._state()
        return ModelInfo(
            self._pool.model or self._wanted_model or UNNAMED,
            REQUIRED_ROLES,
            "",
            min((context for context in contexts if context), default=0),
            slots or self._slots,
            identity=None,
            state=state,
            progress=1.0 if state == "ready" else 0.0,
            error=self._errors() if state == "failed" else None,
        )

    def _state(self) -> ModelState:
        if self._is_ready():
            return "ready"
        health = {one.health for one in self._pool.engines}
        if "loading" in health:
            return "loading"
        return "idle" if "starting" in health else "failed"

    def _errors(self) -> str | None:
        """What is wrong with each engine."""
        errors = (one.difference or one.error for one in self._pool.engines)
        return " ".join(error for error in errors if error) or None

    def _unavailable(self) -> ModelUnavailable:
        engines = [one.client.engine for one in self._pool.engines]
        if self._state() == "failed" and (errors := self._errors()):
            return ModelUnavailable(errors)
        if len(engines) > 1:
            return ModelUnavailable(
                Text("The engines are still getting ready. Try again in a moment.")
            )
        return ModelUnavailable(f"{engines[0]} is still getting ready. Try again in a moment.")


def _report(before: EngineStatus, after: EngineStatus) -> None:
    """Log what has changed."""
    if (after.kind, after.model) != (before.kind, before.model):
        logger.info("The engine at %s is %s with the model %s.", after.url, after.kind, after.model)
        if not after.takes_grammars:
            logger.warning(
                "The engine at %s takes no grammars, so more answers may be unusable.", after.url
            )
    if after.error is not None and after.error != before.error:
        logger.error("%s", after.error)
