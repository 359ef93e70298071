"""A report in words: one table of all figures, one of the targets. Standard library only."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks.figures import percentile
from benchmarks.results import COMPILED, OURS, PACKAGED, PYTHON, Report, Sample, middle
from benchmarks.workload import Load

Figure = Callable[[Sample], float]
LIVEZ_S = 0.25
QUIET = 0.05


@dataclass(frozen=True, slots=True)
class Target:
    """`ratio` is ours to theirs; the limit is a floor, or else a ceiling."""

    what: str
    than: str
    ratio: float
    limit: float
    is_floor: bool

    @property
    def is_met(self) -> bool:
        return self.ratio >= self.limit if self.is_floor else self.ratio <= self.limit


def markdown(report: Report) -> str:
    settings = "\n".join(f"- {name}: {value}" for name, value in report.settings.items())
    new = report.under("new")
    parts = [
        settings,
        "Medians of the rounds; in brackets the least and the most. A `>` means that the level "
        "ended before the figure was known.",
        *_figures(new),
        *_livez(new),
        *_again(report, "repeated", "Sixteen prompts that come again in rounds:"),
        *_again(report, "chats", "Chats of five turns:"),
        *_other_parts(report),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _figures(report: Report) -> Iterator[str]:
    if report.samples:
        yield _table(report)
        yield "Ratios of medians, ours to theirs:"
        yield "\n".join(_target_lines(report))


def _again(report: Report, load: Load, title: str) -> Iterator[str]:
    """What is asked again has a target for the first token, which new prompts have at 8 clients."""
    found = report.under(load)
    if not found.samples:
        return
    yield title
    yield _table(found)
    rows = [
        f"| {clients} | {than} | {ratio(found, clients, than, _rate):.2f} "
        f"| {ratio(found, clients, than, _first_p50):.2f} |"
        for clients in found.levels
        for than in found.servers
        if than != OURS and found.of(OURS, clients) and found.of(than, clients)
    ]
    if rows:
        yield "Ratios of medians, ours to theirs (the target of the first token is at most 1):"
        yield "\n".join(
            ["| clients | beside | tokens/s | first token p50 |", "|---" * 4 + "|", *rows]
        )


def ratio(report: Report, clients: int, than: str, figure: Figure) -> float:
    """Ours to theirs; NaN where one of them is not known."""
    ours, theirs = (report.median(one, clients, figure) for one in (OURS, than))
    return math.nan if ours is None or not theirs else ours / theirs


def _rate(sample: Sample) -> float:
    return sample.rate


def _first_p50(sample: Sample) -> float:
    return sample.first_p50[0]


def _table(report: Report) -> str:
    head = (
        "clients | server | tokens/s in total | tokens/s of a stream | first token p50 | "
        "first token p95 | between tokens p95 | memory | refused | broken"
    )
    lines = [f"| {head} |", "|---" * 10 + "|"]
    for clients in report.levels:
        for server in report.servers:
            if report.of(server, clients):
                lines.append("| " + " | ".join(_cells(report, server, clients)) + " |")
    return "\n".join(lines)


def _cells(report: Report, server: str, clients: int) -> list[str]:
    samples = report.of(server, clients)
    rates = [one.rate for one in samples]

    def median(figure: Figure, form: str) -> str:
        value = report.median(server, clients, figure)
        return "–" if value is None else form.format(value)

    return [
        str(clients),
        server,
        f"{middle(rates):.0f} ({min(rates):.0f}–{max(rates):.0f})",
        median(lambda one: one.stream_rate, "{:.1f}"),
        _first(report, server, clients, 0.5),
        _first(report, server, clients, 0.95),
        median(lambda one: one.gap_p95 * 1000, "{:.0f} ms"),
        median(lambda one: one.pss_bytes / 1e6, "{:.0f} MB"),
        str(sum(one.refused for one in samples)),
        str(sum(one.broken for one in samples)),
    ]


def _first(report: Report, server: str, clients: int, share: float) -> str:
    found = report.first_token(server, clients, share)
    if found is None:
        return "–"
    seconds, is_longer = found
    shown = f"{seconds:.1f} s" if seconds >= 10 else f"{seconds * 1000:.0f} ms"
    return ("> " if is_longer else "") + shown


def targets(report: Report) -> Iterator[Target]:
    for than in (PACKAGED, COMPILED):
        for clients in report.levels:
            limit = 1.0 if clients < 8 else 1.15
            yield from _rate_target(report, clients, than, limit)
        yield from _times_at_eight(report, than)
    for clients in report.levels:
        if clients >= 4:
            yield from _rate_target(report, clients, PYTHON, 2.5)
    for sequences in sorted({one.sequences for one in report.ceilings}):
        ours = report.median(OURS, sequences, lambda one: one.rate)
        bare = middle([one.rate for one in report.ceilings if one.sequences == sequences])
        if ours is not None and bare:
            what = f"tokens/s with {sequences}"
            yield Target(what, "bare decode loop", ours / bare, 0.9, is_floor=True)


def _rate_target(report: Report, clients: int, than: str, limit: float) -> Iterator[Target]:
    ours, theirs = (report.median(one, clients, lambda s: s.rate) for one in (OURS, than))
    if ours is not None and theirs:
        yield Target(f"tokens/s with {clients}", than, ours / theirs, limit, is_floor=True)


def _times_at_eight(report: Report, than: str) -> Iterator[Target]:
    for share, limit in ((0.5, 0.8), (0.95, 1.0)):
        ours, theirs = (report.first_token(one, 8, share) for one in (OURS, than))
        if ours is not None and theirs is not None:
            what = f"first token p{share * 100:.0f} with 8"
            yield Target(what, than, ours[0] / theirs[0], limit, is_floor=False)
    ours_gap, gap = (report.median(one, 8, lambda s: s.gap_p95) for one in (OURS, than))
    if ours_gap is not None and gap:
        yield Target("between tokens p95 with 8", than, ours_gap / gap, 1.0, is_floor=False)


def _target_lines(report: Report) -> Iterator[str]:
    yield "| what, at how many clients | beside | ratio | target | |"
    yield "|---|---|---|---|---|"
    for one in targets(report):
        sign = "at least" if one.is_floor else "at most"
        verdict = "met" if one.is_met else "**missed**"
        yield f"| {one.what} | {one.than} | {one.ratio:.2f} | {sign} {one.limit:g} | {verdict} |"
    if OURS in report.servers:
        broken = sum(one.broken for one in report.samples if one.server == OURS)
        verdict = "met" if broken == 0 else "**missed**"
        yield f"| broken streams of ours, over all rounds | | {broken} | 0 | {verdict} |"


def _livez(report: Report) -> Iterator[str]:
    lines = []
    for server in report.servers:
        times = [t for one in report.samples if one.server == server for t in one.health]
        if times:
            p50, p99 = (percentile(times, share) for share in (0.5, 0.99))
            verdict = "" if server != OURS else (", met" if p99 < LIVEZ_S else ", **missed**")
            lines.append(
                f"- {server}: p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms "
                f"of {len(times)} asked{verdict}"
            )
    if lines:
        yield f"The health endpoint while 16 clients stream (target p99 < {LIVEZ_S * 1000:.0f} ms):"
        yield "\n".join(lines)


def _other_parts(report: Report) -> Iterator[str]:
    if report.ceilings:
        yield "The bare decode loop, tokens/s with the reading of prompts and of its steps alone:"
        yield "\n".join(_ceiling_lines(report))
    if report.tried:
        yield "Ways to run the tuned llama-server, tried first (geometric mean of tokens/s):"
        yield "\n".join(f"- {name}: {rate:.0f}" for name, rate in report.tried.items())
    if report.quantisations:
        yield (
            "Quantisations, in the bare loop. Divergence and agreement are those of the next "
            "token with the first file's."
        )
        yield "\n".join(_quantisation_lines(report))
    shares = [one.foreign_cpu for one in report.samples]
    if shares:
        usual = middle(shares) or 0.0
        verdict = "" if usual < QUIET else " **That is too much for these figures to count.**"
        yield (
            f"Processor time taken by anything else while measuring: median {usual:.1%}, "
            f"at most {max(shares):.1%}.{verdict}"
        )


def _ceiling_lines(report: Report) -> Iterator[str]:
    yield "| sequences | tokens/s | of the steps alone |"
    yield "|---|---|---|"
    for count in sorted({one.sequences for one in report.ceilings}):
        found = [one for one in report.ceilings if one.sequences == count]
        rate, steps = middle([one.rate for one in found]), middle([one.step_rate for one in found])
        yield f"| {count} | {rate:.0f} | {steps:.0f} |"


def _quantisation_lines(report: Report) -> Iterator[str]:
    counts = sorted(report.quantisations[0].step_ms)
    names = [f"step of {count}" for count in counts]
    yield f"| file | size | reads tokens/s | {' | '.join(names)} | divergence | agreement |"
    yield "|---" * (5 + len(counts)) + "|"
    for one in report.quantisations:
        steps = " | ".join(f"{one.step_ms[n]:.1f} ms" for n in counts)
        yield (
            f"| {one.name} | {one.size_bytes / 1e6:.0f} MB | {one.read_rate:.0f} | {steps} "
            f"| {one.divergence:.4f} | {one.agreement:.1%} |"
        )
