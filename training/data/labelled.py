"""Notes that train and test a score head: labelled notes, better and worse pairs, praised notes.

Knows no model.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from service.analysis.calibration.notes import LabelledNote, Note
from training.errors import DataProblem

CONTRASTS = "contrasts.jsonl"
"""The file, in a folder of labelled notes, with the pairs that are about one subject."""

NonEmptyText = Annotated[str, Field(min_length=1)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Pair(_Record):
    """Two notes, one of them better in one criterion."""

    id: NonEmptyText
    criterion: NonEmptyText
    better: Note
    worse: Note


class PraisedNote(Note):
    """`praised_body` is the body with only self-praise added."""

    id: NonEmptyText
    praised_body: NonEmptyText


class Contrast(_Record):
    ids: tuple[NonEmptyText, NonEmptyText]


RecordT = TypeVar("RecordT", bound=BaseModel)


def read_labelled(paths: Iterable[Path]) -> list[tuple[LabelledNote, ...]]:
    """The notes of each file, all with labels for the same criteria. Raises `DataProblem`."""
    sets: list[tuple[LabelledNote, ...]] = []
    ids: set[str] = set()
    for path in paths:
        sets.append(read_records(path, LabelledNote))
        first = sets[0][0]
        for number, note in enumerate(sets[-1], start=1):
            if set(note.scores) != set(first.scores) or not note.scores:
                raise DataProblem(
                    f"the note has labels for {', '.join(note.scores) or 'nothing'}, but the first "
                    f"note has them for {', '.join(first.scores)}.",
                    path=path,
                    row=number,
                )
            if note.id in ids:
                raise DataProblem(
                    f"the id {note.id!r} is used by another note.", path=path, row=number
                )
            ids.add(note.id)
    return sets


def read_records(path: Path, kind: type[RecordT]) -> tuple[RecordT, ...]:
    """Raises `DataProblem` for an empty or missing file, or for an invalid line, which it names."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise DataProblem(f"cannot be read: {error.strerror}.", path=path) from error
    adapter = TypeAdapter(kind)
    records: list[RecordT] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            records.append(adapter.validate_json(line))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the line"
            raise DataProblem(f"{where}: {first['msg']}.", path=path, row=number) from error
    if not records:
        raise DataProblem("the file has no records.", path=path)
    return tuple(records)


def contrasts_of(notes: Sequence[LabelledNote], folders: Iterable[Path]) -> list[tuple[int, int]]:
    """The positions of the two notes of each contrast pair. A folder may have no such pairs."""
    place: Mapping[str, int] = {note.id: index for index, note in enumerate(notes)}
    files = [folder / CONTRASTS for folder in dict.fromkeys(folders)]
    return [
        (place[first], place[second])
        for file in files
        if file.exists()
        for first, second in (pair.ids for pair in read_records(file, Contrast))
        if first in place and second in place
    ]
