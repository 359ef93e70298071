"""Cancelling, waiting and deadlines."""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from service.engine.catalog import CatalogModel
from service.engine.embedded.backend import EmbeddedBackend
from service.engine.types import Delta, Event, Finished, Queued, Request, Started
from service.errors import DeadlineExceeded, InvalidInput, ModelUnavailable
from tests.engine.conftest import ENDLESS, READY_S, Ask, NewBackend, settle, start_backend
from tests.support.timing import quickest

LONG = "word " * 1500


@pytest.fixture(scope="module")
def single(
    runner: asyncio.Runner, small: CatalogModel, models_dir: Path
) -> Iterator[EmbeddedBackend]:
    """A backend with one slot."""
    backend = start_backend(runner, (replace(small, slots=1),), models_dir)
    runner.run(settle(backend))
    yield backend
    runner.run(backend.close())


async def until(holds: Callable[[], object]) -> float:
    """Wait until a condition holds; returns the seconds it took."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < READY_S
        await asyncio.sleep(0.005)
    return time.monotonic() - began


async def until_idle(backend: EmbeddedBackend) -> float:
    return await until(lambda: backend.stats().running == 0)


async def until_running(backend: EmbeddedBackend) -> float:
    return await until(lambda: backend.stats().running)


async def read(backend: EmbeddedBackend, request: Request, events: list[Event]) -> None:
    """Read a stream into `events`, which keeps what came before an error."""
    async for event in backend.submit(request):
        events.append(event)


async def drain(backend: EmbeddedBackend, request: Request) -> list[Event]:
    return [event async for event in backend.submit(request)]


def test_cancel_frees_the_model_within_a_second(
    runner: asyncio.Runner, backend: EmbeddedBackend, ask: Ask
) -> None:
    rest: list[Event] = []

    async def scenario() -> float:
        request = ask(max_tokens=1500, sampling=ENDLESS)
        stream = backend.submit(request)
        while not isinstance(await anext(stream), Delta):
            pass
        await backend.cancel(request.id)
        freed_s = await until_idle(backend)
        rest.extend([event async for event in stream])
        return freed_s

    assert quickest(lambda: runner.run(scenario()), 1) < 1
    assert not any(isinstance(event, Finished) for event in rest)


def test_cancel_frees_the_model_during_a_long_prompt(
    runner: asyncio.Runner, backend: EmbeddedBackend, ask: Ask
) -> None:
    async def scenario() -> float:
        request = ask(LONG, max_tokens=4)
        stream = backend.submit(request)
        while not isinstance(await anext(stream), Started):
            pass
        await backend.cancel(request.id)
        freed_s = await until_idle(backend)
        await stream.aclose()
        return freed_s

    assert quickest(lambda: runner.run(scenario()), 1) < 1


def test_closing_the_stream_cancels_the_request(
    runner: asyncio.Runner, backend: EmbeddedBackend, ask: Ask
) -> None:
    async def scenario() -> float:
        stream = backend.submit(ask(max_tokens=1500, sampling=ENDLESS))
        await anext(stream)
        await stream.aclose()
        return await until_idle(backend)

    assert quickest(lambda: runner.run(scenario()), 1) < 1


def test_cancelling_the_reading_task_cancels_the_request(
    runner: asyncio.Runner, backend: EmbeddedBackend, ask: Ask
) -> None:
    async def scenario() -> float:
        task = asyncio.create_task(drain(backend, ask(max_tokens=1500, sampling=ENDLESS)))
        await until_running(backend)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return await until_idle(backend)

    assert quickest(lambda: runner.run(scenario()), 1) < 1


def test_cancelling_a_waiting_request_leaves_the_running_one_alone(
    runner: asyncio.Runner, single: EmbeddedBackend, ask: Ask
) -> None:
    async def scenario() -> tuple[list[Event], list[Event]]:
        running = asyncio.create_task(drain(single, ask(max_tokens=60, sampling=ENDLESS)))
        waiting = ask()
        queued = asyncio.create_task(drain(single, waiting))
        await until(lambda: single.stats().waiting == 1)
        await single.cancel(waiting.id)
        await single.cancel("nobody")
        return await running, await queued

    running, queued = runner.run(scenario())

    assert isinstance(running[-1], Finished)
    assert queued == [Queued(1)]


def test_waiting_requests_learn_their_new_position(
    runner: asyncio.Runner, single: EmbeddedBackend, ask: Ask
) -> None:
    async def scenario() -> list[list[Event]]:
        return await asyncio.gather(*(drain(single, ask(max_tokens=4)) for _ in range(3)))

    results = runner.run(scenario())

    assert [[one for one in events if isinstance(one, Queued)] for events in results] == [
        [],
        [Queued(1)],
        [Queued(2), Queued(1)],
    ]


def test_an_unknown_model_is_refused_and_named(
    runner: asyncio.Runner, backend: EmbeddedBackend, ask: Ask
) -> None:
    with pytest.raises(ModelUnavailable, match="nobody"):
        runner.run(drain(backend, ask(model="nobody")))


def test_two_requests_cannot_have_the_same_id_at_once(
    runner: asyncio.Runner, backend: EmbeddedBackend, ask: Ask
) -> None:
    async def scenario() -> list[Event]:
        request = ask(max_tokens=60, sampling=ENDLESS)
        first = asyncio.create_task(drain(backend, request))
        await until_running(backend)
        with pytest.raises(InvalidInput):
            await drain(backend, request)
        return await first

    assert isinstance(runner.run(scenario())[-1], Finished)


def test_a_deadline_ends_a_running_request_and_frees_its_slot(
    runner: asyncio.Runner, single: EmbeddedBackend, ask: Ask
) -> None:
    events: list[Event] = []

    async def scenario() -> float:
        """Seconds from the deadline until the slot was free."""
        began = time.monotonic()
        with pytest.raises(DeadlineExceeded, match=" 2 s"):
            await read(single, ask(max_tokens=1500, sampling=ENDLESS, timeout_s=2), events)
        assert time.monotonic() - began >= 2
        await until_idle(single)
        return time.monotonic() - began - 2

    assert quickest(lambda: runner.run(scenario()), 0.5) < 0.5
    assert any(isinstance(event, Delta) for event in events)


def test_a_deadline_includes_the_time_in_the_queue(
    runner: asyncio.Runner, single: EmbeddedBackend, ask: Ask
) -> None:
    async def scenario() -> tuple[list[Event], list[Event]]:
        running = asyncio.create_task(drain(single, ask(max_tokens=200)))
        await until_running(single)
        waited: list[Event] = []
        with pytest.raises(DeadlineExceeded):
            await read(single, ask(timeout_s=0.2), waited)
        return waited, await running

    waited, running = runner.run(scenario())

    assert waited == [Queued(1)]
    assert isinstance(running[-1], Finished)


def test_a_request_within_its_deadline_finishes(
    runner: asyncio.Runner, single: EmbeddedBackend, ask: Ask
) -> None:
    events = runner.run(drain(single, ask(max_tokens=3, timeout_s=30)))

    assert isinstance(events[-1], Finished)


def test_a_slow_reader_does_not_delay_other_requests(
    runner: asyncio.Runner, backend: EmbeddedBackend, ask: Ask
) -> None:
    async def scenario() -> tuple[list[Event], list[Event]]:
        slow = backend.submit(ask(max_tokens=60))
        first = await anext(slow)
        quick = await drain(backend, ask(max_tokens=60))
        await until_idle(backend)
        return [first, *[event async for event in slow]], quick

    slow, quick = runner.run(scenario())

    assert isinstance(quick[-1], Finished)
    assert [type(event) for event in slow] == [Started, Delta, Finished]


def test_close_ends_streams_and_process_within_two_seconds(
    runner: asyncio.Runner, new_backend: NewBackend, small: CatalogModel, ask: Ask
) -> None:
    async def scenario(backend: EmbeddedBackend) -> tuple[float, list[Event]]:
        reading = asyncio.create_task(drain(backend, ask(LONG)))
        await until_running(backend)
        began = time.monotonic()
        await backend.close()
        return time.monotonic() - began, await reading

    def attempt() -> float:
        backend = new_backend(small)
        took_s, events = runner.run(scenario(backend))

        assert not any(isinstance(event, Finished) for event in events)
        assert backend.stats().process_id is None
        with pytest.raises(ModelUnavailable, match="stopping"):
            runner.run(drain(backend, ask()))
        return took_s

    assert quickest(attempt, 2) < 2
