"""Whether the server stays as it was under work that never ends: `python -m benchmarks.bench_soak --minutes 30`.

A server on the small model and a dozen clients in a closed loop: chat completions and runs,
streamed and waited for, many of them left, cancelled or read slowly. Prints how it stands every
half minute, then whether each law held; ends with status 1 if one did not.
"""

import argparse
import os
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from benchmarks.customers import EXPECTED, Customer, Tally
from tests.support.app_server import Server, serving
from tests.support.raw_http import Call, chat

PERIOD_S = 30.0
WARM_S = 180.0
IDLE_S = 120.0
GROWTH = 1.05


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one process. `others` are the descriptors that are no files: sockets, pipes, polls."""

    rss_mb: float
    pss_mb: float
    descriptors: int
    others: int
    threads: int

    @classmethod
    def of(cls, process_id: int) -> "Figures":
        folder = Path(f"/proc/{process_id}")
        targets = []
        for entry in (folder / "fd").iterdir():
            try:
                targets.append(str(entry.readlink()))
            except FileNotFoundError:
                continue
        return cls(
            rss_mb=_kilobytes(folder / "status", "VmRSS:") / 1024,
            pss_mb=_kilobytes(folder / "smaps_rollup", "Pss:") / 1024,
            descriptors=len(targets),
            others=sum(not target.startswith("/") for target in targets),
            threads=len(list((folder / "task").iterdir())),
        )

    def __str__(self) -> str:
        return (
            f"{self.rss_mb:6.1f} {self.pss_mb:6.1f} MB {self.descriptors:4} fd {self.threads:3} thr"
        )


@dataclass(frozen=True, slots=True)
class State:
    server: Figures
    model: Figures
    gauges: dict[str, int]

    @classmethod
    def of(cls, server: Server) -> "State":
        gauges = {}
        for line in server.http.get("/metrics").text.splitlines():
            name, _, value = line.rpartition(" ")
            if name.startswith(("ideapool_engine_", "ideapool_runs_active")):
                gauges[name.partition('"')[2].rstrip('"}') or name] = int(float(value))
        return cls(Figures.of(server.process.pid), Figures.of(server.model_process()), gauges)

    @property
    def is_idle(self) -> bool:
        return not any(self.gauges[name] for name in ("running", "waiting", "ideapool_runs_active"))


def _kilobytes(file: Path, name: str) -> int:
    for line in file.read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    raise RuntimeError(f"{file} says nothing of {name}")


class Soak:
    """`laws` has for each what it says, what was seen, and whether it held."""

    def __init__(self, server: Server, folder: Path, *, minutes: float, clients: int) -> None:
        self._server = server
        self._database = folder / "ideapool.db"
        self._seconds = minutes * 60
        self._clients = clients
        self.tally = Tally()
        self.laws: list[tuple[str, str, bool]] = []

    def run(self) -> bool:
        """Whether every law held."""
        self._check_served()
        first = State.of(self._server)
        closing_time = threading.Event()
        customers = [
            Customer(number, self._server, self.tally, closing_time)
            for number in range(self._clients)
        ]
        print("     s  calls   done   left cancel refused unusable  faults", end="")
        print("  | server: RSS PSS, model: RSS PSS | running waiting runs")
        for customer in customers:
            customer.start()
        warm = self._watch()
        closing_time.set()
        for customer in customers:
            customer.join()
        last = self._await_idle()
        self._judge(first, warm, last)
        self._show()
        return all(holds for *_, holds in self.laws)

    def _check_served(self) -> None:
        """The first request makes what is made only once."""
        with closing(Call(self._server)) as call:
            list(call.post("/v1/chat/completions", chat("What grows here?", 8)).events())

    def _watch(self) -> State:
        """Tells how it stands until the time is up; how it was when warm."""
        began = time.monotonic()
        warm_at = min(WARM_S, self._seconds / 2)
        warm: State | None = None
        due = PERIOD_S
        while (passed := time.monotonic() - began) < self._seconds:
            if warm is None and passed >= warm_at:
                warm = State.of(self._server)
            if passed >= due:
                self._tell(passed, State.of(self._server))
                due += PERIOD_S
            time.sleep(0.2)
        return warm or State.of(self._server)

    def _tell(self, passed: float, state: State) -> None:
        ends = self.tally.ends()
        known = [ends[name] for name in ("done", "left", "cancelled", "refused", "answer-unusable")]
        gauges = [state.gauges[name] for name in ("running", "waiting", "ideapool_runs_active")]
        columns = (passed, ends.total(), *known, ends.total() - sum(known))
        print(
            "{:6.0f} {:6} {:6} {:6} {:6} {:7} {:8} {:7}".format(*columns),
            f" | {state.server} | {state.model} | {gauges[0]:2} {gauges[1]:2} {gauges[2]:2}",
            flush=True,
        )

    def _await_idle(self) -> State:
        deadline = time.monotonic() + IDLE_S
        while not State.of(self._server).is_idle and time.monotonic() < deadline:
            time.sleep(0.1)
        # Connections that have been left are closed in the next turns of the event loop.
        time.sleep(1)
        return State.of(self._server)

    def _judge(self, first: State, warm: State, last: State) -> None:
        for name, before, after in (
            ("server", warm.server, last.server),
            ("model process", warm.model, last.model),
        ):
            seen = f"{before.rss_mb:.1f} -> {after.rss_mb:.1f} MB ({after.rss_mb / before.rss_mb - 1:+.1%})"
            self._law(f"{name}: memory is flat", seen, after.rss_mb <= before.rss_mb * GROWTH)
        for name, before, after in (
            ("server", first.server, last.server),
            ("model process", first.model, last.model),
        ):
            # The database's own connections are opened when first needed, and kept.
            seen = f"{before.others} -> {after.others} without files, {after.descriptors} in all"
            self._law(f"{name}: descriptors are given back", seen, after.others <= before.others)
        seen = ", ".join(f"{name} {count}" for name, count in last.gauges.items())
        self._law("nothing runs or waits", seen, last.is_idle)
        unfinished = self._unfinished()
        self._law("no run is left queued or running", str(unfinished), unfinished == 0)
        restarts = last.gauges["ideapool_engine_restarts"]
        self._law("the model process never restarted", str(restarts), restarts == 0)
        faults = {end: count for end, count in self.tally.ends().items() if end not in EXPECTED}
        self._law("no call failed", str(faults or "none"), not faults)
        errors = [
            line for line in self._server.log.splitlines() if line.startswith(("ERROR", "Trace"))
        ]
        self._law("the log has no errors", str(errors[:3] or "none"), not errors)

    def _law(self, law: str, seen: str, holds: bool) -> None:
        self.laws.append((law, seen, holds))

    def _unfinished(self) -> int:
        with closing(sqlite3.connect(self._database)) as database:
            query = "SELECT count(*) FROM run WHERE status IN ('queued', 'running')"
            found: Sequence[int] = database.execute(query).fetchone()
        return found[0]

    def _show(self) -> None:
        print("\ncalls by kind")
        for kind, ends in self.tally.kinds().items():
            print(f"  {kind:12}", ", ".join(f"{end} {count}" for end, count in ends.most_common()))
        print("\nlaws")
        for law, seen, holds in self.laws:
            print(f"  {'holds ' if holds else 'BROKEN'}  {law:45} {seen}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--clients", type=int, default=12)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as server:
        server.await_models()
        soak = Soak(server, Path(folder), minutes=options.minutes, clients=options.clients)
        held = soak.run()
        print(f"\nstopped in {server.stop():.1f} s on {os.cpu_count()} CPUs")
    sys.exit(0 if held else 1)


if __name__ == "__main__":
    main()
