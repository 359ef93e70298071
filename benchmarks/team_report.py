"""What the load of a team found, as a table with the targets beside, and as JSON."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.board_pages import Times
from benchmarks.figures import percentile
from benchmarks.live_board import Arrivals
from benchmarks.team_probe import Availability
from benchmarks.team_verdicts import INTERRUPTED_WITHIN_S, RunVerdict

SEEN_WITHIN_S = 1.0
LONGEST_GAP_S = 2.0
PAGE_RATIO = 1.5
# So many complaints of a kind are shown.
SHOWN = 5
NO_TARGET = "–"
Row = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Writing:
    """`acknowledged` by what was written, `repeated` by the reason; `lost` is by server."""

    acknowledged: dict[str, int]
    repeated: dict[str, int]
    gave_up: int
    refused: list[str]
    lost: dict[str, list[str]]

    @property
    def lost_count(self) -> int:
        return sum(map(len, self.lost.values()))


@dataclass(frozen=True, slots=True)
class Watching:
    """Changes while no server was killed, and from the first kill on."""

    calm: Arrivals
    kills: Arrivals
    reconnects: int
    repeats: int
    resets: int

    @property
    def lost(self) -> int:
        return self.calm.lost + self.kills.lost


@dataclass(frozen=True, slots=True)
class Answering:
    """`other` is the server that was not killed, until the killed one answered again. `direct` is each
    server, as long as it was not killed.
    """

    calm: Availability
    kills: Availability
    other: Availability
    direct: dict[str, Availability]
    restarts_s: list[float]


@dataclass(slots=True)
class Found:
    """`busy` are shares of the processor, as `Machine` gives them, for each part."""

    settings: dict[str, str]
    writing: Writing
    watching: Watching
    answering: Answering
    runs: RunVerdict
    failures: list[str]
    busy: dict[str, dict[str, float]]
    late_s: list[float]
    pages: Times = field(default_factory=dict)

    @property
    def is_safe(self) -> bool:
        """Whether nothing was lost, and no run interrupted wrongly or left hanging."""
        runs = self.runs
        return not (self.watching.lost or self.writing.lost_count or runs.wrongly or runs.hanging)

    def write(self, path: Path) -> None:
        kept = asdict(self)
        for part in ("calm", "kills"):
            # A million times say no more than their percentiles.
            seconds = kept["watching"][part].pop("seconds")
            kept["watching"][part] |= _percentiles(seconds)
        kept["late_s"] = _percentiles(self.late_s)
        path.write_text(json.dumps(kept, indent=1, allow_nan=True) + "\n")


def markdown(found: Found) -> str:
    lines = ["| figure | found | target |", "|---|---|---|"]
    rows = (_watching, _writing, _runs, _answering, _machine, _pages)
    lines += [f"| {' | '.join(row)} |" for part in rows for row in part(found)]
    return "\n".join(lines)


def complaints(found: Found) -> Iterator[str]:
    """The first of each kind of fault, for whoever has to find the cause."""
    runs, writing = found.runs, found.writing
    kinds: Mapping[str, list[str]] = {
        **{f"lost at {name}": lost for name, lost in writing.lost.items()},
        "refused": writing.refused,
        "wrongly interrupted": runs.wrongly,
        "hanging": runs.hanging,
        "late": runs.late,
        "failed": found.failures,
    }
    for kind, texts in kinds.items():
        yield from (f"{kind}: {text}" for text in texts[:SHOWN])


def _watching(found: Found) -> Iterator[Row]:
    watching = found.watching
    target = f"p95 at most {SEEN_WITHIN_S:g} s"
    for name, part in (("no kills", watching.calm), ("kills", watching.kills)):
        most = _ms(max(part.seconds, default=float("nan")))
        shown = f"{_times(part.seconds)}, most {most}; {_within(part)} within {SEEN_WITHIN_S:g} s"
        yield f"a change until each watcher saw it, {name}", shown, target
        told = len(part.seconds) + part.lost
        yield f"changes lost, {name}", f"{part.lost} of {told} ({part.changes} changes)", "0"
    shown = f"{watching.reconnects} connected again, {watching.resets} told to load the board"
    yield "streams", f"{shown}, {watching.repeats} changes told twice", "0 told to load, 0 twice"


def _writing(found: Found) -> Iterator[Row]:
    writing = found.writing
    total = sum(writing.acknowledged.values())
    yield "acknowledged writes lost or doubled", f"{writing.lost_count} of {total}", "0"
    yield "acknowledged writes by kind", _counts(writing.acknowledged), NO_TARGET
    shown = f"{_counts(writing.repeated) or 0}; given up {writing.gave_up}"
    yield "requests sent again, by reason", shown, "given up 0"


def _runs(found: Found) -> Iterator[Row]:
    runs = found.runs
    yield "runs finished · failed", f"{runs.finished} · {runs.failed}", f"{NO_TARGET} · 0"
    shown = f"{runs.rightly} · {len(runs.wrongly)} · {len(runs.hanging)}"
    yield "runs interrupted rightly · wrongly · hanging", shown, f"{NO_TARGET} · 0 · 0"
    shown = f"{runs.slowest_s:.1f} s, {len(runs.late)} late" if runs.rightly else NO_TARGET
    target = f"at most {INTERRUPTED_WITHIN_S:g} s"
    yield "longest from a kill to the interruption of a run", shown, target


def _answering(found: Found) -> Iterator[Row]:
    answering = found.answering
    parts = {
        "the proxy, no kills": answering.calm,
        "the proxy, kills": answering.kills,
        "the other server while one is down": answering.other,
        **{f"{name} while it is up": one for name, one in answering.direct.items()},
    }
    for name, part in parts.items():
        times = " · ".join(_ms(one) for one in (part.p50_s, part.p95_s, part.p99_s))
        shown = f"p50 · p95 · p99 {times}; longest gap {part.gap_s:.2f} s"
        has_target = part in (answering.calm, answering.kills, answering.other)
        target = f"gap at most {LONGEST_GAP_S:g} s, errors 0" if has_target else NO_TARGET
        yield f"answers of {name}", f"{shown}; errors {_errors(part)}", target
    restarts = answering.restarts_s
    if restarts:
        shown = (
            f"{len(restarts)}; p50 {percentile(restarts, 0.5):.1f} s, most {max(restarts):.1f} s"
        )
        yield "kills; until the killed one answers again", shown, NO_TARGET


def _machine(found: Found) -> Iterator[Row]:
    for part, shares in found.busy.items():
        shown = ", ".join(f"{name} {100 * share:.0f}%" for name, share in shares.items())
        yield f"processor, {part}", shown, NO_TARGET
    yield "this program itself was late by", _times(found.late_s), NO_TARGET


def _pages(found: Found) -> Iterator[Row]:
    for page, times in found.pages.items():
        first, *_, last = times.values()
        shown = " · ".join(f"{name} {time:.1f} ms" for name, time in times.items())
        target = f"ratio at most {PAGE_RATIO:g}"
        yield f"page p95: {page}", f"{shown}; ratio {last / first:.2f}", target


def _errors(part: Availability) -> str:
    reasons = {reason: part.errors.count(reason) for reason in part.errors}
    shown = f" ({_counts(reasons)})" if reasons else ""
    return f"{len(part.errors)} of {part.asked}{shown}"


def _within(part: Arrivals) -> str:
    """The share of changes that arrived in time; what is lost did not."""
    told = len(part.seconds) + part.lost
    in_time = sum(one <= SEEN_WITHIN_S for one in part.seconds)
    return f"{100 * in_time / told:.1f}%" if told else NO_TARGET


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


def _percentiles(seconds: list[float]) -> dict[str, float]:
    shares = {"p50_s": 0.5, "p95_s": 0.95, "p99_s": 0.99, "most_s": 1.0}
    return {name: percentile(seconds, share) for name, share in shares.items()}


def _times(seconds: list[float]) -> str:
    shown = " · ".join(_ms(percentile(seconds, share)) for share in (0.5, 0.95, 0.99))
    return f"p50 · p95 · p99 {shown}"


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms"
