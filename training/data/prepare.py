"""Prepares the training, validation and test rows from the sources of a config.

Rows are read and filtered, duplicates and evaluation prompts are removed, and then the rest is split.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from service.engine.files.checksums import sha256_of
from training.config import DataConfig, RunConfig, SourceConfig, is_non_commercial
from training.data.decontamination import evaluation_files, without_evaluation_prompts
from training.data.duplicates import without_nearly_same, without_same
from training.data.filters import Likelihood, keep_good, keep_likely
from training.data.rows import Dropped, Row, read_rows, write_rows
from training.data.sources import SourceRows, fraction, place_of, read_source
from training.data.split import SPLITS, Split, divide
from training.data.summary import as_markdown, summarise
from training.errors import DataProblem, Report
from training.runs.run_directory import RunDirectory

SAMPLES = 4
ShowRow = Callable[[Row], str]
"""Shows a row as a model reads it, with the learnt parts between ⟦ and ⟧."""


@dataclass(frozen=True, slots=True)
class Prepared:
    train: tuple[Row, ...]
    validation: tuple[Row, ...]
    test: tuple[Row, ...]
    sha256: dict[str, str]

    def split(self, name: Split) -> tuple[Row, ...]:
        by_name: Mapping[Split, tuple[Row, ...]] = {
            "train": self.train,
            "validation": self.validation,
            "test": self.test,
        }
        return by_name[name]


@dataclass(frozen=True, slots=True)
class Selected:
    """The rows to split, and those that were dropped."""

    rows: tuple[Row, ...]
    dropped: tuple[Dropped, ...]
    taken: tuple[SourceRows, ...]
    evaluation_sets: tuple[Path, ...]

    @property
    def repeats(self) -> dict[str, float]:
        return {
            row.row.id: one.source.weight
            for one in self.taken
            for row in one.rows
            if one.source.weight > 1
        }

    @property
    def held_out(self) -> set[str]:
        return {row.row.id for one in self.taken for row in one.rows if one.source.held_out}


def prepare(
    config: RunConfig,
    rundir: RunDirectory,
    *,
    report: Report,
    likelihood: Likelihood | None = None,
    show: ShowRow | None = None,
) -> Prepared:
    """Writes the rows and a report on them to the run's directory.

    Raises `DataProblem` for an invalid row, a row without an answer or a licence, an id that is used
    twice, an empty split, limits that leave no rows of a source, or, with `export.catalog`, rows with a
    non-commercial licence.
    """
    selected = select(config, report=report, likelihood=likelihood)
    splits, beyond = divide(selected.rows, config.data, selected.held_out)
    _check_filled(splits, config.data)
    _check_limits(splits["train"], beyond, selected.taken)
    if config.export.catalog is not None:
        check_licences(row for name in SPLITS for row in splits[name])
    splits["train"] = _repeated(splits["train"], selected.repeats)
    hashes = {str(name): write_rows(rundir.rows(name), splits[name]) for name in SPLITS}
    samples = [show(row) for row in _one_of_each_task(splits["train"])] if show is not None else []
    summary = summarise(
        {str(name): rows for name, rows in splits.items()},
        [*selected.dropped, *beyond],
        samples,
        taken=selected.taken,
        evaluation_sets=selected.evaluation_sets,
    )
    rundir.write_json(rundir.data / "report.json", {**summary, "sha256": hashes})
    rundir.write_text(rundir.data / "report.md", as_markdown(config.name, summary))
    report(", ".join(f"{len(splits[name]):,} {name} rows" for name in SPLITS))
    return Prepared(
        tuple(splits["train"]), tuple(splits["validation"]), tuple(splits["test"]), hashes
    )


def read_prepared(rundir: RunDirectory) -> Prepared:
    """Reads the rows that `prepare` has written. Raises `DataProblem` if they are missing."""
    rows = {name: read_rows(rundir.rows(name)) for name in SPLITS}
    hashes = {str(name): sha256_of(rundir.rows(name)) for name in SPLITS}
    return Prepared(rows["train"], rows["validation"], rows["test"], hashes)


def check_licences(rows: Iterable[Row]) -> None:
    """Raises `DataProblem` if a model trained on the rows cannot be shipped.

    This cannot be seen from the config, because a row's own licence overrides that of its source.
    """
    found = Counter((row.source, row.licence) for row in rows if is_non_commercial(row.licence))
    if found:
        listing = ", ".join(
            f"{count:,} rows of {source} ({licence})" for (source, licence), count in found.items()
        )
        raise DataProblem(
            f"{listing} are non-commercial. A model trained on them cannot be shipped, so leave out "
            "these rows or `export.catalog`."
        )


def _check_limits(
    train: Iterable[Row], beyond: Iterable[Dropped], taken: Iterable[SourceRows]
) -> None:
    """Raises `DataProblem` if the limits of rows leave out all rows of a source and task."""
    parts = {
        one.row.id: f"{place_of(read.source)} ({one.row.task})"
        for read in taken
        if not read.source.held_out
        for one in read.rows
    }
    learnt = {parts[row.id] for row in train}
    cut = [parts[one.row.id] for one in beyond if one.row.id in parts]
    lost = Counter(part for part in cut if part not in learnt)
    if lost:
        listing = " and ".join(f"the {count:,} rows of {part}" for part, count in lost.items())
        raise DataProblem(
            f"`data.train_rows` and the other limits keep only the first rows, and so none of "
            f"{listing}. Limit each source by its own `first` or `weight`, or leave it out."
        )


def select(run: RunConfig, *, report: Report, likelihood: Likelihood | None) -> Selected:
    """Reads, filters and deduplicates the rows. Raises `DataProblem`."""
    config = run.data
    if config.filters.needs_likelihood and likelihood is None:
        raise DataProblem("`ifd_max` and `plainest_share` need the base model.")
    taken = tuple(_read(source, report) for source in config.sources)
    _check_ids(taken)
    rendered = [row for one in taken for row in one.rows]
    rows, dropped = keep_good(rendered, config.filters)
    steps: list[Callable[[Sequence[Row]], tuple[list[Row], list[Dropped]]]] = []
    if config.duplicates.exact:
        steps.append(without_same)
    if config.duplicates.near:
        steps.append(lambda rows: without_nearly_same(rows, config.duplicates.near))
    sets = tuple(dict.fromkeys((*evaluation_files(run.evaluation), *config.decontaminate)))
    steps.append(lambda rows: without_evaluation_prompts(rows, sets))
    if likelihood is not None and config.filters.needs_likelihood:
        # This comes last because it takes the longest.
        steps.append(lambda rows: keep_likely(rows, config.filters, likelihood))
    for step in steps:
        rows, gone = step(rows)
        dropped += gone
        report(f"{len(rows):,} rows left")
    return Selected(tuple(rows), tuple(dropped), taken, sets)


def _read(source: SourceConfig, report: Report) -> SourceRows:
    taken = read_source(source)
    if not taken.rows:
        raise DataProblem("the source has no rows.", path=source.path or source.hub)
    report(f"{len(taken.rows):,} rows from {place_of(source)}")
    return taken


def _check_ids(taken: Sequence[SourceRows]) -> None:
    """Ids have to be unique, because everything about a row is recorded by its id."""
    places: dict[str, str] = {}
    for one in taken:
        place = place_of(one.source)
        for rendered in one.rows:
            if (row := rendered.row).id in places:
                raise DataProblem(
                    f"the id is already used by a row of {places[row.id]}. Name each source once, give "
                    "every record its own id, and give folders different names.",
                    path=place,
                    row=row.id,
                )
            places[row.id] = place


def _check_filled(splits: Mapping[Split, Sequence[Row]], config: DataConfig) -> None:
    needed: dict[Split, bool] = {
        "train": True,
        "validation": config.validation_share > 0,
        "test": config.test_share > 0,
    }
    empty = [name for name, is_needed in needed.items() if is_needed and not splits[name]]
    if empty:
        raise DataProblem(
            f"No rows are left for {' and '.join(empty)}. Add data, or relax `data.filters` and "
            "`data.duplicates`."
        )


def _repeated(rows: Sequence[Row], weights: Mapping[str, float]) -> list[Row]:
    """Repeats each row as often as its weight says. A fraction repeats that share of the rows."""
    repeated: list[Row] = []
    for row in rows:
        weight = weights.get(row.id, 1.0)
        times = int(weight) + (fraction("repeat", row.id) < weight % 1)
        repeated += [row, *(replace(row, id=f"{row.id}#{n}") for n in range(2, times + 1))]
    return repeated


def _one_of_each_task(rows: Sequence[Row]) -> list[Row]:
    first: dict[str, Row] = {}
    for row in rows:
        first.setdefault(row.task, row)
    return list(first.values())[:SAMPLES]
