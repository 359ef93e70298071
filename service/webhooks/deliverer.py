"""Work of the running service: makes the deliveries of what happened, and sends those that are due.

Of several replicas each may do this; the store gives a delivery to one at a time. If one stops in the
middle, the delivery is due again when its lease is over, so it arrives at least once.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from datetime import datetime, timedelta

from service.recurring import Recurring
from service.schemas.identity import now
from service.schemas.webhooks import EVENT_KINDS
from service.signals import Waiter
from service.store import Store
from service.store.activity import EVERY_BOARD
from service.store.deliveries import Claimed, Lane, Letter
from service.webhooks.payloads import payload_of
from service.webhooks.retries import PATIENCE, pause_s
from service.webhooks.sender import Sender, Sent

# Also how long a change on another replica waits at most, where its signal is lost.
LONGEST_PAUSE_S = 30.0
# Changes that follow each other more quickly are looked at together: a look takes longer than a change.
GATHER_S = 0.2
LEASE = timedelta(minutes=2)
MOST_AT_ONCE = 8
ACTIVITIES_AT_ONCE = 100
_log = logging.getLogger(__name__)


class Deliverer(Recurring):
    """`clock` and `chance` decide when a failed delivery is tried again."""

    def __init__(
        self,
        store: Store,
        sender: Sender,
        *,
        clock: Callable[[], datetime] = now,
        chance: Callable[[], float] = random.random,
        every_s: float = 5.0,
    ) -> None:
        super().__init__("Webhooks could not be served", every_s=every_s)
        self._store = store
        self._sender = sender
        self._clock = clock
        self._chance = chance
        self._sending: set[asyncio.Task[None]] = set()

    async def work(self) -> None:
        try:
            signals = self._store.signals
            with signals.waiter(EVERY_BOARD) as news, signals.waiter() as sent:
                while not self.closing:
                    await self.make()
                    await self._send_due(news, sent)
                    await self.pause_until(sent.wait(GATHER_S))
                    await self.pause_until(news.wait(await self._pause_s()))
        finally:
            for task in self._sending:
                task.cancel()
            await asyncio.gather(*self._sending, return_exceptions=True)

    async def make(self) -> None:
        """Makes the deliveries of everything that happened until now."""
        while lanes := await asyncio.to_thread(self._store.deliveries.lanes):
            for lane in lanes:
                if self.closing:
                    return
                await asyncio.to_thread(self._extend, lane)

    async def send_once(self) -> int:
        """Sends everything that is due now, and returns how many deliveries there were."""
        claimed = await self._claim(MOST_AT_ONCE)
        await asyncio.gather(*(self._send(one) for one in claimed))
        return len(claimed)

    async def _send_due(self, *waiting: Waiter) -> None:
        def wake(_: object) -> None:
            for one in waiting:
                one.wake()

        free = MOST_AT_ONCE - len(self._sending)
        for one in await self._claim(free) if free else ():
            task = asyncio.create_task(self._send(one))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
            # The next of the same board is due now.
            task.add_done_callback(wake)

    async def _claim(self, limit: int) -> list[Claimed]:
        return await asyncio.to_thread(
            self._store.deliveries.claim, self._clock(), lease=LEASE, limit=limit
        )

    async def _pause_s(self) -> float:
        due = await asyncio.to_thread(self._store.deliveries.next_due)
        if due is None or len(self._sending) == MOST_AT_ONCE:
            return LONGEST_PAUSE_S
        seconds = (due - self._clock()).total_seconds()
        # Not at once, should another replica be at what is due.
        return min(max(seconds, 0.5), LONGEST_PAUSE_S)

    def _extend(self, lane: Lane) -> None:
        activities = self._store.activity.after(
            lane.board_id, lane.number, limit=ACTIVITIES_AT_ONCE
        )
        letters = []
        for activity in activities:
            is_wanted = activity.kind in (lane.kinds or EVENT_KINDS)
            if is_wanted and activity.number is not None:
                event = self._store.deliveries.event(activity)
                text = payload_of(event, lane.format, lane.origin)
                letters.append(Letter(activity.number, activity.kind, activity.subject_id, text))
        if activities:
            self._store.deliveries.extend(lane, activities[-1].number or 0, letters)

    async def _send(self, claimed: Claimed) -> None:
        try:
            sent = await self._sender.send(claimed)
            await asyncio.to_thread(self._note, claimed, sent)
        except asyncio.CancelledError:
            await asyncio.to_thread(self._store.deliveries.release, claimed)
            raise
        except Exception:
            # Its lease ends, and then it is tried again.
            _log.exception("A webhook could not be served")

    def _next_attempt_at(self, claimed: Claimed, sent: Sent) -> datetime | None:
        """None if it is given up. A test is tried once, so that somebody who waits sees the answer."""
        pause = pause_s(claimed.attempt, self._chance, sent.retry_after_s)
        if claimed.is_test or sent.is_gone or pause is None:
            return None
        return self._clock() + timedelta(seconds=pause)

    def _note(self, claimed: Claimed, sent: Sent) -> None:
        deliveries = self._store.deliveries
        if sent.has_arrived:
            deliveries.arrived(claimed, sent.answer)
            return
        moment = self._clock()
        again_at = self._next_attempt_at(claimed, sent)
        deliveries.failed(claimed, sent.answer, again_at=again_at)
        if claimed.is_test:
            return
        if sent.is_gone:
            deliveries.switch_off(claimed, "gone", failing_before=moment + PATIENCE)
        elif again_at is None:
            deliveries.switch_off(claimed, "failing", failing_before=moment - PATIENCE)
