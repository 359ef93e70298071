"""Notes that train and test a score head: labelled notes, better and worse pairs, praised notes.

It also finds the notes that have to stay in one split. Knows no model.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from service.analysis.word_overlap import resemblance
from training.errors import DataProblem

CONTRASTS = "contrasts.jsonl"
"""The file, in a folder of labelled notes, with the pairs that are about one subject."""

ALIKE = 0.3
"""Notes on different subjects of the ideation set reach 0.27."""
OPENING_WORDS = 3

NonEmptyText = Annotated[str, Field(min_length=1)]
Score = Annotated[float, Field(ge=1, le=10)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Note(_Record):
    title: str
    body: str


class LabelledNote(Note):
    id: NonEmptyText
    scores: dict[str, Score]


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


def groups_of(
    notes: Sequence[LabelledNote], contrasts: Sequence[tuple[int, int]]
) -> tuple[int, ...]:
    """For each note, a number that it shares with the other notes on its subject.

    Notes are on one subject if their words are similar, or if `contrasts` has their positions.
    """
    groups = list(subjects([note.body for note in notes]))
    for one, other in contrasts:
        keep, drop = groups[one], groups[other]
        groups = [keep if group == drop else group for group in groups]
    return tuple(groups)


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


def subjects(notes: Sequence[str]) -> tuple[int, ...]:
    """For each note, the position of the first note on its subject.

    Notes are on one subject if they begin alike or share much of their wording.
    """
    first_of = list(range(len(notes)))
    openings = [_opening(note) for note in notes]
    for later, note in enumerate(notes):
        for earlier in range(later):
            if first_of[earlier] == first_of[later]:
                continue
            begin_alike = bool(openings[later]) and openings[earlier] == openings[later]
            if begin_alike or resemblance(notes[earlier], note) >= ALIKE:
                _join(first_of, first_of[earlier], first_of[later])
    return tuple(first_of)


def _join(first_of: list[int], one: int, other: int) -> None:
    keep, drop = min(one, other), max(one, other)
    first_of[:] = [keep if first == drop else first for first in first_of]


def _opening(note: str) -> tuple[str, ...]:
    words = re.findall(r"[\w']+", note.casefold())[:OPENING_WORDS]
    return tuple(words) if len(words) == OPENING_WORDS else ()
