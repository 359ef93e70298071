"""Refuses requests that would wait too long for a thread, so that those let in are answered in time.

Only routes that run in a thread have places here: streams and runs wait for a model, not for a
processor. It does not know what a request does.
"""

import asyncio
import inspect
import logging
import re
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import Overloaded
from service.messages import Text
from service.web.guard import SAFE_METHODS

# Python computes in one thread at a time: of more requests at once, each is slower, and so is the loop
# that answers probes.
PLACES = 2
# The longest wait in a burst; and in a line that has not been empty for as long.
BURST_S, STANDING_S = 2.0, 0.5
# What takes longer computes little for its time, or much: others go on beside it.
LONG_S = 1.0
# How long a request is thought to take at first, and the weight of each that is timed.
FIRST_GUESS_S, WEIGHT = 0.05, 0.05
LOG_EVERY_S = 60.0
# Answered in no time, or asked by those who watch over the server.
UNCOUNTED = ("/static/", "/livez", "/healthz", "/readyz", "/metrics")
_log = logging.getLogger(__name__)


class Place:
    """Is given back once, however often it is left; by itself after `long_s`."""

    def __init__(self, give_back: Callable[[float], None], long_s: float) -> None:
        self._began = time.monotonic()
        self._give_back: Callable[[float], None] | None = give_back
        self._timer = asyncio.get_running_loop().call_later(long_s, self.leave)

    def leave(self) -> None:
        if self._give_back is not None:
            give_back, self._give_back = self._give_back, None
            self._timer.cancel()
            give_back(time.monotonic() - self._began)


class Line:
    """So many requests at once, and a line before them. `takes_s` is how long one is thought to take,
    until some have been timed.
    """

    def __init__(
        self,
        places: int = PLACES,
        *,
        takes_s: float = FIRST_GUESS_S,
        long_s: float = LONG_S,
        burst_s: float = BURST_S,
        standing_s: float = STANDING_S,
    ) -> None:
        self._places = self._free = places
        self._long_s = long_s
        self._burst_s = burst_s
        self._standing_s = standing_s
        # In the order in which they came.
        self._waiting: dict[asyncio.Future[None], None] = {}
        self._takes_s = takes_s
        self._empty_at = time.monotonic()

    async def take(self) -> Place:
        """Raises: Overloaded, at once where the wait would be too long, or after it was."""
        if self._free:
            self._free -= 1
            self._empty_at = time.monotonic()
        else:
            await self._wait()
        return Place(self._give_back, self._long_s)

    async def _wait(self) -> None:
        limit_s = self._limit_s
        if (len(self._waiting) + 1) * self._takes_s / self._places > limit_s:
            raise _overloaded()
        ticket = asyncio.get_running_loop().create_future()
        self._waiting[ticket] = None
        try:
            async with asyncio.timeout(limit_s):
                await ticket
        except BaseException as error:
            if ticket.done() and not ticket.cancelled():
                self._pass_on()
            self._waiting.pop(ticket, None)
            if isinstance(error, TimeoutError):
                raise _overloaded() from None
            raise

    @property
    def _limit_s(self) -> float:
        is_burst = time.monotonic() - self._empty_at < self._burst_s
        return self._burst_s if is_burst else min(self._standing_s, self._burst_s)

    def _give_back(self, took_s: float) -> None:
        self._takes_s += WEIGHT * (took_s - self._takes_s)
        self._pass_on()

    def _pass_on(self) -> None:
        while self._waiting:
            ticket = next(iter(self._waiting))
            del self._waiting[ticket]
            if not ticket.done():
                ticket.set_result(None)
                return
        self._free += 1
        self._empty_at = time.monotonic()


@dataclass(frozen=True, slots=True)
class Lines:
    """Changes have a line of their own: while one writes for long, others can still read. Somebody typed
    them, and rather waits a little longer than sends them again.
    """

    reads: Line = field(default_factory=Line)
    changes: Line = field(default_factory=lambda: Line(standing_s=BURST_S))

    def of(self, method: str) -> Line:
        return self.reads if method in SAFE_METHODS else self.changes


class LoadShedding:
    """Pure ASGI. `refused` is told of each refusal."""

    def __init__(self, app: ASGIApp, *, refused: Callable[[], None]) -> None:
        self._app = app
        self._refused = refused
        self._threaded: _ThreadedRoutes | None = None
        self._unlogged = 0
        self._logged_at = -LOG_EVERY_S

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._needs_place(scope):
            await self._app(scope, receive, send)
            return
        try:
            lines: Lines = scope["app"].state.lines
            place = await lines.of(scope["method"]).take()
        except Overloaded:
            self._note()
            raise

        async def send_on(message: Message) -> None:
            # The answer is ready; whoever reads it slowly keeps nobody waiting.
            place.leave()
            await send(message)

        try:
            await self._app(scope, receive, send_on)
        finally:
            place.leave()

    def _needs_place(self, scope: Scope) -> bool:
        if scope["path"].startswith(UNCOUNTED):
            return False
        if self._threaded is None:
            self._threaded = _ThreadedRoutes(scope["app"].routes)
        return self._threaded.has(scope["method"], scope["path"])

    def _note(self) -> None:
        self._refused()
        self._unlogged += 1
        if (now := time.monotonic()) - self._logged_at >= LOG_EVERY_S:
            _log.warning(
                "More is asked of the server than it can do: %d requests refused since it last said so",
                self._unlogged,
            )
            self._logged_at, self._unlogged = now, 0


class _ThreadedRoutes:
    """Which requests run in a thread: all but those of async functions and of mounted apps."""

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        others: dict[str, list[str]] = defaultdict(list)
        for one in iter_route_contexts(routes):
            if one.path and inspect.iscoroutinefunction(one.endpoint):
                pattern = re.sub(r"\?P<\w+>", "?:", compile_path(one.path)[0].pattern)
                for method in one.methods or ():
                    others[method].append(pattern)
        self._others = {method: re.compile("|".join(found)) for method, found in others.items()}

    def has(self, method: str, path: str) -> bool:
        others = self._others.get(method)
        return others is None or others.match(path) is None


def _overloaded() -> Overloaded:
    return Overloaded(
        Text("The server has more to do than it can at the moment. Try again in a few seconds.")
    )
