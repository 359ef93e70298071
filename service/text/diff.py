"""Compares two texts word by word, and counts their changed sentences. It is pure."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import takewhile
from typing import Literal, NamedTuple

from service.text.cleaning import SENTENCE_END

Kind = Literal["same", "removed", "added"]
# A word with the blanks after it, or a line break with the blanks around it.
_TOKEN = re.compile(r"[^\S\n]*\n\s*|[^\s]+[^\S\n]*")
_LINE = re.compile(r"[^\n]*\n\s*|[^\n]+")
_WHOLE = re.compile(r"(?s).+")
# A diff of so many steps takes half a second.
MOST_STEPS = 1_000_000
# A single unchanged word between two changes makes a diff hard to read, so it joins the change.
LONE_WORDS = 1


@dataclass(frozen=True, slots=True)
class Edit:
    """`added` replaces `removed`, which begins at character `start`."""

    start: int
    removed: str
    added: str

    @property
    def end(self) -> int:
        return self.start + len(self.removed)


@dataclass(frozen=True, slots=True)
class Piece:
    kind: Kind
    text: str


@lru_cache(maxsize=64)
def edits_between(before: str, after: str) -> tuple[Edit, ...]:
    """Returns ordered, separate edits that turn `before` into `after`.

    Only blanks between unchanged words may differ. Each edit is bounded by words or line breaks that
    both texts have, so any edit can be left out.
    """
    old, new = _tokens(before, after)
    # `autojunk` stays on: it ignores very frequent words, which would make this slow.
    matcher = SequenceMatcher(None, list(map(_key, old)), list(map(_key, new)))
    blocks = [_Block(tag == "equal", *place) for tag, *place in matcher.get_opcodes()]
    return tuple(
        _edit(
            before,
            _gap(old, block.i1, block.i2, before),
            after,
            _gap(new, block.j1, block.j2, after),
        )
        for block in _without_lone_words(blocks, new)
        if not block.is_same
    )


def apply_edits(before: str, edits: Iterable[Edit]) -> str:
    """Applies ordered edits to `before`."""
    text, at = "", 0
    for edit in edits:
        text += before[at : edit.start] + edit.added
        at = edit.end
    return text + before[at:]


def word_diff(before: str, after: str) -> tuple[Piece, ...]:
    """Returns the pieces of both texts in order; a removed piece comes before its replacement.

    Without the added pieces they give `before`. Without the removed pieces they give `after`, except
    for blanks.
    """
    pieces, at = [], 0
    for edit in edits_between(before, after):
        pieces += [Piece("same", before[at : edit.start]), Piece("removed", edit.removed)]
        pieces.append(Piece("added", edit.added))
        at = edit.end
    pieces.append(Piece("same", before[at:]))
    return tuple(piece for piece in pieces if piece.text)


class SentenceCounts(NamedTuple):
    changed: int
    added: int
    removed: int


def count_sentences(before: str, after: str) -> SentenceCounts:
    """How many sentences, or lines such as titles and points, are not as they were."""
    old, new = _sentences(before), _sentences(after)
    changed = added = removed = 0
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, old, new).get_opcodes():
        if tag != "equal":
            both = min(i2 - i1, j2 - j1)
            changed, added, removed = (
                changed + both,
                added + (j2 - j1) - both,
                removed + (i2 - i1) - both,
            )
    return SentenceCounts(changed, added, removed)


def _sentences(text: str) -> list[str]:
    found = []
    for line in text.splitlines():
        at = 0
        for end in SENTENCE_END.finditer(line):
            found.append(line[at : end.end()])
            at = end.end()
        found.append(line[at:])
    # What closes a quotation is no sentence of its own.
    return [" ".join(one.split()) for one in found if any(map(str.isalnum, one))]


def _tokens(before: str, after: str) -> list[list[re.Match[str]]]:
    """Words, or the whole lines or the whole texts where words, or lines, would take too long."""
    for unit in (_TOKEN, _LINE):
        tokens = [list(unit.finditer(text)) for text in (before, after)]
        if _steps(*(list(map(_key, each)) for each in tokens)) <= MOST_STEPS:
            return tokens
    return [list(_WHOLE.finditer(text)) for text in (before, after)]


def _steps(old: Sequence[str], new: Sequence[str]) -> int:
    """How many pairs of equal tokens two texts have, without those that `autojunk` ignores."""
    counts = Counter(new)
    most = len(new) // 100 + 1 if len(new) >= 200 else len(new)
    return sum(
        number * counts[token] for token, number in Counter(old).items() if counts[token] <= most
    )


class _Block(NamedTuple):
    """Tokens i1 to i2 of the old text, and j1 to j2 of the new text."""

    is_same: bool
    i1: int
    i2: int
    j1: int
    j2: int


def _without_lone_words(blocks: list[_Block], new: Sequence[re.Match[str]]) -> list[_Block]:
    kept: list[_Block] = []
    for place, block in enumerate(blocks):
        is_between = 0 < place < len(blocks) - 1
        words = [match[0] for match in new[block.j1 : block.j2]]
        is_lone = block.is_same and is_between and len(words) <= LONE_WORDS
        is_lone = is_lone and "\n" not in "".join(words)
        if kept and not kept[-1].is_same and (is_lone or not block.is_same):
            first = kept.pop()
            kept.append(_Block(False, first.i1, block.i2, first.j1, block.j2))
        else:
            kept.append(block)
    return kept


def _gap(tokens: Sequence[re.Match[str]], first: int, last: int, text: str) -> tuple[int, int]:
    """Returns start and end of the tokens, including the blanks around them."""
    start = 0
    if first > 0:
        before = tokens[first - 1]
        start = before.end() if "\n" in before[0] else before.start() + len(before[0].rstrip())
    return start, tokens[last].start() if last < len(tokens) else len(text)


def _edit(before: str, old_gap: tuple[int, int], after: str, new_gap: tuple[int, int]) -> Edit:
    """Makes an edit without the blanks that both texts share at its start and end."""
    removed, added = before[slice(*old_gap)], after[slice(*new_gap)]
    lead = _shared_blanks(removed, added)
    removed, added = removed[lead:], added[lead:]
    tail = _shared_blanks(removed[::-1], added[::-1])
    return Edit(old_gap[0] + lead, removed[: len(removed) - tail], added[: len(added) - tail])


def _shared_blanks(one: str, other: str) -> int:
    """Counts the blanks that both texts begin with."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1] and pair[0].isspace(), pairs))


def _key(token: re.Match[str]) -> str:
    text = token[0]
    return text.strip(" \t\n") or "\n" * min(text.count("\n"), 2)
