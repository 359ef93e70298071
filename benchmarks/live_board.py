"""How soon people who watch boards see a change, and what that costs the server.

`python -m benchmarks.live_board URL …` opens 200 streams in turn at these servers, which must share one
database, makes a change each second and prints how long each took to arrive at every watcher.
"""

import argparse
import asyncio
import json
import os
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

WATCHERS = 200
CHANGES = 30
PAUSE_S = 1.0
PATIENCE_S = 30.0
CHANGE, RESET = "event: change", "event: reset"


@dataclass(slots=True)
class Arrivals:
    """`seconds` has one entry for each change and watcher; `lost` counts those that never came."""

    watchers: int
    changes: int = 0
    seconds: list[float] = field(default_factory=list)
    lost: int = 0
    reconnects: int = 0

    def share(self, percent: int) -> float:
        """The time within which that part of the changes arrived."""
        return statistics.quantiles(self.seconds, n=100, method="inclusive")[percent - 1]


class Watchers:
    """Streams that are open while the block lasts, each to the server whose turn it is.

    A stream that breaks goes on at the next server, after the last change that it saw. `seen` has for
    each stream when it first heard of an idea. `repeats` are changes that a stream was told twice,
    `resets` are those times when it was told that what it missed is not kept.
    """

    def __init__(
        self, urls: Sequence[str], boards: Sequence[str], *, count: int = WATCHERS, key: str = ""
    ) -> None:
        self.seen: list[dict[str, float]] = [{} for _ in range(count)]
        # The same by the number of the change, for those that are not made by creating an idea.
        self.numbers: list[dict[int, float]] = [{} for _ in range(count)]
        self.boards = [boards[place % len(boards)] for place in range(count)]
        self.reconnects = self.repeats = self.resets = 0
        self._urls = list(urls)
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._connected: set[int] = set()
        self._open: set[int] = set()
        self._heard = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._http = httpx2.AsyncClient(
            timeout=httpx2.Timeout(PATIENCE_S, read=PATIENCE_S),
            trust_env=False,
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=0),
        )

    async def __aenter__(self) -> "Watchers":
        self._tasks = [asyncio.create_task(self._watch(place)) for place in range(len(self.seen))]
        async with asyncio.timeout(2 * PATIENCE_S):
            await self._until(lambda: len(self._connected) == len(self.seen))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._http.aclose()

    async def arrivals(self, sent: dict[str, tuple[str, float]]) -> Arrivals:
        """`sent` has the board and the moment of each change by the id of its idea.

        Waits for those that are still under way.
        """
        expected = sum(self.boards.count(board) for board, _ in sent.values())
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await self._until(
                    lambda: sum(len(seen.keys() & sent.keys()) for seen in self.seen) >= expected
                )
        found = Arrivals(len(self.seen), len(sent), reconnects=self.reconnects)
        for board, seen in zip(self.boards, self.seen, strict=True):
            for idea, (where, moment) in sent.items():
                if where != board:
                    continue
                if idea in seen:
                    found.seconds.append(seen[idea] - moment)
                else:
                    found.lost += 1
        return found

    @property
    def connected(self) -> int:
        return len(self._open)

    async def _until(self, is_so: Callable[[], bool]) -> None:
        while not is_so():
            self._heard.clear()
            await self._heard.wait()

    async def _watch(self, place: int) -> None:
        turn, last = place, ""
        while True:
            url = self._urls[turn % len(self._urls)]
            address = f"{url}/api/v1/boards/{self.boards[place]}/events"
            headers = self._headers | ({"Last-Event-ID": last} if last else {})
            with suppress(httpx2.HTTPError):
                async with self._http.stream("GET", address, headers=headers) as answer:
                    if answer.status_code == 200:
                        last = await self._read(answer, place, last)
            self._open.discard(place)
            turn += 1
            self.reconnects += 1
            await asyncio.sleep(0.2)

    async def _read(self, answer: httpx2.Response, place: int, last: str) -> str:
        is_change = False
        with suppress(httpx2.HTTPError):
            async for line in answer.aiter_lines():
                self._connected.add(place)
                self._open.add(place)
                self._heard.set()
                if line.startswith("event:"):
                    is_change = line == CHANGE
                    self.resets += line == RESET
                elif line.startswith("id: "):
                    last = line[4:]
                elif is_change and line.startswith("data: "):
                    self._note(place, time.monotonic(), json.loads(line[6:]))
        return last

    def _note(self, place: int, moment: float, change: dict[str, Any]) -> None:
        self.seen[place].setdefault(change["subject_id"], moment)
        self.repeats += change["number"] in self.numbers[place]
        self.numbers[place].setdefault(change["number"], moment)


async def measure(
    urls: Sequence[str], *, watchers: int = WATCHERS, changes: int = CHANGES, boards: int = 1
) -> Arrivals:
    """Makes the boards and a change each second, each at the server whose turn it is."""
    async with httpx2.AsyncClient(timeout=PATIENCE_S) as http:
        made = []
        for number in range(boards):
            answer = await http.post(f"{urls[0]}/api/v1/boards", json={"name": f"Live {number}"})
            made.append(answer.raise_for_status().json()["id"])
        async with Watchers(urls, made, count=watchers) as watching:
            sent: dict[str, tuple[str, float]] = {}
            for number in range(changes):
                board, began = made[number % boards], time.monotonic()
                idea = {"board_id": board, "title": f"Idea {number}"}
                url = urls[number % len(urls)]
                answer = await http.post(f"{url}/api/v1/ideas", json=idea)
                sent[answer.raise_for_status().json()["id"]] = (board, began)
                await asyncio.sleep(max(0.0, PAUSE_S - (time.monotonic() - began)))
            return await watching.arrivals(sent)


def processor_s(process_id: int) -> float:
    """The processor time that a process has used."""
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("urls", nargs="+")
    parser.add_argument("--watchers", type=int, default=WATCHERS)
    parser.add_argument("--changes", type=int, default=CHANGES)
    parser.add_argument("--boards", type=int, default=1)
    parser.add_argument("--pid", type=int, help="the server's process, to measure its work")
    options = parser.parse_args()
    before = processor_s(options.pid) if options.pid else 0.0
    began = time.monotonic()
    found = asyncio.run(
        measure(
            options.urls,
            watchers=options.watchers,
            changes=options.changes,
            boards=options.boards,
        )
    )
    print(
        f"{found.watchers} watchers, {found.changes} changes: "
        f"p50 {1000 * found.share(50):.0f} ms, p95 {1000 * found.share(95):.0f} ms, "
        f"most {1000 * max(found.seconds):.0f} ms, lost {found.lost}"
    )
    if options.pid:
        share = (processor_s(options.pid) - before) / (time.monotonic() - began)
        print(f"the server used {100 * share:.0f}% of a core")


if __name__ == "__main__":
    main()
