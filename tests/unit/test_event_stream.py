"""Event streams and waiting callers, driven through `receive` and `send` as a server does."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from service.errors import ClientLeft, EngineBusy
from service.web.sse import EventStream, while_connected

LEFT = {"type": "http.disconnect"}


class Caller:
    """Provides `receive` and `send` for the stream; disconnects after `stays` messages."""

    def __init__(self, stays: int = 1000) -> None:
        self.got: list[dict[str, Any]] = []
        self._stays = stays
        self._gone = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        await self._gone.wait()
        return LEFT

    async def send(self, message: Any) -> None:
        self.got.append(message)
        if len(self.got) >= self._stays:
            self._gone.set()

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.got)


async def events(*, gap_s: float = 0.0, count: int = 3) -> AsyncGenerator[bytes, None]:
    for number in range(count):
        await asyncio.sleep(gap_s)
        yield b"data: %d\n\n" % number


def send_all(stream: EventStream, caller: Caller) -> None:
    asyncio.run(stream({"type": "http"}, caller.receive, caller.send))


def test_events_are_sent_as_they_are_and_the_body_ends() -> None:
    caller = Caller()

    send_all(EventStream(events()), caller)

    assert caller.body == b"data: 0\n\ndata: 1\n\ndata: 2\n\n"
    assert [message.get("more_body") for message in caller.got] == [None, True, True, True, False]


def test_a_heartbeat_is_sent_while_no_events_come() -> None:
    caller = Caller()

    send_all(EventStream(events(gap_s=1.0, count=1), heartbeat_s=0.05), caller)

    assert 2 <= caller.body.count(b": still here\n\n") <= 20
    assert caller.body.endswith(b"data: 0\n\n")


def test_no_heartbeat_is_sent_while_events_come() -> None:
    caller = Caller()

    send_all(EventStream(events(gap_s=0.1, count=12), heartbeat_s=1.0), caller)

    assert b"still here" not in caller.body


async def refused() -> AsyncGenerator[bytes, None]:
    raise EngineBusy("Busy.", retry_after_s=1)
    yield b""


def test_an_error_before_an_awaited_first_event_is_raised_before_the_response_starts() -> None:
    caller = Caller()

    with pytest.raises(EngineBusy):
        send_all(EventStream(refused(), awaits_first=True), caller)

    assert caller.got == []


@pytest.mark.parametrize("stays", [1, 2])
def test_the_events_are_closed_when_the_caller_disconnects(stays: int) -> None:
    ended: list[str] = []

    async def endless() -> AsyncGenerator[bytes, None]:
        try:
            while True:
                yield b"data: x\n\n"
                await asyncio.sleep(0.01)
        finally:
            ended.append("events")

    caller = Caller(stays)

    send_all(EventStream(endless(), closed=lambda: ended.append("stream")), caller)

    assert ended == ["events", "stream"]
    assert len(caller.got) <= stays + 2


def test_waiting_ends_when_the_caller_disconnects() -> None:
    async def wait() -> None:
        caller = Caller(1)
        async with while_connected(caller.receive):
            await caller.send({})
            await asyncio.sleep(10)

    with pytest.raises(ClientLeft):
        asyncio.run(wait())


def test_an_error_of_the_awaited_work_is_raised_unchanged() -> None:
    async def fail() -> None:
        async with while_connected(Caller().receive):
            raise TimeoutError("of the work")

    with pytest.raises(TimeoutError, match="of the work"):
        asyncio.run(fail())
