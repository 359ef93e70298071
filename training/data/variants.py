"""Adds sentences to notes that say nothing about the idea, or only praise it.

Such sentences should not change a score. Training and tests use different sentences.
"""

from collections.abc import Sequence
from random import Random

from training.data.labelled import Note

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
FILLER = (
    " This note was written on a Tuesday afternoon and copied here by hand. "
    "There is another one on the next page."
)
"""Used only for tests, never for training."""


def padded(notes: Sequence[Note], seed: int = 0) -> list[tuple[int, Note]]:
    """The position of each note and a longer copy, once with neutral sentences, once with praise."""
    random = Random(seed)
    return [
        (position, _with(note, random.sample(sentences, random.randint(1, MOST_ADDED))))
        for sentences in (NEUTRAL, PRAISE)
        for position, note in enumerate(notes)
    ]


def _with(note: Note, sentences: Sequence[str]) -> Note:
    return Note(title=note.title, body=" ".join([note.body, *sentences]).strip())
