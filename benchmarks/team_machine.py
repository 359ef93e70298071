"""Who uses the processor while a team is served, and how much of it is somebody else's."""

import os
import time

from benchmarks.live_board import processor_s
from benchmarks.processes import cpu_seconds, machine_cpu_seconds
from benchmarks.team_kills import name_of
from benchmarks.team_stack import TeamStack


class Machine:
    """From when it is made. Shares of one core, except of what the name says otherwise."""

    def __init__(self, team: TeamStack) -> None:
        self._team = team
        self._began = time.monotonic()
        self._before = self._used()
        self._whole = self._of_all()

    def programs(self) -> dict[str, float]:
        """Of each program; for a time in which none was killed."""
        seconds = time.monotonic() - self._began
        used = {name: now - self._before[name] for name, now in self._used().items()}
        ours = self._of_all()[1] - self._whole[1]
        used["PostgreSQL and nginx"] = max(0.0, ours - sum(used.values()))
        return {name: one / seconds for name, one in used.items()}

    def shares(self) -> dict[str, float]:
        """Of all cores: how busy they were, and how much of that was neither the team nor this program."""
        seconds = (time.monotonic() - self._began) * (os.cpu_count() or 1)
        all_used, ours = (
            now - before for now, before in zip(self._of_all(), self._whole, strict=True)
        )
        return {"all cores": all_used / seconds, "others": max(0.0, all_used - ours) / seconds}

    def _used(self) -> dict[str, float]:
        programs = {name_of(place): one for place, one in enumerate(self._team.replicas)}
        programs["engine"] = self._team.engine
        used = {name: processor_s(one.process.pid) for name, one in programs.items() if one.process}
        return used | {"this program": time.process_time()}

    def _of_all(self) -> tuple[float, float]:
        return machine_cpu_seconds(), cpu_seconds(os.getpid(), with_ended=True)
