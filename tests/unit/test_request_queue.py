"""The life of a request, against an executor that does only what a test tells it."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from service.engine.admission.fair_queue import RequestCounts
from service.engine.admission.request_queue import Capacity, RequestQueue
from service.engine.types import (
    Delta,
    Event,
    Finished,
    GenerateRequest,
    Queued,
    Request,
    Started,
    Usage,
)
from service.errors import (
    DeadlineExceeded,
    EngineBusy,
    EngineCrashed,
    InvalidInput,
    ModelUnavailable,
    ServiceError,
)

SLOTS = {"one": 1, "two": 2}
LIMIT = 6
END = Finished("stop", Usage())
CRASH = EngineCrashed("The process stopped.")


class FakeExecutor:
    def __init__(self) -> None:
        self.ready = set(SLOTS)
        self.has_started = asyncio.Event()
        self.ask_again_at = float("inf")
        self.asked = 0
        self.refusal: ServiceError | None = None
        self.started: list[str] = []
        self.running: dict[str, str] = {}
        self.stopped: list[str] = []

    async def check_request(self, request: Request) -> str:
        if self.refusal is not None:
            raise self.refusal
        return request.model

    def capacity(self, counts: Mapping[str, RequestCounts], now: float) -> Capacity:
        assert counts.keys() == SLOTS.keys()
        assert now > 0
        self.asked += 1
        return Capacity(tuple(self.ready), self.ask_again_at)

    def start_requests(self, requests: Sequence[Request]) -> None:
        for request in requests:
            assert request.id not in self.running
            self.started.append(request.id)
            self.has_started.set()
            self.running[request.id] = request.model

    def stop_request(self, request_id: str) -> None:
        assert request_id in self.running
        assert request_id not in self.stopped
        self.stopped.append(request_id)


def request_of(
    request_id: str, model: str = "one", *, client: str = "", timeout_s: float | None = None
) -> GenerateRequest:
    return GenerateRequest(request_id, model, (), 10, client=client, timeout_s=timeout_s)


async def settle() -> None:
    """Let everything happen that needs no time."""
    for _ in range(10):
        await asyncio.sleep(0)


@dataclass
class Reader:
    """Reads the stream of one request to its end."""

    events: list[Event] = field(default_factory=list)
    error: Exception | None = None
    is_over: bool = False
    task: asyncio.Task[None] | None = None

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, Delta))

    @property
    def is_complete(self) -> bool:
        return bool(self.events) and self.events[-1] is END

    async def read(self, stream: AsyncGenerator[Event, None]) -> None:
        try:
            async with aclosing(stream):
                async for event in stream:
                    self.events.append(event)
        except ServiceError as error:
            self.error = error
        finally:
            self.is_over = True


@dataclass
class Bench:
    """A queue, its executor, and a reader for each request."""

    executor: FakeExecutor = field(default_factory=FakeExecutor)
    limit: int = LIMIT

    def __post_init__(self) -> None:
        self.queue = RequestQueue(SLOTS, self.limit, self.executor)

    async def submit(self, request: Request) -> Reader:
        reader = Reader()
        reader.task = asyncio.create_task(reader.read(self.queue.submit(request)))
        await settle()
        return reader

    async def finish(self, request_id: str, end: Finished | ServiceError | None = END) -> None:
        self.executor.running.pop(request_id)
        self.queue.finish(request_id, end)
        await settle()


def scenario(run: Callable[[Bench], Coroutine[None, None, None]], limit: int = LIMIT) -> None:
    async def main() -> None:
        await run(Bench(limit=limit))

    asyncio.run(main())


def test_a_request_runs_at_once_when_a_slot_is_free() -> None:
    async def run(bench: Bench) -> None:
        reader = await bench.submit(request_of("a"))
        bench.queue.emit("a", Started(3))
        bench.queue.emit("a", Delta("Hello"))
        await bench.finish("a")

        assert reader.events == [Started(3), Delta("Hello"), END]
        assert (bench.queue.running, bench.queue.waiting) == (0, 0)
        assert bench.queue.is_empty

    scenario(run)


def test_a_waiting_request_learns_each_new_position_once() -> None:
    async def run(bench: Bench) -> None:
        await bench.submit(request_of("a"))
        await bench.submit(request_of("b"))
        last = await bench.submit(request_of("c"))
        await bench.submit(request_of("other", "two"))
        await bench.finish("a")
        await bench.finish("b")

        assert last.events == [Queued(2), Queued(1)]
        assert bench.executor.running.keys() == {"c", "other"}

    scenario(run)


def test_a_request_over_the_limit_is_refused_with_a_time_to_retry() -> None:
    async def run(bench: Bench) -> None:
        await bench.submit(request_of("a"))
        await bench.submit(request_of("b"))
        reader = await bench.submit(request_of("c"))

        assert isinstance(reader.error, EngineBusy)
        assert reader.error.retry_after_s == bench.queue.retry_after_s("one") == 20

    scenario(run, limit=2)


def test_a_request_that_the_executor_refuses_takes_no_place() -> None:
    async def run(bench: Bench) -> None:
        bench.executor.refusal = ModelUnavailable("There is no such model.")
        reader = await bench.submit(request_of("a"))

        assert reader.error is bench.executor.refusal
        assert bench.queue.is_empty

    scenario(run)


def test_an_id_can_be_used_again_only_when_its_request_is_over() -> None:
    async def run(bench: Bench) -> None:
        await bench.submit(request_of("a"))
        second = await bench.submit(request_of("a"))
        await bench.finish("a")
        third = await bench.submit(request_of("a"))
        await bench.finish("a")

        assert isinstance(second.error, InvalidInput)
        assert third.events == [END]

    scenario(run)


def test_a_cancelled_request_keeps_its_slot_until_the_executor_has_let_go() -> None:
    async def run(bench: Bench) -> None:
        first = await bench.submit(request_of("a"))
        await bench.submit(request_of("b"))
        bench.queue.cancel("a")
        bench.queue.emit("a", Delta("too late"))
        await settle()

        assert first.is_over
        assert first.events == []
        assert bench.executor.stopped == ["a"]
        assert bench.executor.started == ["a"]

        await bench.finish("a", None)

        assert bench.executor.started == ["a", "b"]

    scenario(run)


def test_closing_the_stream_cancels_the_request() -> None:
    async def run(bench: Bench) -> None:
        reader = await bench.submit(request_of("a"))
        assert reader.task is not None
        reader.task.cancel()
        await settle()

        assert bench.executor.stopped == ["a"]

    scenario(run)


def test_a_waiting_request_that_is_cancelled_never_reaches_the_executor() -> None:
    async def run(bench: Bench) -> None:
        await bench.submit(request_of("a"))
        reader = await bench.submit(request_of("b"))
        bench.queue.cancel("b")
        await settle()
        await bench.finish("a")

        assert reader.is_over
        assert bench.executor.started == ["a"]

    scenario(run)


@pytest.mark.parametrize("is_running", [True, False])
def test_a_request_ends_at_its_deadline_whether_it_runs_or_waits(is_running: bool) -> None:
    async def run(bench: Bench) -> None:
        if not is_running:
            bench.executor.ready.clear()
        reader = Reader()
        await reader.read(bench.queue.submit(request_of("a", timeout_s=0.02)))

        assert isinstance(reader.error, DeadlineExceeded)
        assert bench.executor.stopped == (["a"] if is_running else [])

    scenario(run)


def test_after_a_crash_only_requests_without_output_run_again_and_only_once() -> None:
    async def run(bench: Bench) -> None:
        silent = await bench.submit(request_of("silent", "two"))
        shown = await bench.submit(request_of("shown", "two"))
        cancelled = await bench.submit(request_of("cancelled"))
        bench.queue.emit("shown", Started(1))
        bench.queue.cancel("cancelled")
        bench.executor.running.clear()
        bench.queue.recover(CRASH)
        await settle()

        assert shown.error is CRASH
        assert cancelled.error is None
        assert bench.executor.running.keys() == {"silent"}

        bench.executor.running.clear()
        bench.queue.recover(CRASH)
        await settle()

        assert silent.error is CRASH
        assert bench.queue.is_empty

    scenario(run)


def test_a_request_that_waits_again_after_a_crash_learns_its_position_again() -> None:
    async def run(bench: Bench) -> None:
        await bench.submit(request_of("running"))
        reader = await bench.submit(request_of("a"))
        await bench.finish("running")
        bench.executor.running.clear()
        bench.executor.ready.clear()
        bench.queue.recover(CRASH)
        await settle()

        assert reader.events == [Queued(1), Queued(1)]
        assert (bench.queue.running, bench.queue.waiting) == (0, 1)

    scenario(run)


def test_a_model_that_fails_ends_its_requests_and_no_others() -> None:
    async def run(bench: Bench) -> None:
        running = await bench.submit(request_of("a"))
        waiting = await bench.submit(request_of("b"))
        other = await bench.submit(request_of("c", "two"))
        error = ModelUnavailable("The file is damaged.")
        bench.queue.fail_model("one", error)
        await settle()

        assert running.error is waiting.error is error
        assert not other.is_over

    scenario(run)


def test_the_executor_is_asked_again_when_it_said_so() -> None:
    async def run(bench: Bench) -> None:
        bench.executor.ready.clear()
        bench.executor.ask_again_at = 0.0
        await bench.submit(request_of("a"))
        bench.executor.ready.add("one")
        bench.executor.ask_again_at = float("inf")
        await bench.executor.has_started.wait()

        assert bench.executor.asked >= 2

    scenario(run)


def test_a_closed_queue_ends_its_streams_and_refuses_new_requests() -> None:
    async def run(bench: Bench) -> None:
        reader = await bench.submit(request_of("a"))
        bench.queue.close()
        await settle()
        late = await bench.submit(request_of("b"))

        assert reader.is_over
        assert bench.executor.stopped == ["a"]
        assert isinstance(late.error, ModelUnavailable)

    scenario(run)


def test_slots_can_change_while_requests_run_and_wait() -> None:
    async def run(bench: Bench) -> None:
        for name in "abc":
            await bench.submit(request_of(name))
        assert bench.queue.running == 1

        bench.queue.set_slots({"one": 2})
        await settle()
        assert (bench.queue.running, bench.queue.waiting) == (2, 1)

        bench.queue.set_slots({"one": 1})
        bench.queue.finish("a", END)
        await settle()
        assert (bench.queue.running, bench.queue.waiting) == (1, 1)

    scenario(run)


@dataclass
class Expected:
    """What a request's reader must have seen so far."""

    model: str
    reader: Reader
    text: str = ""
    end: Finished | ServiceError | None = None
    is_over: bool = False
    starts: int = 0
    has_output: bool = False


class RequestQueueMachine(RuleBasedStateMachine):
    """Submits, cancels, finishes and crashes in any order, with a real event loop."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.bench = Bench()
        self.requests: dict[str, Expected] = {}
        self.count = 0

    @property
    def executor(self) -> FakeExecutor:
        return self.bench.executor

    @contextmanager
    def loop_runs(self) -> Iterator[None]:
        yield
        self.runner.run(settle())
        for request_id in self.executor.started:
            self.requests[request_id].starts += 1
        self.executor.started.clear()

    @rule(model=st.sampled_from(sorted(SLOTS)), client=st.sampled_from("abc"))
    def submit(self, model: str, client: str) -> None:
        self.count += 1
        request_id = f"r{self.count}"
        is_full = self.bench.queue.running + self.bench.queue.waiting >= LIMIT
        reader = self.runner.run(self.bench.submit(request_of(request_id, model, client=client)))
        self.requests[request_id] = Expected(model, reader)
        if is_full:
            assert isinstance(reader.error, EngineBusy)
            del self.requests[request_id]
        with self.loop_runs():
            pass

    @precondition(lambda self: self.executor.running)
    @rule(data=st.data(), text=st.text(max_size=3))
    def emit(self, data: st.DataObject, text: str) -> None:
        request_id = data.draw(st.sampled_from(sorted(self.executor.running)))
        with self.loop_runs():
            self.runner.run(self.call(lambda: self.bench.queue.emit(request_id, Delta(text))))
        expected = self.requests[request_id]
        if not expected.is_over:
            expected.text += text
            expected.has_output = True

    @precondition(lambda self: self.executor.running)
    @rule(data=st.data(), end=st.sampled_from([END, CRASH]))
    def finish(self, data: st.DataObject, end: Finished | ServiceError) -> None:
        request_id = data.draw(st.sampled_from(sorted(self.executor.running)))
        expected = self.requests[request_id]
        if not expected.is_over:
            expected.is_over, expected.end = True, end
        with self.loop_runs():
            self.runner.run(self.bench.finish(request_id, end))
        if request_id in self.executor.stopped:
            self.executor.stopped.remove(request_id)

    @precondition(lambda self: self.requests)
    @rule(data=st.data(), closes_stream=st.booleans())
    def cancel(self, data: st.DataObject, closes_stream: bool) -> None:
        request_id = data.draw(st.sampled_from(sorted(self.requests)))
        expected = self.requests[request_id]
        expected.is_over = True
        task = expected.reader.task
        assert task is not None
        with self.loop_runs():
            if closes_stream:
                task.cancel()
            else:
                self.runner.run(self.call(lambda: self.bench.queue.cancel(request_id)))

    @rule()
    def crash(self) -> None:
        for request_id in self.executor.running:
            expected = self.requests[request_id]
            is_over = expected.has_output or expected.starts > 1
            if is_over and not expected.is_over:
                expected.is_over, expected.end = True, CRASH
        self.executor.running.clear()
        self.executor.stopped.clear()
        with self.loop_runs():
            self.runner.run(self.call(lambda: self.bench.queue.recover(CRASH)))

    @rule(model=st.sampled_from(sorted(SLOTS)))
    def change_readiness(self, model: str) -> None:
        self.executor.ready ^= {model}
        with self.loop_runs():
            self.runner.run(self.call(self.bench.queue.dispatch_soon))

    async def call(self, work: Callable[[], None]) -> None:
        work()

    @invariant()
    def the_queue_and_the_executor_agree_on_what_runs(self) -> None:
        assert self.bench.queue.running == len(self.executor.running)
        running = list(self.executor.running.values())
        assert all(running.count(model) <= slots for model, slots in SLOTS.items())

    @invariant()
    def no_slot_is_free_while_a_request_waits_for_it(self) -> None:
        running = list(self.executor.running.values())
        for request_id, expected in self.requests.items():
            is_waiting = not expected.is_over and request_id not in self.executor.running
            if is_waiting and expected.model in self.executor.ready:
                assert running.count(expected.model) == SLOTS[expected.model]

    @invariant()
    def every_reader_has_seen_all_text_and_the_right_end(self) -> None:
        for expected in self.requests.values():
            reader = expected.reader
            assert reader.text == expected.text
            assert reader.is_over == expected.is_over
            assert reader.is_complete == (expected.end is END)
            assert reader.error is (expected.end if expected.end is CRASH else None)

    def teardown(self) -> None:
        self.runner.run(self.call(self.bench.queue.close))
        self.runner.run(settle())
        self.runner.close()


RequestQueueMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=40)
TestRequestQueue = RequestQueueMachine.TestCase
