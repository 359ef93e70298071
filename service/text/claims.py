"""Keeps what a model claims to have changed only if its words stand in the changes. It is pure."""

import re
from collections.abc import Iterable

from service.text.edits import Note, proposed_edits

_STEM_LENGTH = 4
_WORD = re.compile(rf"\d+|\w{{{_STEM_LENGTH},}}")
# They say that something was changed, and how, but not what. So they prove nothing if they stand there.
_SAYS_NOTHING = frozenset(
    "adde adds addi remo made make maki chan repl rewr writ wrot turn into text note notes idea sent "
    "para word words more less with from that this than then them they thei what when wher which whic "
    "bett clea clar simp shor long impr also over some each such very have does were been will line "
    "list tone spel gram punc styl fixe corr intr begi star ende stor form full".split()
)


def backed(claims: Iterable[str], before: Note, after: Note) -> list[str]:
    """Returns the claims that name something that was added or removed."""
    edits = proposed_edits(before, after)
    changed = " ".join(text for edit in edits for text in (edit.removed, edit.added))
    stems = _stems(changed)
    return [claim for claim in claims if _stems(claim) & stems]


def _stems(text: str) -> set[str]:
    stems = {word[:_STEM_LENGTH] for word in _WORD.findall(text.casefold())}
    return stems - _SAYS_NOTHING
