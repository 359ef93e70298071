import asyncio
import os
import signal
import time

from service.engine.embedded.supervisor import Supervisor
from service.engine.protocol import Envelope
from tests.engine.conftest import READY_S
from tests.support.timing import quickest


class Listener:
    def __init__(self) -> None:
        self.ups = 0
        self.downs = 0

    def on_up(self) -> None:
        self.ups += 1

    def on_down(self) -> None:
        self.downs += 1

    def on_reports(self, envelopes: list[Envelope]) -> None:
        pass

    def is_busy(self) -> bool:
        return False


async def up_times(kills: int, *, works: bool) -> list[float]:
    """The seconds that each restart takes if the process is killed as soon as it is up."""
    listener = Listener()
    supervisor = Supervisor(listener, stall_s=60)
    task = asyncio.create_task(supervisor.run())
    times = []
    for count in range(kills + 1):
        began = time.monotonic()
        while listener.ups <= count:
            assert time.monotonic() - began < READY_S
            await asyncio.sleep(0.005)
        times.append(time.monotonic() - began)
        assert supervisor.process_id is not None
        if works:
            supervisor.note_success()
        if count < kills:
            os.kill(supervisor.process_id, signal.SIGKILL)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert (supervisor.restarts, listener.downs, supervisor.is_up) == (kills, kills, False)
    return times


def test_the_first_restart_is_immediate_and_a_crash_loop_slows_down() -> None:
    def attempt() -> float:
        _, first, second, third = asyncio.run(up_times(3, works=False))
        assert second >= 0.5
        assert third >= 1
        return first

    assert quickest(attempt, 0.5) < 0.5


def test_a_process_that_works_in_between_is_restarted_at_once() -> None:
    assert quickest(lambda: max(asyncio.run(up_times(3, works=True))[1:]), 0.5) < 0.5
