"""Locks by name, within one process."""

import asyncio

from service.store.dialects.locks import Locks


def test_a_lock_has_one_holder_until_it_is_released() -> None:
    locks = Locks()

    assert locks.take("work")
    assert not locks.take("work")
    assert locks.take("other work")
    locks.release("work")
    assert locks.take("work")


def test_a_block_that_did_not_get_the_lock_does_not_release_it() -> None:
    async def story() -> list[bool]:
        locks, held = Locks(), []
        async with locks.held("work") as first:
            async with locks.held("work") as second:
                held += [first, second]
            held.append(locks.take("work"))
        return [*held, locks.take("work")]

    assert asyncio.run(story()) == [True, False, False, True]


def test_a_block_that_is_cancelled_releases_the_lock() -> None:
    async def story() -> bool:
        locks, entered = Locks(), asyncio.Event()

        async def work() -> None:
            async with locks.held("work"):
                entered.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(work())
        await entered.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return locks.take("work")

    assert asyncio.run(asyncio.wait_for(story(), 60))
