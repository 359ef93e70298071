"""What the project wants of its models, and whether what was found comes up to it. Measures nothing.

What has no figure is not measured; nothing is estimated.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from statistics import fmean

from service.engine.catalog import Catalog, CatalogModel
from training.evaluation.blind import Reading
from training.evaluation.evaluation_text import Values, number, percent, table
from training.export.parity import LIMITS
from training.report.found import Found, Run
from training.report.serving_text import readings
from training.runs.run_directory import RunDirectory


@dataclass(frozen=True, slots=True)
class Figures:
    """What targets are held against; `served` is what the catalog has."""

    found: Found
    served: tuple[CatalogModel, ...]

    def evaluated(self, of_set: str | None = None) -> Iterator[tuple[Run, Values]]:
        """Runs with their evaluation; only those on a base of the set, if one is given."""
        bases = {one.name for one in self.served if one.set == of_set}
        for run, evaluation in self.found.evaluated:
            if of_set is None or run.base in bases:
                yield run, evaluation

    def heads(self, of_set: str) -> Iterator[tuple[str, Values]]:
        """The figures of the set's score heads, by file."""
        for one in self.served:
            if one.set == of_set and one.score_head is not None:
                path = one.score_head.path.with_suffix(".json")
                if path.exists():
                    yield path.stem, RunDirectory(path.parent).read_json(path)


@dataclass(frozen=True, slots=True)
class Finding:
    """`is_met` is None where what was measured is not what the target asks for."""

    where: str
    figure: str
    is_met: bool | None


@dataclass(frozen=True, slots=True)
class Target:
    title: str
    find: Callable[[Figures], Iterator[Finding]]


def targets(found: Found, catalog: Catalog | None) -> Iterator[str]:
    yield "## Targets"
    yield ""
    yield (
        "Against what the runs have found, one line for each. That a run which goes on equals a straight "
        "one is held by a test; what packing saves is measured by `python -m tests.bench.bench_training`."
    )
    yield ""
    figures, rows = Figures(found, catalog.model if catalog is not None else ()), []
    for target in _targets():
        findings = list(target.find(figures)) or [Finding("–", "–", None)]
        rows += [(target.title, one.where, one.figure, _in_a_word(one)) for one in findings]
    yield from table(("target", "found of", "figure", ""), rows)


def _in_a_word(one: Finding) -> str:
    return {True: "met", False: "missed", None: "not measured"}[one.is_met]


def _targets() -> tuple[Target, ...]:
    """All of them. What `export` refuses has its limits where it is refused."""
    return (
        _form("standard", 0.95),
        _distinct("standard", of=10),
        _useful_ideas("standard", 0.5, more=0.2),
        _form("small", 0.97),
        _likelihood("refine", -0.2),
        _likelihood("evaluate", -0.2),
        _useful_refinements(),
        _retention(0.02),
        _head_agreement("small", 0.57),
        _head_agreement("standard", 0.63),
        *(_head_error(name, 1.45) for name in ("small", "standard")),
        *(_head_choices(name, 0.87) for name in ("small", "standard")),
        _gain(-0.01, seeds=3),
        _parity("f16"),
        _parity("q4_k_m"),
    )


def _form(of_set: str, least: float) -> Target:
    def find(figures: Figures) -> Iterator[Finding]:
        for run, evaluation in figures.evaluated(of_set):
            form = evaluation["comparison"]["form"]
            if form["n"]:
                figure = f"{_share(form['tuned'])} of {form['n']} prompts"
                yield Finding(run.name, figure, form["tuned"] >= least)

    return Target(f"{of_set}: raw ideas in the asked form, {_share(least)}", find)


def _distinct(of_set: str, *, of: int) -> Target:
    def find(figures: Figures) -> Iterator[Finding]:
        for run, evaluation in figures.evaluated(of_set):
            drafts = evaluation["ideas_per_prompt"]
            for name, metrics in evaluation["comparison"]["ideas"].items():
                one = metrics["distinct"]
                figure = (
                    f"{number(one['tuned'], 2)} against {number(one['base'], 2)} of {drafts} for "
                    f"{one['n']} {name}"
                )
                is_met = one["tuned"] >= one["base"] if drafts == of else None
                yield Finding(run.name, figure, is_met)

    return Target(f"{of_set}: distinct ideas of {of}, not below the base", find)


def _useful_ideas(of_set: str, least: float, *, more: float) -> Target:
    def find(figures: Figures) -> Iterator[Finding]:
        for where, one, base, tuned in _read_blind(figures.evaluated(of_set), "ideas"):
            figure = f"{_share(tuned)} against {_share(base)} of {one.pairs}"
            yield Finding(where, figure, tuned >= least and tuned - base >= more)

    title = f"{of_set}: useful ideas, read blind, {_share(least)} and {100 * more:.0f} points more"
    return Target(title, find)


def _useful_refinements() -> Target:
    def find(figures: Figures) -> Iterator[Finding]:
        for where, one, base, tuned in _read_blind(figures.evaluated(), "refinements"):
            figure = (
                f"{_share(tuned)} against {_share(base)} of {one.pairs}; better {one.wins} to "
                f"{one.losses}"
            )
            yield Finding(where, figure, tuned > base)

    return Target("useful refinements, read blind, more than the base's", find)


def _read_blind(
    evaluated: Iterable[tuple[Run, Values]], kind: str
) -> Iterator[tuple[str, Reading, float, float]]:
    """By run and reader, with the shares that were useful of the base's and of the tuned model's."""
    for run, _ in evaluated:
        for place, one in enumerate(readings(run, kind), start=1):
            useful = one.useful
            yield f"{run.name}, reader {place}", one, useful["base"].value, useful["tuned"].value


def _likelihood(task: str, most: float) -> Target:
    def find(figures: Figures) -> Iterator[Finding]:
        for run, evaluation in figures.evaluated():
            one = evaluation["comparison"]["likelihoods"].get(task)
            if one is not None:
                yield _changed(run.name, one, most)

    return Target(
        f"NLL of held-out `{task}` rows against the base's, {percent(most, 0)} or lower", find
    )


def _retention(most: float) -> Target:
    def find(figures: Figures) -> Iterator[Finding]:
        for run, evaluation in figures.evaluated():
            likelihoods = evaluation["comparison"]["likelihoods"]
            for task in run.held_out_tasks("dolly"):
                if task in likelihoods:
                    yield _changed(run.name, likelihoods[task], most)

    return Target(
        f"bits a byte of Dolly's held-out rows against the base's, {percent(most, 0)} at most", find
    )


def _changed(where: str, one: Values, most: float) -> Finding:
    change = one["change"]
    low, high = percent(change["low"]), percent(change["high"])
    figure = f"{percent(change['value'])} [{low}, {high}] over {one['base']['rows']} rows"
    return Finding(where, figure, change["value"] <= most)


def _head_agreement(of_set: str, least: float) -> Target:
    def find(figures: Figures) -> Iterator[Finding]:
        for where, one in _by_labels(figures, of_set):
            value = fmean(one["spearman"].values())
            figure = f"{number(value)} over {one['notes']} notes"
            yield Finding(where, figure, value >= least)

    return Target(f"{of_set}: Spearman of the score head, {least} on average", find)


def _head_error(of_set: str, most: float) -> Target:
    def find(figures: Figures) -> Iterator[Finding]:
        for where, one in _by_labels(figures, of_set):
            value = fmean(one["error"].values())
            yield Finding(where, f"{number(value)} over {one['notes']} notes", value <= most)

    return Target(f"{of_set}: mean absolute error of the score head, {most} at most", find)


def _head_choices(of_set: str, least: float) -> Target:
    def find(figures: Figures) -> Iterator[Finding]:
        for name, one in figures.heads(of_set):
            right, pairs = one["pairs"]["right"], one["pairs"]["pairs"]
            yield Finding(name, f"{right} of {pairs}", right / pairs >= least)

    return Target(f"{of_set}: pairs that the score head has right, {_share(least)}", find)


def _by_labels(figures: Figures, of_set: str) -> Iterator[tuple[str, Values]]:
    """For each set of labels apart: over sets of different level a correlation rises by itself."""
    for name, one in figures.heads(of_set):
        by_set = one.get("agreement_by_set")
        if by_set is None:
            yield name, one["agreement"]
        else:
            yield from ((f"{name}, {labels}", found) for labels, found in by_set.items())


def _gain(most: float, *, seeds: int) -> Target:
    def find(figures: Figures) -> Iterator[Finding]:
        for name, sweep in figures.found.sweeps.items():
            gain = (sweep.ranking or {}).get("gain")
            if gain is not None:
                change, low, high = (percent(gain[key]) for key in ("change", "low", "high"))
                figure = f"{change} [{low}, {high}], {gain['seeds']} seeds, {gain['rows']} rows"
                is_lower = gain["change"] <= most and gain["high"] < 0
                yield Finding(name, figure, is_lower if gain["seeds"] >= seeds else None)

    title = f"a sweep's best against the recipe it began with: test NLL {percent(most, 0)}"
    return Target(f"{title} or lower, interval below 0, {seeds} seeds", find)


def _parity(kind: str) -> Target:
    def find(figures: Figures) -> Iterator[Finding]:
        for run in figures.found.every_run:
            if run.parity is not None:
                for one in (*run.parity.files, *run.parity.refused):
                    if one.kind == kind:
                        yield Finding(run.name, percent(one.change, 2), one.is_like)

    return Target(f"NLL of an exported {kind}, within {100 * LIMITS[kind]:g} %", find)


def _share(value: float) -> str:
    return f"{100 * value:.0f} %"
