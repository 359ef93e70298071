"""The load of a team on two servers, of which one is killed again and again: `python -m benchmarks.team`.

Starts all of it by `team_stack`. People watch and write through the proxy; a first part is without
kills. At the end everything is read back at each server. Ends with status 1 if anything was lost, or a
run was interrupted wrongly or hangs.
"""

import argparse
import asyncio
import signal
import sys
import time
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks import board_pages
from benchmarks.live_board import PATIENCE_S, WATCHERS, Watchers
from benchmarks.team_client import Client
from benchmarks.team_kills import Killer, name_of
from benchmarks.team_machine import Machine
from benchmarks.team_probe import PERIOD_S, Probe, availability
from benchmarks.team_read_back import missing
from benchmarks.team_report import Answering, Found, Watching, Writing, complaints, markdown
from benchmarks.team_rows import Rows
from benchmarks.team_stack import TeamStack, team_stack
from benchmarks.team_verdicts import INTERRUPTED_WITHIN_S, Change, Span, Stream, arrivals, judge
from benchmarks.team_writers import Writers

PROXY = "proxy"
# A brainstorm takes some seconds then, so that a kill meets some.
TOKEN_S = 0.1
PROGRESS_S = 10.0
# What a run may still take when nobody starts new ones.
RUNS_END_S = INTERRUPTED_WITHIN_S + 30.0


@dataclass(frozen=True, slots=True)
class Plan:
    minutes: float
    calm_minutes: float
    pause_s: float
    watchers: int
    boards: int
    writers: int
    pace_s: float
    probe_s: float


class Load:
    """All that goes on at the same time, and what is noted of it."""

    def __init__(self, team: TeamStack, rows: Rows, plan: Plan) -> None:
        self._team = team
        self._rows = rows
        self._plan = plan
        self._killer = Killer(team, plan.pause_s, before=rows.note_replicas)
        self._urls = {name_of(place): one.url for place, one in enumerate(team.replicas)}
        self._busy: dict[str, dict[str, float]] = {}
        self._began = time.monotonic()

    async def run(self) -> Found:
        plan = self._plan
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(Client(self._team.url))
            boards = [await _new_board(client, number) for number in range(plan.boards)]
            watching = Watchers([self._team.url], boards, count=plan.watchers)
            await stack.enter_async_context(watching)
            after = self._rows.newest_change()
            writing = Writers(client, boards, count=plan.writers, pace_s=plan.pace_s)
            probe = Probe({PROXY: self._team.url, **self._urls}, period_s=plan.probe_s)
            calm, kills = await self._let_go(client, watching, writing, probe)
            await self._runs_end()
            changes = await asyncio.to_thread(self._rows.changes, after=after)
            await _all_told(watching, changes)
            seen = self._seen(watching, writing, changes, calm, kills)
        ledger = writing.ledger
        lost = {name: await missing(url, boards, ledger) for name, url in self._urls.items()}
        lost["the writers"] = ledger.overwritten
        return Found(
            settings={name: f"{getattr(plan, name):g}" for name in Plan.__slots__},
            writing=Writing(
                dict(ledger.acknowledged),
                dict(client.repeated),
                ledger.gave_up,
                ledger.refused,
                lost,
            ),
            watching=seen,
            answering=self._answering(probe, calm, kills),
            runs=judge(self._rows.runs(), self._rows.lives(self._killer.moments())),
            failures=self._rows.failures(),
            busy=self._busy,
            late_s=probe.late_s,
        )

    async def _let_go(
        self, client: Client, watching: Watchers, writing: Writers, probe: Probe
    ) -> tuple[Span, Span]:
        """The time without kills, and that with them."""
        plan = self._plan
        async with probe, writing:
            telling = asyncio.create_task(self._tell(client, watching, writing, probe))
            began = time.monotonic()
            machine = Machine(self._team)
            await asyncio.sleep(60 * plan.calm_minutes)
            calm_until = time.monotonic()
            self._busy = {"no kills": machine.programs() | machine.shares()}
            machine = Machine(self._team)
            await self._killer.kill_in_turn(60 * plan.minutes)
            ended = time.monotonic()
            self._busy["kills"] = machine.shares()
            telling.cancel()
            writing.check()
        return (began, calm_until), (calm_until, ended)

    async def _tell(
        self, client: Client, watching: Watchers, writing: Writers, probe: Probe
    ) -> None:
        while True:
            await asyncio.sleep(PROGRESS_S)
            writing.check()
            errors = sum(bool(one.error) for one in probe.asked[PROXY])
            print(
                f"{time.monotonic() - self._began:5.0f} s: "
                f"{writing.ledger.acknowledged.total()} writes, "
                f"{client.repeated.total()} sent again, "
                f"{sum(map(len, watching.numbers))} changes told, "
                f"{watching.connected} of {self._plan.watchers} streams open, "
                f"{len(self._killer.kills)} kills, {errors} errors at the proxy",
                file=sys.stderr,
                flush=True,
            )

    async def _runs_end(self) -> None:
        until = time.monotonic() + RUNS_END_S
        while time.monotonic() < until:
            if not await asyncio.to_thread(self._rows.unfinished):
                return
            await asyncio.sleep(0.5)

    def _seen(
        self,
        watching: Watchers,
        writing: Writers,
        changes: list[Change],
        calm: Span,
        kills: Span,
    ) -> Watching:
        pairs = zip(watching.boards, watching.numbers, strict=True)
        streams = [Stream(board, told) for board, told in pairs]
        writes = writing.ledger.writes
        return Watching(
            calm=arrivals(changes, writes, streams, (0.0, calm[1])),
            # With what came after the last kill, such as the interruption of runs.
            kills=arrivals(changes, writes, streams, (kills[0], float("inf"))),
            reconnects=watching.reconnects,
            repeats=watching.repeats,
            resets=watching.resets,
        )

    def _answering(self, probe: Probe, calm: Span, kills: Span) -> Answering:
        killer, whole = self._killer, (calm[0], kills[1])
        places = range(len(self._team.replicas))
        return Answering(
            calm=availability(probe.asked[PROXY], [calm]),
            kills=availability(probe.asked[PROXY], [kills]),
            other=availability(
                [
                    one
                    for place in places
                    for one in killer.as_other(place, probe.asked[name_of(place)])
                ],
                [(one.killed, one.answered) for one in killer.kills],
            ),
            direct={
                name_of(place): availability(
                    killer.undisturbed(place, probe.asked[name_of(place)]),
                    killer.up(place, whole),
                )
                for place in places
            },
            restarts_s=[one.answered - one.killed for one in killer.kills],
        )


def _measured(plan: Plan, *, token_s: float) -> Found:
    with ExitStack() as stack:
        team = stack.enter_context(
            team_stack(token_s=token_s, IDEAPOOL_IDEA_BANK="false", IDEAPOOL_BOARD_IDEAS="false")
        )
        rows = stack.enter_context(Rows(team.database_url))
        return asyncio.run(Load(team, rows, plan).run())


async def _new_board(client: Client, number: int) -> str:
    answer = await client.post("/boards", {"name": f"Board {number}"})
    if not answer.is_acknowledged:
        raise RuntimeError(f"no board could be made: {answer.status}")
    return str(answer.body["id"])


async def _all_told(watching: Watchers, changes: list[Change]) -> None:
    """Waits for what is still under way, but not for what is lost."""
    expected = sum(watching.boards.count(change.board) for change in changes)
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        if sum(map(len, watching.numbers)) >= expected:
            return
        await asyncio.sleep(0.2)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="with kills (10)")
    parser.add_argument("--calm-minutes", type=float, default=1.0, help="before, without (1)")
    parser.add_argument("--pause", type=float, default=20.0, help="seconds between kills (20)")
    parser.add_argument("--watchers", type=int, default=WATCHERS)
    parser.add_argument("--boards", type=int, default=20)
    parser.add_argument("--writers", type=int, default=20)
    parser.add_argument("--pace", type=float, default=2.0, help="seconds a write, each (2)")
    parser.add_argument("--probe", type=float, default=PERIOD_S, help="seconds between questions")
    parser.add_argument("--token", type=float, default=TOKEN_S, help="the engine's seconds a token")
    parser.add_argument("--ideas", type=int, default=10_000, help="on the pages' board")
    parser.add_argument("--without-pages", action="store_true")
    parser.add_argument("--output", type=Path, help="folder for team.json")
    options = parser.parse_args()
    plan = Plan(
        minutes=options.minutes,
        calm_minutes=options.calm_minutes,
        pause_s=options.pause,
        watchers=options.watchers,
        boards=options.boards,
        writers=options.writers,
        pace_s=options.pace,
        probe_s=options.probe,
    )
    # Otherwise the servers would stay when this program is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    found = _measured(plan, token_s=options.token)
    if not options.without_pages:
        print(f"pages of a board of {options.ideas} ideas …", file=sys.stderr, flush=True)
        found.pages = board_pages.measure(ideas=options.ideas)
    print(markdown(found))
    for complaint in complaints(found):
        print(complaint, file=sys.stderr)
    if options.output is not None:
        options.output.mkdir(parents=True, exist_ok=True)
        found.write(options.output / "team.json")
    return 0 if found.is_safe else 1


if __name__ == "__main__":
    sys.exit(main())
