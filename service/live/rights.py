"""Notices that somebody may not read any more what a stream sends."""

from collections.abc import Awaitable, Callable

from service.errors import StorageUnavailable
from service.signals import PEOPLE, Signals

# How often the right is asked for without a signal, which may be lost, and after the database could
# not be asked. A stream ends at most five seconds after its right.
RECHECK_S, RETRY_S = 4.0, 1.0
MayStillRead = Callable[[], Awaitable[bool]]


async def until_lost(signals: Signals, may_still_read: MayStillRead) -> None:
    """Returns when the reader has lost the right. It is asked for when people, roles or keys have
    changed, and every few seconds.
    """
    patience_s = RECHECK_S
    with signals.waiter(PEOPLE) as waiter:
        while True:
            await waiter.wait(patience_s)
            try:
                if not await may_still_read():
                    return
                patience_s = RECHECK_S
            except StorageUnavailable:
                patience_s = RETRY_S
