"""One server of the pool: what it serves, whether it can be used, and how busy it is.

It does not know the others. Times are in seconds of `time.monotonic`.
"""

import asyncio
import math
import time

from service.engine.remote.capabilities import Need, lacks_of
from service.engine.remote.discovery import Server, discover
from service.engine.remote.http_client import HttpClient
from service.engine.remote.prefixes import SeenPrefixes
from service.engine.types import EngineState, EngineStatus
from service.errors import EngineBusy, ServiceError
from service.messages import Text

DEFAULT_SLOTS = 8
# The age in seconds up to which the last check still counts.
FRESH_S = 1.0
# An engine that keeps failing is left alone for longer each time, up to this.
LONGEST_PAUSE_S = 30.0
# What has failed for so long will not come back by itself: a machine has started anew before that.
GONE_S = 300.0


class PooledEngine:
    """`difference` says why it is left out, if it serves another model than the others do."""

    def __init__(self, client: HttpClient, *, model: str | None, slots: int | None) -> None:
        """`model` and `slots` are what the settings want; None takes what the server says."""
        self.client = client
        self.server: Server | None = None
        self.health: EngineState = "starting"
        self.error: str | None = None
        self.difference: str | None = None
        self.vector_size = 0
        self.prefixes = SeenPrefixes()
        self.lacks: set[Need] = set()
        self.requests: set[str] = set()
        self.failed_in_a_row = 0
        self.busy_until = -math.inf
        self.failures = 0
        self.moved = 0
        # The number of the turn in which it was chosen last.
        self.turn = 0
        self.check_now = asyncio.Event()
        self._paused_until = -math.inf
        self._failed_at = -math.inf
        self._model = model
        self._slots = slots
        self._check_lock = asyncio.Lock()
        self._checked_at = -math.inf

    @property
    def slots(self) -> int:
        own = self.server.slots if self.server is not None else None
        return self._slots or own or DEFAULT_SLOTS

    @property
    def is_usable(self) -> bool:
        """Whether requests that it gets have a chance."""
        return self.health == "ready" and self.difference is None

    @property
    def is_gone(self) -> bool:
        return self.health == "failed" and time.monotonic() - self._failed_at >= GONE_S

    def resumes_at(self) -> float:
        """When it may get requests again, after it was busy or kept failing."""
        return max(self.busy_until, self._paused_until)

    async def check(self) -> None:
        """Find out whether the server can be used, unless that was just done."""
        async with self._check_lock:
            if time.monotonic() - self._checked_at < FRESH_S:
                return
            try:
                self._use(await discover(self.client, self._model))
            except EngineBusy:
                self.health, self.error = "loading", None
            except ServiceError as error:
                self._fail(error.detail)
            self._checked_at = time.monotonic()

    def succeeded(self) -> None:
        self.failed_in_a_row, self.error = 0, None
        self.busy_until = self._paused_until = -math.inf

    def refused(self, error: EngineBusy) -> None:
        """It has no place, and said for how long."""
        self.busy_until = time.monotonic() + error.retry_after_s
        self.error = Text(
            "%(engine)s was full and takes requests again after %(seconds)s s.",
            engine=self.client.engine,
            seconds=error.retry_after_s,
        )

    def failed(self, error: ServiceError) -> None:
        """It gets no requests until a check has succeeded, which is due at once."""
        self.failures += 1
        # Requests that ran together fail together, which is one failure of the engine.
        if self.health == "ready":
            self.failed_in_a_row += 1
            if self.failed_in_a_row > 1:
                pause_s = min(LONGEST_PAUSE_S, 2.0 ** (self.failed_in_a_row - 1))
                self._paused_until = time.monotonic() + pause_s
        self._fail(self.client.unquoted(error))
        self._checked_at = -math.inf
        self.check_now.set()

    def status(self) -> EngineStatus:
        server = self.server
        return EngineStatus(
            url=self.client.root,
            kind=server.dialect.name if server is not None else "",
            model=server.model if server is not None else "",
            state=self._state(),
            running=len(self.requests),
            slots=self.slots,
            failures=self.failures,
            moved=self.moved,
            error=self.difference or self.error,
            takes_grammars=server is None or server.dialect.grammar is not None,
        )

    def _fail(self, detail: str) -> None:
        if self.health != "failed":
            self._failed_at = time.monotonic()
        self.health, self.error = "failed", detail

    def _state(self) -> EngineState:
        if self.difference is not None:
            return "different"
        if self.health != "ready":
            return self.health
        if self.busy_until > time.monotonic():
            return "busy"
        return "trial" if self.failed_in_a_row else "ready"

    def _use(self, server: Server) -> None:
        if server != self.server or self.health != "ready":
            # It may have been started anew, with other options and an empty cache.
            self.lacks = set(lacks_of(server.dialect))
            self.vector_size = 0
            self.prefixes.clear()
        self.server = server
        self.health = "ready"
        if not self.failed_in_a_row and self.busy_until <= time.monotonic():
            self.error = None
