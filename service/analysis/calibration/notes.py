"""Labelled notes: what a score head is fitted to, and which of them are about one subject.

The notes of `models/labelled-notes` come with the product; training reads further ones of this form.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from service.analysis.checked_files import read_checked
from service.analysis.word_overlap import resemblance
from service.errors import StorageUnavailable
from service.messages import Text
from service.settings import RESOURCES

FOLDER = RESOURCES / "models" / "labelled-notes"
NOTES_SHA256 = "3778e938556a059d7fe3b90274edfc6f07905b971591879796d4313ab0394e7c"
CONTRASTS_SHA256 = "19ecb4489029fbba861e30e13337619fac1647526a8e781abee5a887f4a4d7b8"

ALIKE = 0.3
"""Notes on different subjects of the shipped set reach 0.27."""
OPENING_WORDS = 3

NEUTRAL = (
    "I wrote this down on the bus this morning.",
    "It came up in a conversation last week and I kept it.",
    "The text was typed on a phone, so excuse the layout.",
    "This is entry number seven of my notebook.",
    "More on this another time.",
    "Thank you for reading it to the end.",
)
PRAISE = (
    "This is a great idea.",
    "Nobody has ever thought of anything like it.",
    "It is simply the best solution there is.",
    "Everybody who heard of it was thrilled.",
    "It will change everything.",
    "A truly unique and excellent concept.",
)
MOST_ADDED = 4

Score = Annotated[float, Field(ge=1, le=10)]


class Note(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    title: str
    body: str


class LabelledNote(Note):
    id: Annotated[str, Field(min_length=1)]
    scores: dict[str, Score]


def shipped_notes(folder: Path = FOLDER) -> tuple[tuple[LabelledNote, ...], list[tuple[int, int]]]:
    """The notes that come with the product, and the positions of both notes of each contrast pair.

    Raises: StorageUnavailable if a file is missing or is another one.
    """
    try:
        notes = tuple(
            LabelledNote.model_validate_json(line)
            for line in read_checked(folder / "notes.jsonl", NOTES_SHA256)
        )
        ids = [
            json.loads(line)["ids"]
            for line in read_checked(folder / "contrasts.jsonl", CONTRASTS_SHA256)
        ]
    except (OSError, ValueError) as error:
        raise StorageUnavailable(
            Text(
                "The labelled notes in %(folder)s cannot be read (%(error)s). Install Ideapool again.",
                folder=folder,
                error=error,
            )
        ) from error
    place = {note.id: index for index, note in enumerate(notes)}
    return notes, [(place[first], place[second]) for first, second in ids]


def groups_of(notes: Sequence[Note], contrasts: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """For each note, a number that it shares with the other notes on its subject.

    Notes are on one subject if their words are similar, or if `contrasts` has their positions.
    """
    groups = list(subjects([note.body for note in notes]))
    for one, other in contrasts:
        keep, drop = groups[one], groups[other]
        groups = [keep if group == drop else group for group in groups]
    return tuple(groups)


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


def padded(notes: Sequence[Note], seed: int = 0) -> list[tuple[int, Note]]:
    """The position of each note and a longer copy, once with neutral sentences, once with praise.

    Such sentences should not change a score. Tests use others.
    """
    random = Random(seed)
    return [
        (position, _with(note, random.sample(sentences, random.randint(1, MOST_ADDED))))
        for sentences in (NEUTRAL, PRAISE)
        for position, note in enumerate(notes)
    ]


def _with(note: Note, sentences: Sequence[str]) -> Note:
    return Note(title=note.title, body=" ".join([note.body, *sentences]).strip())
