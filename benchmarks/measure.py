"""One server at one number of clients: runs the load generator and watches meanwhile."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

from benchmarks.figures import waiting_percentile
from benchmarks.peers import Running
from benchmarks.processes import cpu_seconds, machine_cpu_seconds, pss_bytes
from benchmarks.results import Sample
from benchmarks.workload import Load
from service.settings import PROJECT_ROOT

HEALTH_CLIENTS = 16


@dataclass(frozen=True, slots=True)
class Level:
    """How long, and what every request may write."""

    clients: int
    seconds: float
    max_tokens: int
    load: Load = "new"

    @property
    def first_request(self) -> int:
        """Every level has requests of its own, the same for all servers and in all rounds."""
        return self.clients * 10_000


def measure(server: Running, level: Level, *, round: int) -> Sample:
    clock = _Clock(server.process.pid)
    load = _start(
        *("benchmarks.load", server.url, "--clients", level.clients),
        *("--seconds", level.seconds, "--max-tokens", level.max_tokens),
        *("--first", level.first_request, "--load", level.load),
    )
    probe = None
    if (level.clients, level.load) == (HEALTH_CLIENTS, "new") and server.peer.health:
        url = server.url + server.peer.health
        probe = _start("benchmarks.probe", url, "--seconds", level.seconds)
    outcome = _finish(load)
    health = _finish(probe) if probe is not None else []
    foreign_cpu = clock.foreign_share()
    memory = pss_bytes(server.process.pid)
    # What was cut off may still be on the server; its next answer says that it is done with it.
    server.ask(level.first_request - 1, max_tokens=1)
    return Sample(
        server=server.peer.name,
        round=round,
        clients=level.clients,
        rate=outcome["tokens"] / outcome["seconds"],
        stream_rate=outcome["stream_rate"],
        first_p50=waiting_percentile(outcome["first_tokens"], outcome["waits"], 0.5),
        first_p95=waiting_percentile(outcome["first_tokens"], outcome["waits"], 0.95),
        gap_p95=outcome["gap_p95"],
        pss_bytes=memory,
        finished=outcome["finished"],
        refused=outcome["refused"],
        broken=outcome["broken"],
        foreign_cpu=foreign_cpu,
        health=tuple(health),
        complaints=tuple(outcome["complaints"]),
        load=level.load,
    )


class _Clock:
    """Processor time since it was made: all of the machine's without the server's and ours."""

    def __init__(self, server: int) -> None:
        self._server = server
        self._began = time.monotonic()
        self._before = self._elsewhere()

    def foreign_share(self) -> float:
        seconds = (time.monotonic() - self._began) * (os.cpu_count() or 1)
        return max(0.0, self._elsewhere() - self._before) / seconds

    def _elsewhere(self) -> float:
        # Of our children only those that have ended count, which the server has not.
        own = os.times()
        ours = own.user + own.system + own.children_user + own.children_system
        return machine_cpu_seconds() - cpu_seconds(self._server) - ours


def _start(module: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", module, *map(str, arguments)],
        stdout=subprocess.PIPE,
        cwd=PROJECT_ROOT,
        text=True,
    )


def _finish(process: subprocess.Popen[str]) -> Any:
    output, _ = process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"{process.args!r} ended with status {process.returncode}")
    return json.loads(output)
