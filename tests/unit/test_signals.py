"""Signals wake those who wait, whichever thread announces them."""

import asyncio
import threading

from service.signals import Signals


def test_a_signal_from_another_thread_wakes_who_waits_for_its_topic() -> None:
    async def story() -> bool:
        signals = Signals()
        with signals.waiter("board") as waiter:
            threading.Thread(target=signals.announce, args=(["board"],)).start()
            return await waiter.wait(5)

    assert asyncio.run(story())


def test_a_signal_between_two_waits_is_not_missed() -> None:
    async def story() -> list[bool]:
        signals = Signals()
        with signals.waiter("board") as waiter:
            signals.announce(["board"])
            await asyncio.sleep(0)
            return [await waiter.wait(5), await waiter.wait(0.01)]

    assert asyncio.run(story()) == [True, False]


def test_signals_of_other_topics_wake_nobody() -> None:
    async def story() -> bool:
        signals = Signals()
        with signals.waiter("board") as waiter:
            signals.announce(["another"])
            return await waiter.wait(0.01)

    assert not asyncio.run(story())


def test_who_has_left_is_forgotten() -> None:
    async def story() -> bool:
        signals = Signals()
        with signals.waiter("board"):
            pass
        return signals.is_idle

    assert asyncio.run(story())


def test_everybody_is_woken_when_signals_may_have_been_missed() -> None:
    async def story() -> list[bool]:
        signals = Signals()
        with signals.waiter("board") as one, signals.waiter("another") as other:
            signals.announce_all()
            return [await one.wait(5), await other.wait(5)]

    assert asyncio.run(story()) == [True, True]
