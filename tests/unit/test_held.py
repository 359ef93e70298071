"""A resource that is opened at its first use and held until it is closed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from service.held import Held


class Door:
    """Counts how often it was opened and closed; it jams the first `jams` times."""

    def __init__(self, jams: int = 0) -> None:
        self.opened = self.closed = 0
        self.tasks: set[asyncio.Task[object] | None] = set()
        self._jams = jams

    @asynccontextmanager
    async def open(self) -> AsyncIterator[int]:
        await asyncio.sleep(0)
        if self._jams:
            self._jams -= 1
            raise OSError("jammed")
        self.opened += 1
        self.tasks.add(asyncio.current_task())
        try:
            yield self.opened
        finally:
            self.tasks.add(asyncio.current_task())
            self.closed += 1


def test_all_callers_get_the_one_that_was_opened() -> None:
    async def story(door: Door) -> list[int]:
        held = Held(door.open)
        numbers = await asyncio.gather(*(held.get() for _ in range(3)))
        await held.close()
        return numbers

    door = Door()

    assert asyncio.run(story(door)) == [1, 1, 1]
    assert (door.opened, door.closed) == (1, 1)


def test_one_task_opens_and_closes_it_whoever_asks() -> None:
    async def story(door: Door) -> None:
        held = Held(door.open)
        await asyncio.create_task(held.get())
        await asyncio.create_task(held.close())
        assert asyncio.current_task() not in door.tasks

    door = Door()
    asyncio.run(story(door))

    assert len(door.tasks) == 1


def test_what_failed_to_open_is_tried_again() -> None:
    async def story(door: Door) -> int:
        held = Held(door.open)
        failed = await asyncio.gather(held.get(), held.get(), return_exceptions=True)
        assert all(isinstance(one, OSError) for one in failed)
        number = await held.get()
        await held.close()
        return number

    assert asyncio.run(story(Door(jams=1))) == 1


def test_what_was_closed_is_opened_anew_in_another_event_loop_too() -> None:
    async def once(held: Held[int]) -> int:
        number = await held.get()
        await held.close()
        return number

    door = Door()
    held = Held(door.open)

    assert [asyncio.run(once(held)) for _ in range(2)] == [1, 2]


def test_a_caller_that_gives_up_does_not_close_it_for_the_others() -> None:
    async def story(door: Door) -> int:
        held = Held(door.open)
        impatient = asyncio.create_task(held.get())
        await asyncio.sleep(0)
        impatient.cancel()
        with pytest.raises(asyncio.CancelledError):
            await impatient
        number = await held.get()
        await held.close()
        return number

    assert asyncio.run(story(Door())) == 1
