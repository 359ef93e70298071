"""Kills servers in turn, as a machine that loses its power does, and starts them again."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from benchmarks.team_probe import Asked
from benchmarks.team_stack import TeamStack
from benchmarks.team_verdicts import Span


@dataclass(frozen=True, slots=True)
class Kill:
    """Of the server at `place`, with the moment at which it answered again."""

    place: int
    killed: float
    answered: float


@dataclass(slots=True)
class Killer:
    """`before` is called before each kill."""

    team: TeamStack
    pause_s: float
    before: Callable[[], None]
    kills: list[Kill] = field(default_factory=list)

    async def kill_in_turn(self, seconds: float) -> None:
        """The next one is killed `pause_s` after the last kill, but not before that one answers."""
        began = time.monotonic()
        while (now := time.monotonic()) < began + seconds:
            place = len(self.kills) % len(self.team.replicas)
            self.kills.append(await asyncio.to_thread(self._kill, place))
            await asyncio.sleep(max(0.0, now + self.pause_s - time.monotonic()))

    def moments(self) -> dict[str, list[float]]:
        """When servers were killed, by their name."""
        found: dict[str, list[float]] = defaultdict(list)
        for one in self.kills:
            found[name_of(one.place)].append(one.killed)
        return found

    def down(self, place: int) -> list[Span]:
        return [(one.killed, one.answered) for one in self.kills if one.place == place]

    def up(self, place: int, whole: Span) -> list[Span]:
        """The rest of that time."""
        begin, end = whole
        found = []
        for killed, answered in self.down(place):
            found.append((begin, killed))
            begin = answered
        return [*found, (begin, end)]

    def undisturbed(self, place: int, asked: Sequence[Asked]) -> list[Asked]:
        """Without the questions that its kill met."""
        moments = [killed for killed, _ in self.down(place)]
        return [one for one in asked if not any(one.began < at <= one.ended for at in moments)]

    def as_other(self, place: int, asked: Sequence[Asked]) -> list[Asked]:
        """Only the questions to it while another one was down."""
        spans = [(one.killed, one.answered) for one in self.kills if one.place != place]
        return [one for one in asked if any(begin <= one.began < end for begin, end in spans)]

    def _kill(self, place: int) -> Kill:
        self.before()
        killed = time.monotonic()
        self.team.kill(place)
        self.team.start(place)
        return Kill(place, killed, time.monotonic())


def name_of(place: int) -> str:
    """As `TeamStack` names them."""
    return f"replica-{place + 1}"
