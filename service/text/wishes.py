"""Checks what a request to rewrite a note asks for, as far as that can be checked. It is pure.

English requests only: others ask for the same in words that these rules do not know.
"""

import re
from collections.abc import Iterator

from service.messages import Text
from service.text.cleaning import count_words
from service.text.preserved_facts import left_out

# A text that lost fewer words than this does not read as shorter.
SHORTER = 0.85
_ASKS_SHORTER = re.compile(r"\b(shorter|shorten|briefer|more concise|condense|half as long)\b")
_ASKS_LONGER = re.compile(r"\b(longer|lengthen|expand|more details?)\b")
_MOST = re.compile(
    r"\b(?:at most|no more than|under|within|max(?:imum)?|in) (\d+) (words|sentences)\b"
)
_FIRST_STEP = re.compile(r"\bfirst step\b")
_RISK = re.compile(r"\brisks?\b")
_TAKES_AWAY = re.compile(
    r"\b(remove|delete|drop|cut|omit|without|avoid|replace|instead of|leave out|not|don't|no)\b"
)
_SENTENCE_END = re.compile(r"[.!?]+(?:\s|$)")


def unmet(wish: str, note: str, written: str) -> tuple[str, ...]:
    """Returns what the wish asks for and `written` lacks, in a few words each."""
    return tuple(dict.fromkeys(_unmet(wish, note, written)))


def _unmet(wish: str, note: str, written: str) -> Iterator[str]:
    asked = wish.casefold()
    words, before = count_words(written), count_words(note)
    limit = _MOST.search(asked)
    if limit is not None:
        counted = words if limit[2] == "words" else len(_SENTENCE_END.findall(written))
        if counted > int(limit[1]):
            yield Text("a shorter text")
    elif _ASKS_SHORTER.search(asked) and words > SHORTER * before:
        yield Text("a shorter text")
    if _ASKS_LONGER.search(asked) and words <= before:
        yield Text("a longer text")
    if _FIRST_STEP.search(asked) and not _FIRST_STEP.search(written.casefold()):
        yield Text("a first step")
    if _RISK.search(asked) and not _RISK.search(written.casefold()):
        yield Text("the main risk")
    if not _TAKES_AWAY.search(asked):
        yield from _named(wish, limit, written)


def _named(wish: str, limit: re.Match[str] | None, written: str) -> Iterator[str]:
    """The numbers and names of the wish that the text lacks."""
    if limit is not None:
        wish = wish[: limit.start()] + wish[limit.end() :]
    yield from left_out(wish, written)
