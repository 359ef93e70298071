"""Whether servers answer, asked at a set pace whatever became of the question before."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import httpx2

from benchmarks.figures import percentile

PERIOD_S = 0.2
PATIENCE_S = 10.0
# Reads the database, as every page does.
PATH = "/api/v1/boards?limit=1"


@dataclass(frozen=True, slots=True)
class Asked:
    """A question; `error` is empty if it was answered with 200."""

    began: float
    took_s: float
    error: str = ""

    @property
    def ended(self) -> float:
        return self.began + self.took_s


@dataclass(frozen=True, slots=True)
class Availability:
    asked: int
    errors: list[str]
    p50_s: float
    p95_s: float
    p99_s: float
    gap_s: float


def availability(asked: Sequence[Asked], spans: Sequence[tuple[float, float]]) -> Availability:
    """Of what was asked within these spans of time. The gap is the longest time without an answer, also
    from the beginning of a span or to its end.
    """
    within = [one for one in asked if any(begin <= one.began < end for begin, end in spans)]
    times = [one.took_s for one in within if not one.error]
    gaps = [_longest_gap([one.ended for one in asked if not one.error], *span) for span in spans]
    return Availability(
        asked=len(within),
        errors=[one.error for one in within if one.error],
        p50_s=percentile(times, 0.5),
        p95_s=percentile(times, 0.95),
        p99_s=percentile(times, 0.99),
        gap_s=max(gaps, default=0.0),
    )


def _longest_gap(moments: Sequence[float], begin: float, end: float) -> float:
    inside = [begin, *sorted(one for one in moments if begin < one < end), end]
    return max(later - earlier for earlier, later in pairwise(inside))


@dataclass(slots=True)
class Probe:
    """Asks each of `urls`, by name, while the block lasts. `late_s` is how late this program itself was
    with its questions: what it measures cannot be finer.
    """

    urls: Mapping[str, str]
    period_s: float = PERIOD_S
    asked: dict[str, list[Asked]] = field(default_factory=dict)
    late_s: list[float] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _http: httpx2.AsyncClient = field(init=False)
    _clock: asyncio.Task[None] = field(init=False)

    async def __aenter__(self) -> "Probe":
        self.asked = {name: [] for name in self.urls}
        # A new connection each time: that of a server that was killed says nothing of the next one.
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=0)
        self._http = httpx2.AsyncClient(timeout=PATIENCE_S, trust_env=False, limits=limits)
        self._clock = asyncio.create_task(self._ask_on())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._clock.cancel()
        await asyncio.gather(self._clock, *self._tasks, return_exceptions=True)
        await self._http.aclose()

    async def _ask_on(self) -> None:
        due = time.monotonic()
        while True:
            due += self.period_s
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self.late_s.append(max(0.0, time.monotonic() - due))
            for name, url in self.urls.items():
                task = asyncio.create_task(self._ask(name, url))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _ask(self, name: str, url: str) -> None:
        began = time.monotonic()
        try:
            answer = await self._http.get(f"{url}{PATH}")
            error = "" if answer.status_code == 200 else str(answer.status_code)
        except httpx2.TransportError as caught:
            error = type(caught).__name__
        self.asked[name].append(Asked(began, time.monotonic() - began, error))
