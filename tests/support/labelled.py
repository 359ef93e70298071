"""Constructed notes: the fake backend embeds the length of a title, and one criterion depends on it."""

import random

from service.analysis.calibration.fitting import Material
from service.analysis.calibration.notes import LabelledNote

NOTES = 60


def material(*criteria: str, chance: tuple[str, ...] = ()) -> Material:
    """Notes whose scores for `criteria` are the length of the title, and for `chance` random."""
    draw = random.Random(1)
    notes = tuple(
        LabelledNote(
            id=f"note-{number}",
            title="x" * (1 + number % 10),
            body=f"{number} {number * 7919} {number * 104729}",
            scores=dict.fromkeys(criteria, 1 + number % 10)
            | {name: draw.randint(1, 10) for name in chance},
        )
        for number in range(NOTES)
    )
    return Material(notes, contrasts=[], padded=[(0, notes[0])])
