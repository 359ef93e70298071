"""The line before the threads, without a server."""

import asyncio
import math

import pytest

from service.errors import Overloaded
from service.web.load_shedding import BURST_S, Line, Place


def patient_line(places: int, *, takes_s: float) -> Line:
    """A line in which a place is kept until it is left."""
    return Line(places, takes_s=takes_s, long_s=math.inf)


async def wait_in(line: Line, count: int) -> list[asyncio.Task[Place]]:
    tasks = [asyncio.create_task(line.take()) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


async def end(tasks: list[asyncio.Task[Place]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def test_what_would_wait_too_long_is_refused_at_once() -> None:
    async def law() -> None:
        line = patient_line(2, takes_s=BURST_S / 2)
        for _ in range(2):
            await line.take()
        # Two leave in each half of the time that a request may wait.
        waiting = await wait_in(line, 4)
        with pytest.raises(Overloaded):
            await line.take()

        assert not any(task.done() for task in waiting)
        await end(waiting)

    asyncio.run(law())


def test_a_place_goes_to_whoever_has_waited_longest() -> None:
    async def law() -> None:
        line = patient_line(1, takes_s=0)
        place = await line.take()
        first, second = await wait_in(line, 2)
        place.leave()
        place.leave()
        got = await first

        assert not second.done()
        got.leave()
        await second

    asyncio.run(law())


def test_what_takes_long_keeps_nobody_waiting() -> None:
    async def law() -> None:
        line = Line(1, takes_s=0, long_s=0)
        await line.take()

        await line.take()

    asyncio.run(law())


def test_whoever_leaves_the_line_takes_no_place_with_them() -> None:
    async def law() -> None:
        line = patient_line(1, takes_s=0)
        place = await line.take()
        gone, granted, last = await wait_in(line, 3)
        gone.cancel()
        await asyncio.sleep(0)
        place.leave()
        # It has the place already, but has not heard of it.
        granted.cancel()

        await last

    asyncio.run(law())


def test_a_wait_that_has_become_too_long_ends() -> None:
    async def law() -> None:
        line = Line(1, takes_s=0, long_s=math.inf, burst_s=0.05)
        place = await line.take()
        with pytest.raises(Overloaded):
            await line.take()
        place.leave()

        await line.take()

    asyncio.run(law())


def test_the_wait_is_estimated_from_how_long_requests_took() -> None:
    async def law() -> None:
        line = patient_line(1, takes_s=1000.0)
        for _ in range(200):
            (await line.take()).leave()
        await line.take()
        (waiting,) = await wait_in(line, 1)

        assert not waiting.done()
        await end([waiting])

    asyncio.run(law())
