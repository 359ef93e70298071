"""The life of a request from `submit` to its last event, the same for every backend.

The queue decides whether a request is accepted, when it starts and when it is overdue, and it
delivers the request's events to the reader. How a started request is carried out is the business
of an `Executor`.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Protocol

from service.engine.admission.event_buffer import EventBuffer, Item
from service.engine.admission.fair_queue import (
    FairQueue,
    QueueFullError,
    RequestCounts,
    ShareTakenError,
)
from service.engine.admission.service_times import ServiceTimes
from service.engine.types import Delta, Event, GenerateRequest, Outcome, Queued, Request, Started
from service.errors import (
    DeadlineExceeded,
    EngineBusy,
    InvalidInput,
    ModelUnavailable,
    ServiceError,
)
from service.messages import Text


@dataclass(frozen=True, slots=True)
class Capacity:
    """The models whose requests may start now, and when to ask for the capacity again at the latest.

    `ask_again_at` is in seconds of `time.monotonic`.
    """

    models: Collection[str]
    ask_again_at: float = inf


class Executor(Protocol):
    """Carries out the requests that get a slot. Called on the event loop; must not block."""

    async def check_request(self, request: Request) -> str:
        """The name of the model whose slots the request uses.

        Raises:
            ServiceError: the request cannot be carried out.
        """

    def capacity(self, counts: Mapping[str, RequestCounts], now: float) -> Capacity:
        """What may start, given how many requests of each model run and wait."""

    def start_requests(self, requests: Sequence[Request]) -> None:
        """Carry out these requests, with `RequestQueue.emit` and `RequestQueue.finish`."""

    def stop_request(self, request_id: str) -> None:
        """Give up a running request. Its slot is taken until `RequestQueue.finish` is called."""


@dataclass(slots=True)
class _TrackedRequest:
    """`started_at` is None while the request waits.

    `is_cancelled` means that nobody reads its events while the executor still works on it.
    """

    request: Request
    model: str
    events: EventBuffer = field(default_factory=EventBuffer)
    position: int = 0
    started_at: float | None = None
    starts: int = 0
    has_output: bool = False
    is_cancelled: bool = False

    @property
    def timeout_s(self) -> float:
        timeout_s = self.request.timeout_s if isinstance(self.request, GenerateRequest) else None
        return inf if timeout_s is None else timeout_s


class RequestQueue:
    def __init__(self, slots: Mapping[str, int], limit: int, executor: Executor) -> None:
        """`slots` by model; `limit` is how many requests may run and wait, over all models."""
        self.limit = limit
        self._executor = executor
        self._fair_queue = FairQueue(slots, limit)
        self._service_times = ServiceTimes(slots)
        self._requests: dict[str, _TrackedRequest] = {}
        self._alarm: asyncio.TimerHandle | None = None
        self._is_dispatch_due = False
        self._is_closed = False

    @property
    def running(self) -> int:
        """Requests that have a slot, cancelled ones included until their slot is free."""
        return self._fair_queue.running

    @property
    def waiting(self) -> int:
        return self._fair_queue.waiting

    @property
    def is_empty(self) -> bool:
        return not self._requests

    def set_slots(self, slots: Mapping[str, int]) -> None:
        """The slots of these models from now on. With fewer of them, running requests go on."""
        self._fair_queue.set_slots(slots)
        self._service_times.set_slots(slots)
        self.dispatch_soon()

    def retry_after_s(self, model: str) -> int:
        """Seconds until a request that is refused now has a chance of a place."""
        return self._service_times.retry_after_s(model, self._fair_queue.counts()[model].waiting)

    async def submit(self, request: Request) -> AsyncGenerator[Event, None]:
        """The request's events, as `Backend.submit` describes them."""
        self._check_open()
        tracked = self._admit(request, await self._executor.check_request(request))
        try:
            while (item := await tracked.events.get()) is not None:
                if isinstance(item, ServiceError):
                    raise item
                yield item
                if isinstance(item, Outcome):
                    return
        finally:
            self._abandon(tracked)

    def cancel(self, request_id: str) -> None:
        """End the stream of a waiting or running request; unknown ids are ignored."""
        tracked = self._requests.get(request_id)
        if tracked is not None:
            self._abandon(tracked)
            tracked.events.put(None)

    def close(self) -> None:
        """Cancel all requests and refuse new ones."""
        self._is_closed = True
        self._set_alarm(inf)
        for request_id in list(self._requests):
            self.cancel(request_id)

    def emit(self, request_id: str, event: Started | Delta) -> None:
        """Deliver an event of a running request to its reader."""
        tracked = self._requests.get(request_id)
        if tracked is not None and not tracked.is_cancelled:
            tracked.has_output = True
            tracked.events.put(event)

    def finish(self, request_id: str, end: Item) -> None:
        """Free the slot of a request and deliver its last event, its error, or None."""
        tracked = self._requests.get(request_id)
        if tracked is None:
            return
        if isinstance(end, Outcome) and tracked.started_at is not None:
            self._service_times.record(tracked.model, time.monotonic() - tracked.started_at)
        self._remove(tracked)
        tracked.events.put(end)

    def fail_model(self, model: str, error: ServiceError) -> None:
        """End all running and waiting requests of a model with an error."""
        for request_id, tracked in list(self._requests.items()):
            if tracked.model == model:
                self.finish(request_id, error)

    def recover(self, error: ServiceError) -> None:
        """The executor has lost everything that it ran.

        A request without output waits again in its old place, but only once, because it may be
        what broke the executor; one with a grammar of a client does not. The others end with `error`.
        """
        for request_id, tracked in list(self._requests.items()):
            if tracked.started_at is None:
                continue
            if tracked.is_cancelled:
                self.finish(request_id, None)
            elif tracked.has_output or tracked.starts > 1 or _is_suspect(tracked.request):
                self.finish(request_id, error)
            else:
                self._fair_queue.put_back(request_id)
                tracked.started_at, tracked.position = None, 0
        self.dispatch_soon()

    def dispatch_soon(self) -> None:
        """Dispatch once for everything that happens in this turn of the event loop."""
        if not self._is_dispatch_due and not self._is_closed:
            self._is_dispatch_due = True
            asyncio.get_running_loop().call_soon(self._dispatch)

    def _check_open(self) -> None:
        if self._is_closed:
            raise ModelUnavailable(Text("The server is stopping."))

    def _admit(self, request: Request, model: str) -> _TrackedRequest:
        # The executor may have taken its time with the check.
        self._check_open()
        tracked = _TrackedRequest(request, model)
        try:
            self._fair_queue.add(
                request.id,
                model,
                request.client,
                deadline=time.monotonic() + tracked.timeout_s,
                takes_place=not request.is_admitted,
                holder=_holder_of(request),
            )
        except ShareTakenError:
            raise self._share_taken(model) from None
        except QueueFullError:
            raise self._busy(model) from None
        except ValueError:
            raise InvalidInput(f"A request with the id {request.id!r} is already here.") from None
        self._requests[request.id] = tracked
        self.dispatch_soon()
        return tracked

    def _busy(self, model: str) -> EngineBusy:
        wait_s = self.retry_after_s(model)
        return EngineBusy(
            Text(
                "All %(count)s places are taken. Try again in %(seconds)s s.",
                count=self.limit,
                seconds=wait_s,
            ),
            retry_after_s=wait_s,
        )

    def _share_taken(self, model: str) -> EngineBusy:
        wait_s = self.retry_after_s(model)
        return EngineBusy(
            Text(
                "You have %(count)s of the %(limit)s places, and the others are kept for others. Try "
                "again in %(seconds)s s.",
                count=self._fair_queue.share,
                limit=self.limit,
                seconds=wait_s,
            ),
            retry_after_s=wait_s,
        )

    def _dispatch(self) -> None:
        """End overdue requests, give out free slots, and report positions in the queue."""
        self._is_dispatch_due = False
        if self._is_closed:
            return
        now = time.monotonic()
        for request_id in self._fair_queue.overdue(now):
            self._expire(self._requests[request_id])
        capacity = self._executor.capacity(self._fair_queue.counts(), now)
        self._start(capacity.models, now)
        self._report_positions()
        self._set_alarm(min(capacity.ask_again_at, self._fair_queue.next_deadline()) - now)

    def _start(self, models: Collection[str], now: float) -> None:
        started = [self._requests[request_id] for request_id in self._fair_queue.start(models)]
        for tracked in started:
            tracked.started_at = now
            tracked.starts += 1
        if started:
            self._executor.start_requests([tracked.request for tracked in started])

    def _report_positions(self) -> None:
        for model in self._fair_queue.counts():
            for request_id, position in self._fair_queue.positions(model).items():
                tracked = self._requests[request_id]
                if tracked.position != position:
                    tracked.position = position
                    tracked.events.put(Queued(position))

    def _expire(self, tracked: _TrackedRequest) -> None:
        self._abandon(tracked)
        tracked.events.put(
            DeadlineExceeded(
                Text(
                    "Not finished within %(seconds)s s, waiting included. The results so far "
                    "were kept. Ask for less, or allow more time.",
                    seconds=format(tracked.timeout_s, "g"),
                )
            )
        )

    def _abandon(self, tracked: _TrackedRequest) -> None:
        """Nobody reads the events any more: leave the queue, or stop the work."""
        request_id = tracked.request.id
        if self._requests.get(request_id) is not tracked or tracked.is_cancelled:
            return
        if tracked.started_at is None:
            self._remove(tracked)
        else:
            tracked.is_cancelled = True
            self._executor.stop_request(request_id)

    def _remove(self, tracked: _TrackedRequest) -> None:
        request_id = tracked.request.id
        del self._requests[request_id]
        if not self._fair_queue.withdraw(request_id):
            self._fair_queue.finish(request_id)
        self.dispatch_soon()

    def _set_alarm(self, delay_s: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if delay_s < inf:
            loop = asyncio.get_running_loop()
            self._alarm = loop.call_later(max(0.0, delay_s), self._dispatch)


def _holder_of(request: Request) -> str:
    return request.holder if isinstance(request, GenerateRequest) else ""


def _is_suspect(request: Request) -> bool:
    return isinstance(request, GenerateRequest) and request.is_foreign
