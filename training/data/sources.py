"""Reads the sources of a config row by row: files, and data sets of the Hugging Face hub.

An invalid row, or one without an answer or a licence, is an error that names the file and the row.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import datasets
import pyarrow.parquet
from pydantic import TypeAdapter, ValidationError

from service.analysis.calibration.notes import LabelledNote, groups_of
from training.config import SourceConfig, SourceKind
from training.data.forms import FORMS
from training.data.graded import GradedDrafts, graded_rows
from training.data.labelled import contrasts_of
from training.data.rows import OWN_TASKS, Row, name_of
from training.data.tasks import (
    BrainstormRecord,
    EvaluateRecord,
    Origin,
    Record,
    Rendered,
    read_record,
    render,
)
from training.data.texts import normal
from training.errors import DataProblem

OWN_DATA = Path(__file__).resolve().parents[1] / "datasets"
OWN_LICENCE = "CC0-1.0"
LICENCES = {"dolly": "CC-BY-SA-3.0"}
"""The licence of all rows of a kind."""
OTHER_CATEGORY = "not in `categories`"
OUTSIDE_SHARE = "outside the share of `weight`"
SUFFIXES = (".jsonl", ".parquet")
_FRACTIONS = 2**64
RecordT = TypeVar("RecordT")


@dataclass(frozen=True, slots=True)
class SourceRows:
    """The rows of a source. `skipped` counts the rows that were skipped, by reason."""

    source: SourceConfig
    rows: tuple[Rendered, ...]
    skipped: Mapping[str, int]

    @property
    def is_cut(self) -> bool:
        """Whether reading stopped after the source's `first` rows."""
        return len(self.rows) == self.source.first


@dataclass(frozen=True, slots=True)
class RawRecord:
    """`file` is a path or the name of a data set; `number` counts from 1."""

    file: str
    number: int
    data: Mapping[str, Any]


def read_source(source: SourceConfig) -> SourceRows:
    """The rows in the order of the source, up to `first`. Raises `DataProblem`."""
    rows: list[Rendered] = []
    skipped: Counter[str] = Counter()
    for one in _READERS.get(source.kind, _chat_rows)(source):
        if one is None:
            skipped[OTHER_CATEGORY] += 1
        elif fraction("weight", one.row.group) >= source.weight:
            skipped[OUTSIDE_SHARE] += 1
        else:
            rows.append(one)
        if len(rows) == source.first:
            break
    return SourceRows(source, tuple(rows), skipped)


def place_of(source: SourceConfig) -> str:
    return f"{source.hub} {source.split}" if source.path is None else str(source.path)


def raw_records(path: Path) -> Iterator[RawRecord]:
    """The records of a file, or of all files of a folder, sorted by name. Raises `DataProblem`."""
    files = [path]
    if path.is_dir():
        files = sorted(one for one in path.rglob("*") if one.suffix in SUFFIXES)
    if not files or any(one.suffix not in SUFFIXES for one in files):
        raise DataProblem(f"rows can only be read from {' and '.join(SUFFIXES)} files.", path=path)
    for file in files:
        yield from _lines(file) if file.suffix == ".jsonl" else _table(file)


def fraction(*parts: object) -> float:
    """A pseudo-random number in [0, 1) that depends only on `parts`, on every machine."""
    digest = hashlib.sha256(":".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") / _FRACTIONS


def _chat_rows(source: SourceConfig) -> Iterator[Rendered | None]:
    """Yields None for a row of another category."""
    form = FORMS[source.kind]
    name = source.hub or (source.path.name if source.path is not None else "")
    for raw in _of_hub(source) if source.path is None else raw_records(source.path):
        if source.categories and raw.data.get("category") not in source.categories:
            yield None
            continue
        try:
            messages = form(raw.data)
        except DataProblem as error:
            raise DataProblem(error.detail, path=raw.file, row=raw.number) from error
        first = next(message.content for message in messages if message.role == "user")
        group = hashlib.sha256(normal(first).encode()).hexdigest()[:16]
        origin = raw.data.get("source")
        yield Rendered(
            Row(
                id=_chat_id(source, raw),
                task=source.task,
                messages=messages,
                source=f"{name}:{origin}" if isinstance(origin, str) and origin else name,
                licence=_licence(raw, source),
                group=group,
                answers="last" if source.task in OWN_TASKS else "all",
            )
        )


def _chat_id(source: SourceConfig, raw: RawRecord) -> str:
    """Includes the file or split, because rows are numbered in each; has no absolute path."""
    if source.path is None:
        return f"{source.hub}:{source.split}-{raw.number}"
    folder = source.path if source.path.is_dir() else source.path.parent
    return f"{Path(raw.file).relative_to(folder.parent).as_posix()}-{raw.number}"


def typed_records(path: Path, kind: type[RecordT]) -> Iterator[tuple[RawRecord, RecordT]]:
    """Yields records validated as `kind`. Raises `DataProblem` with the line and the field."""
    adapter = TypeAdapter(kind)
    for raw in raw_records(path):
        try:
            yield raw, adapter.validate_python(raw.data)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise DataProblem(f"{where}: {first['msg']}.", path=raw.file, row=raw.number) from error


def _own_rows(source: SourceConfig) -> Iterator[Rendered]:
    assert source.path is not None
    folder = source.path if source.path.is_dir() else source.path.parent
    found = False
    for task in dict.fromkeys(source.tasks):
        path = folder / f"{task}.jsonl" if source.path.is_dir() else source.path
        if not path.exists():
            continue
        # Records of one task, so that a note is grouped only with notes of its kind.
        records = [(raw, record) for raw, record in _records(path) if record.task == task]
        groups = _groups([record for _, record in records], folder)
        for (raw, record), group in zip(records, groups, strict=True):
            found = True
            source_name = name_of(path)
            if record.source:
                source_name = f"{source_name}:{record.source}"
            origin = Origin(source_name, _licence(raw, source), group)
            yield from render(record, f"{folder.name}/{record.id}", origin)
    if not found:
        raise DataProblem(f"there are no records for {', '.join(source.tasks)}.", path=source.path)


def _graded_rows(source: SourceConfig) -> Iterator[Rendered]:
    assert source.path is not None
    for raw, drafts in typed_records(source.path, GradedDrafts):
        yield from graded_rows(drafts, Path(raw.file), _licence(raw, source))


def _records(path: Path) -> Iterator[tuple[RawRecord, Record]]:
    for raw in raw_records(path):
        try:
            yield raw, read_record(raw.data)
        except DataProblem as error:
            raise DataProblem(error.detail, path=raw.file, row=raw.number) from error


def _groups(records: Sequence[Record], folder: Path) -> list[str]:
    """The group of each record: ideas on one topic and notes on one subject stay together."""
    asked = [
        one.topic if isinstance(one, BrainstormRecord) else f"{one.title} {one.body}"
        for one in records
    ]
    notes = [
        LabelledNote.model_construct(id=one.id, title=one.title, body=one.body, scores={})
        for one in records
        if isinstance(one, EvaluateRecord)
    ]
    first_of = groups_of(notes, contrasts_of(notes, [folder])) if notes else range(len(records))
    return [normal(asked[first]) for first in first_of]


def _licence(raw: RawRecord, source: SourceConfig) -> str:
    own = raw.data.get("licence") or raw.data.get("license")
    found = own if isinstance(own, str) else source.licence or _known_licence(source)
    if not found:
        raise DataProblem(
            "the row has no licence; set the `licence` of its source.",
            path=raw.file,
            row=raw.number,
        )
    return found


def _known_licence(source: SourceConfig) -> str | None:
    if source.path is not None and source.path.resolve().is_relative_to(OWN_DATA):
        return OWN_LICENCE
    return LICENCES.get(source.kind)


def _of_hub(source: SourceConfig) -> Iterator[RawRecord]:
    assert source.hub is not None
    try:
        rows = datasets.load_dataset(source.hub, split=source.split)
    except Exception as error:
        # The library raises anything from OSError to plain exceptions.
        raise DataProblem(
            f"cannot be fetched from the hub ({error}). Set `path` to a local copy.",
            path=source.hub,
        ) from error
    for number, row in enumerate(rows, start=1):
        yield RawRecord(source.hub, number, row)


def _lines(path: Path) -> Iterator[RawRecord]:
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield RawRecord(str(path), number, _object(line, path, number))
    except OSError as error:
        raise DataProblem(f"cannot be read: {error.strerror}.", path=path) from error


def _object(line: bytes, path: Path, number: int) -> Mapping[str, Any]:
    try:
        value = json.loads(line)
    except ValueError as error:
        raise DataProblem(f"is not JSON: {error}.", path=path, row=number) from error
    if not isinstance(value, dict):
        raise DataProblem("is not a JSON object.", path=path, row=number)
    return value


def _table(path: Path) -> Iterator[RawRecord]:
    number = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as table:
            for batch in table.iter_batches():
                for row in batch.to_pylist():
                    number += 1
                    yield RawRecord(str(path), number, row)
    except (OSError, pyarrow.ArrowException) as error:
        raise DataProblem(f"is not a Parquet file: {error}.", path=path) from error


_READERS: Mapping[SourceKind, Callable[[SourceConfig], Iterator[Rendered | None]]] = {
    "ideation": _own_rows,
    "graded": _graded_rows,
}
