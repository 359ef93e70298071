"""What counts as lost by a watcher, and which runs were interrupted wrongly.

The database says what happened: every change has a row, whether or not whoever made it got an answer.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.live_board import Arrivals
from benchmarks.team_ledger import Write
from service.schemas.fields import UNFINISHED

# Of the clocks: a row's time is that of the wall, rounded.
CLOCK_S = 0.05
# A lease, the pause until another server looks, and a moment for its work.
INTERRUPTED_WITHIN_S = 20.0
Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Change:
    """A row of what happened on a board. `made` is by the monotonic clock."""

    number: int
    board: str
    kind: str
    subject: str
    made: float


@dataclass(frozen=True, slots=True)
class Stream:
    """What one watcher of a board was told: when, by the number of the change."""

    board: str
    told: Mapping[int, float]


def matched(
    changes: Sequence[Change], writes: Sequence[Write]
) -> tuple[dict[int, float], list[Write]]:
    """When each change was sent, by its number, and the acknowledged writes that have no row."""
    rows: dict[tuple[str, str], list[Change]] = defaultdict(list)
    for change in changes:
        rows[change.kind, change.subject].append(change)
    sent: dict[int, float] = {}
    without: list[Write] = []
    for write in writes:
        for change in rows[write.kind, write.subject]:
            is_within = write.sent - CLOCK_S <= change.made <= write.acknowledged + CLOCK_S
            if is_within and change.number not in sent:
                sent[change.number] = write.sent
                break
        else:
            without.append(write)
    return sent, without


def arrivals(
    changes: Sequence[Change], writes: Sequence[Write], streams: Sequence[Stream], span: Span
) -> Arrivals:
    """How long changes of that time took to each watcher of their board; those never told are lost.

    Counted from when a change was sent or, if nobody sent it, such as the end of a run, was made. An
    acknowledged write without a row is lost to all.
    """
    begin, end = span
    sent, without = matched(changes, writes)
    watchers = Counter(stream.board for stream in streams)
    within = [change for change in changes if begin <= change.made < end]
    found = Arrivals(len(streams), len(within))
    found.lost = sum(watchers[one.board] for one in without if begin <= one.sent < end)
    by_board: dict[str, list[Stream]] = defaultdict(list)
    for stream in streams:
        by_board[stream.board].append(stream)
    for change in within:
        moment = sent.get(change.number, change.made)
        for stream in by_board[change.board]:
            told = stream.told.get(change.number)
            if told is None:
                found.lost += 1
            else:
                found.seconds.append(max(0.0, told - moment))
    return found


@dataclass(frozen=True, slots=True)
class Performed:
    """A run and the life of the server that performed it. Times are those of the database's clock."""

    run_id: str
    status: str
    replica_id: str
    finished: float | None = None


@dataclass(frozen=True, slots=True)
class Life:
    """One process of a server, from its first lease on. `killed` is None while it lives."""

    replica_id: str
    lease_until: float
    killed: float | None


@dataclass(slots=True)
class RunVerdict:
    """`slowest_s` is the longest time from a kill to the interruption of a run; `late` are those that
    took longer than `INTERRUPTED_WITHIN_S`.
    """

    finished: int = 0
    failed: int = 0
    rightly: int = 0
    wrongly: list[str] = field(default_factory=list)
    hanging: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    slowest_s: float = 0.0


def judge(runs: Sequence[Performed], lives: Sequence[Life]) -> RunVerdict:
    """To be asked when all work is over: a run that has not ended by then hangs."""
    by_id = {life.replica_id: life for life in lives}
    verdict = RunVerdict()
    for run in runs:
        if run.status in UNFINISHED:
            verdict.hanging.append(run.run_id)
        elif run.status == "interrupted":
            _judge_interrupted(run, by_id.get(run.replica_id), verdict)
        elif run.status == "done":
            verdict.finished += 1
        else:
            verdict.failed += 1
    return verdict


def _judge_interrupted(run: Performed, life: Life | None, verdict: RunVerdict) -> None:
    """Rightly only if its server had been killed and its lease was over."""
    moment, killed = run.finished, None if life is None else life.killed
    if life is None or killed is None or moment is None or moment < max(killed, life.lease_until):
        verdict.wrongly.append(run.run_id)
        return
    took_s = moment - killed
    verdict.rightly += 1
    verdict.slowest_s = max(verdict.slowest_s, took_s)
    if took_s > INTERRUPTED_WITHIN_S:
        verdict.late.append(run.run_id)
