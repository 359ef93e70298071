"""What changed from one text to another, word by word; pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Literal

Kind = Literal["same", "removed", "added"]
# A word with the blanks after it, or a break between lines with the blanks around it.
_TOKEN = re.compile(r"[^\S\n]*\n\s*|[^\s]+[^\S\n]*")
# One word that two changes have in common only breaks the reading: it is taken into the change.
LONE_WORDS = 1


@dataclass(frozen=True, slots=True)
class Piece:
    kind: Kind
    text: str


@lru_cache(maxsize=64)
def word_diff(before: str, after: str) -> tuple[Piece, ...]:
    """Pieces that give `before` without the added ones and `after` without the removed ones,
    but for blanks; what is removed stands before what replaces it.
    """
    old, new = _TOKEN.findall(before), _TOKEN.findall(after)
    # With the automatic treatment of frequent words left on, no text can make this slow.
    matcher = SequenceMatcher(None, list(map(_key, old)), list(map(_key, new)))
    changes = [
        (tag == "equal", old[i1:i2], new[j1:j2]) for tag, i1, i2, j1, j2 in matcher.get_opcodes()
    ]
    return tuple(_pieces(_without_lone_words(changes)))


_Change = tuple[bool, list[str], list[str]]


def _without_lone_words(changes: list[_Change]) -> list[_Change]:
    kept: list[_Change] = []
    for place, (is_same, old, new) in enumerate(changes):
        is_between = 0 < place < len(changes) - 1
        is_lone = is_same and is_between and len(new) <= LONE_WORDS and "\n" not in "".join(new)
        if kept and not kept[-1][0] and (is_lone or not is_same):
            _, old_before, new_before = kept.pop()
            kept.append((False, old_before + old, new_before + new))
        else:
            kept.append((is_same, old, new))
    return kept


def _pieces(changes: Iterable[_Change]) -> Iterable[Piece]:
    for is_same, old, new in changes:
        if is_same:
            # The last word is parted from whatever follows it in either text.
            yield Piece("same", "".join([*new[:-1], max(new[-1], old[-1], key=len)]))
            continue
        if old:
            yield Piece("removed", "".join(old))
        if new:
            yield Piece("added", "".join(new))


def _key(token: str) -> str:
    return token.strip(" \t") if "\n" not in token else "\n" * min(token.count("\n"), 2)
