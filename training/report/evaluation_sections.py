"""The parts of a report on exports, evaluations, blind readings and score heads."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean

from training.errors import DataProblem, TrainingError
from training.evaluation import blind
from training.evaluation.evaluation_text import (
    INTERVALS,
    Values,
    beside_ideas,
    differences,
    interval,
    likelihoods,
    number,
    p_value,
    samples,
    scores,
    table,
)
from training.evaluation.judge import Side
from training.evaluation.statistics import Interval
from training.export.cards import parity_lines
from training.inference.served import BESIDE
from training.report.recorded_runs import RecordedRuns, Run
from training.runs.run_directory import RunDirectory

SIDES: tuple[Side, ...] = ("base", "tuned")


def exports(found: RecordedRuns) -> Iterator[str]:
    # A list, because runs of two sweeps may have the same name.
    exported = [(run.name, run.parity) for run in found.every_run if run.parity is not None]
    if not exported:
        return
    yield "## As exported"
    yield ""
    for name, parity in exported:
        yield f"### {name}"
        yield ""
        yield from parity_lines(asdict(parity))
        yield ""


def evaluations(found: RecordedRuns) -> Iterator[str]:
    yield "## Base against tuned, as served"
    yield ""
    evaluated = list(found.evaluated)
    yield INTERVALS if evaluated else "No run was evaluated."
    yield ""
    for run, evaluation in evaluated:
        comparison = evaluation["comparison"]
        yield f"### {run.name} on {run.base}"
        yield ""
        yield f"{_compared(evaluation, 'tuned')} against {_compared(evaluation, 'base')}."
        yield ""
        for name, metrics in comparison["ideas"].items():
            yield f"Ideas for {name}:"
            yield ""
            yield from differences(metrics)
        if others := beside_ideas(comparison):
            yield from differences(others)
        yield from likelihoods(comparison["likelihoods"])
        measured = {"assessments": comparison["assessments"]["n"]} | {
            kind: comparison[kind] for kind in ("ideas", "refinements")
        }
        yield from scores(comparison["agreement"])
        yield from _readings(run, sorted(kind for kind, found in measured.items() if found))
        yield "Random samples:"
        yield ""
        yield from samples(evaluation["samples"])


def _compared(evaluation: Values, side: Side) -> str:
    """Names the file, and how an adapter was applied. A shared adapter has a hash of two files."""
    one = evaluation[side]
    if BESIDE in one["sha256"]:
        return f"`{one['file']}` (with the shared adapter, which is applied to each token)"
    how = "one file with the adapter merged in" if side == "tuned" else "one file"
    return f"`{one['file']}` ({how})"


def _readings_of(run: Run, kind: str) -> list[blind.Reading]:
    """The readings of all readers. Raises `TrainingError` for an invalid file of answers."""
    folder = run.rundir.evaluation
    key = folder / blind.KEY.format(kind=kind)
    try:
        return [blind.read(key, answers) for answers in blind.answers_in(folder, kind)]
    except DataProblem as error:
        raise TrainingError(f"The blind answers of {run.name} cannot be used: {error}") from error


def _readings(run: Run, kinds: Sequence[str]) -> Iterator[str]:
    """A table of the readings of the blind pages."""
    for kind in kinds:
        found = _readings_of(run, kind)
        if not found:
            yield f"The {kind} were not judged blind."
            yield ""
            continue
        yield (
            f"Blind readings of the {found[0].shown} pairs of {kind} on the page `{found[0].page}`. The "
            "reader is the one that the file of answers names:"
        )
        yield ""
        yield from table(
            ("", "reader", "pairs read", "tuned better", "base better", "p, sign test",
             "useful, base [95 %]", "tuned", "at least passable, base", "tuned"),
            [(str(place), *_reading(one)) for place, one in enumerate(found, start=1)],
        )  # fmt: skip


def _reading(one: blind.Reading) -> tuple[str, ...]:
    return (
        one.reader or "not named",
        str(one.pairs),
        str(one.wins),
        str(one.losses),
        p_value(one.p),
        *(_share(uses[side]) for uses in (one.useful, one.passable) for side in SIDES),
    )


def _share(one: Interval) -> str:
    return interval({"value": one.value, "low": one.low, "high": one.high}, 2)


def heads(models: Path) -> Iterator[str]:
    yield "## Score heads"
    yield ""
    rows = []
    for path in sorted(models.glob("**/*.npz")):
        figures = path.with_suffix(".json")
        if not figures.exists():
            continue
        one = RunDirectory(models).read_json(figures)
        agreement, pairs = one["agreement"], one["pairs"]
        correlations, errors = agreement["spearman"], agreement["error"]
        rows.append(
            (
                path.name,
                one["model"],
                str(agreement["notes"]),
                ", ".join(f"{name} {value:.2f}" for name, value in correlations.items()),
                number(fmean(correlations.values()), 2),
                number(fmean(errors.values()), 2),
                f"{pairs['right']} of {pairs['pairs']}",
            )
        )
    if not rows:
        yield "No score head was trained."
        yield ""
        return
    yield "The figures are cross-validated, with both notes of a contrast pair in one fold:"
    yield ""
    yield from table(
        (
            "head",
            "model",
            "notes",
            "Spearman",
            "mean",
            "mean absolute error",
            "pairs in the right order",
        ),
        rows,
    )
