"""Which notes are about one subject, such as the two halves of a contrast pair.

They begin alike or share much of their wording; both halves stay on one side of any split.
"""

import re
from collections.abc import Sequence

from service.analysis.word_overlap import resemblance

ALIKE = 0.3
"""Notes on different subjects of the ideation set reach 0.27."""
OPENING_WORDS = 3


def subjects(notes: Sequence[str]) -> tuple[int, ...]:
    """For each note the position of the first note on its subject."""
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
