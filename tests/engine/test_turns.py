"""Cancelling, waiting and refusing."""

import asyncio
import time
from collections.abc import Callable

import pytest

from service.engine.catalog import CatalogModel
from service.engine.embedded import EmbeddedBackend
from service.engine.types import Delta, Event, Finished, Queued, Request, Started
from service.errors import EngineBusy, InvalidInput, ModelUnavailable
from tests.engine.conftest import Ask, NewBackend

LONG = "word " * 1500


async def until(is_so: Callable[[], object]) -> float:
    """How long it took."""
    began = time.monotonic()
    while not is_so():
        assert time.monotonic() - began < 30
        await asyncio.sleep(0.005)
    return time.monotonic() - began


async def until_idle(backend: EmbeddedBackend) -> float:
    return await until(lambda: backend.stats().running == 0)


async def until_running(backend: EmbeddedBackend) -> float:
    return await until(lambda: backend.stats().running)


async def drain(backend: EmbeddedBackend, request: Request) -> list[Event]:
    return [event async for event in backend.submit(request)]


def test_cancel_frees_the_model_within_a_second(
    runner: asyncio.Runner, backend: EmbeddedBackend, ask: Ask
) -> None:
    async def scenario() -> tuple[float, list[Event]]:
        request = ask(max_tokens=1500)
        stream = backend.submit(request)
        while not isinstance(await anext(stream), Delta):
            pass
        await backend.cancel(request.id)
        return await until_idle(backend), [event async for event in stream]

    freed_s, rest = runner.run(scenario())

    assert freed_s < 1
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

    assert runner.run(scenario()) < 1


def test_closing_the_stream_cancels(
    runner: asyncio.Runner, backend: EmbeddedBackend, ask: Ask
) -> None:
    async def scenario() -> float:
        stream = backend.submit(ask(max_tokens=1500))
        await anext(stream)
        await stream.aclose()
        return await until_idle(backend)

    assert runner.run(scenario()) < 1


def test_cancelling_the_reading_task_cancels(
    runner: asyncio.Runner, backend: EmbeddedBackend, ask: Ask
) -> None:
    async def scenario() -> float:
        task = asyncio.create_task(drain(backend, ask(max_tokens=1500)))
        await until_running(backend)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return await until_idle(backend)

    assert runner.run(scenario()) < 1


def test_a_cancelled_waiting_request_never_touches_the_running_one(
    runner: asyncio.Runner, backend: EmbeddedBackend, ask: Ask
) -> None:
    async def scenario() -> tuple[list[Event], list[Event]]:
        running = asyncio.create_task(drain(backend, ask(max_tokens=30)))
        waiting = ask()
        queued = asyncio.create_task(drain(backend, waiting))
        await asyncio.sleep(0.05)
        await backend.cancel(waiting.id)
        await backend.cancel("nobody")
        return await running, await queued

    running, queued = runner.run(scenario())

    assert isinstance(running[-1], Finished)
    assert queued == [Queued(1)]


def test_those_who_wait_hear_when_they_move_up(
    runner: asyncio.Runner, backend: EmbeddedBackend, ask: Ask
) -> None:
    async def scenario() -> list[list[Event]]:
        return await asyncio.gather(*(drain(backend, ask(max_tokens=4)) for _ in range(3)))

    results = runner.run(scenario())

    assert [[one for one in events if isinstance(one, Queued)] for events in results] == [
        [],
        [Queued(1)],
        [Queued(2), Queued(1)],
    ]


def test_a_full_queue_refuses_at_once_while_the_model_works(
    runner: asyncio.Runner, new_backend: NewBackend, small: CatalogModel, ask: Ask
) -> None:
    backend = new_backend(small, queue_limit=3)

    async def scenario() -> tuple[float, EngineBusy]:
        tasks = [asyncio.create_task(drain(backend, ask(LONG))) for _ in range(3)]
        await until_running(backend)
        await asyncio.sleep(0.1)
        began = time.monotonic()
        with pytest.raises(EngineBusy) as refusal:
            await anext(backend.submit(ask()))
        took_s = time.monotonic() - began
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return took_s, refusal.value

    took_s, refusal = runner.run(scenario())

    assert took_s < 0.1
    assert refusal.retry_after_s >= 1


def test_an_unknown_model_is_refused_by_name(
    runner: asyncio.Runner, backend: EmbeddedBackend, ask: Ask
) -> None:
    with pytest.raises(ModelUnavailable, match="nobody"):
        runner.run(drain(backend, ask(model="nobody")))


def test_an_id_cannot_run_twice_at_once(
    runner: asyncio.Runner, backend: EmbeddedBackend, ask: Ask
) -> None:
    async def scenario() -> list[Event]:
        request = ask(max_tokens=30)
        first = asyncio.create_task(drain(backend, request))
        await asyncio.sleep(0.05)
        with pytest.raises(InvalidInput):
            await drain(backend, request)
        return await first

    assert isinstance(runner.run(scenario())[-1], Finished)


def test_close_ends_streams_and_process_within_two_seconds(
    runner: asyncio.Runner, new_backend: NewBackend, small: CatalogModel, ask: Ask
) -> None:
    backend = new_backend(small)

    async def scenario() -> tuple[float, list[Event]]:
        reading = asyncio.create_task(drain(backend, ask(LONG)))
        await until_running(backend)
        began = time.monotonic()
        await backend.close()
        return time.monotonic() - began, await reading

    took_s, events = runner.run(scenario())

    assert took_s < 2
    assert not any(isinstance(event, Finished) for event in events)
    assert backend.stats().process_id is None
    with pytest.raises(ModelUnavailable, match="stopping"):
        runner.run(drain(backend, ask()))
