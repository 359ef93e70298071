"""A full queue: what is refused, how fast, and when to retry."""

import asyncio
import time
from dataclasses import replace

import pytest

from service.engine.catalog import CatalogModel
from service.engine.types import Event, Finished
from service.errors import EngineBusy
from tests.engine.conftest import Ask, NewBackend
from tests.engine.test_turns import LONG, drain, until_running


def test_a_full_queue_refuses_at_once_while_the_model_works(
    runner: asyncio.Runner, new_backend: NewBackend, small: CatalogModel, ask: Ask
) -> None:
    backend = new_backend(replace(small, slots=1), queue_limit=3)

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


def test_a_burst_is_served_up_to_the_limit_and_the_rest_is_refused_at_once(
    runner: asyncio.Runner, new_backend: NewBackend, small: CatalogModel, ask: Ask
) -> None:
    backend = new_backend(small, queue_limit=16)
    refused_after: list[float] = []
    peak = 0

    async def one() -> list[Event] | EngineBusy:
        nonlocal peak
        began, events = time.monotonic(), list[Event]()
        try:
            async for event in backend.submit(ask(max_tokens=2)):
                events.append(event)
                peak = max(peak, backend.stats().running)
        except EngineBusy as refusal:
            refused_after.append(time.monotonic() - began)
            return refusal
        return events

    async def scenario() -> list[list[Event] | EngineBusy]:
        return await asyncio.gather(*(one() for _ in range(200)))

    results = runner.run(scenario())
    served = [one for one in results if isinstance(one, list)]

    assert len(served) == 16
    assert all(isinstance(events[-1], Finished) for events in served)
    assert len(refused_after) == 184
    # All but the slowest hundredth, because a busy machine may pause a process that long.
    assert sorted(refused_after)[-3] < 0.1
    assert peak == small.slots
    assert backend.stats().running == backend.stats().waiting == 0


def test_the_time_to_retry_follows_the_queue_and_recent_service_times(
    runner: asyncio.Runner, new_backend: NewBackend, small: CatalogModel, ask: Ask
) -> None:
    backend = new_backend(replace(small, slots=1), queue_limit=12)

    async def refusal() -> int:
        tasks = [asyncio.create_task(drain(backend, ask(max_tokens=2))) for _ in range(12)]
        await until_running(backend)
        with pytest.raises(EngineBusy) as refusal:
            await anext(backend.submit(ask()))
        await asyncio.gather(*tasks)
        return refusal.value.retry_after_s

    first, later = runner.run(refusal()), runner.run(refusal())

    # The first estimate is a guess; then twelve requests took well under a second each.
    assert first > 60
    assert later < first / 3
