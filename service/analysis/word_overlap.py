"""Similarity of two texts by the words that they share. Knows neither meanings nor boards.

Content words are compared as sets, so order, case, plurals and common endings do not matter.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from math import sqrt
from typing import Protocol

SAME_IDEA = 0.42
"""From here on two ideas are alike: the later one is rejected and drawn again."""
SAME_TITLE = 0.99
"""From here on two titles are the same. Two cards with one title look like the same idea, whatever
their texts say.
"""
NEAR = 0.3
"""From here on an idea is marked as similar to the other one."""

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)?")
_UNSPACED = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]+")
_STOP_WORDS = frozenset(
    """a about after all also an and any are as at be because been before both but by can could do
    does each every everyone for from get give go had has have help how i if in into is it its just
    keep let like make may more most much my new no not of off on once one only or other our out
    over own people per put set should so some someone start such take than that the their them
    then there these they this those through time to try up use using very want was way we were
    what when where which while who whole will with without would you your title idea
    das dem den der die ein eine einen einer für im in ist mit nicht oder sich sie um und von zu
    con de del el en es la las lo los para por que se sin su un una y
    au aux avec ce ces dans des du et le les leur ou par pas pour qui sur une
    alla att av blir dem den deras det detta där efter eller ett från får genom han har hon hos hur
    här inte kan med men mer mot mycket någon något när och också om på sedan ska skulle som så till
    upp ut utan vad var varje vi vid är över""".split()
)


class Idea(Protocol):
    """`whole` is the title and the text."""

    @property
    def title(self) -> str: ...

    @property
    def whole(self) -> str: ...


def is_same_idea(one: Idea, other: Idea, *, ignore: str) -> bool:
    """Whether a reader of both would see a repetition.

    Words of `ignore`, such as the topic of both, do not count: every idea has them.
    """
    return (
        resemblance(one.title, other.title) >= SAME_TITLE
        or resemblance(one.whole, other.whole, ignore=ignore) >= SAME_IDEA
    )


def resemblance(a: str, b: str, *, ignore: str = "") -> float:
    """From 0 for no common words to 1 for the same content words.

    Words of `ignore`, such as the topic of both texts, do not count.
    """
    ignored = _content_words(ignore)
    return _cosine(_content_words(a) - ignored, _content_words(b) - ignored)


def most_similar(
    text: str, known: Sequence[tuple[str, str]], *, ignore: str = ""
) -> tuple[str, float] | None:
    """The id and resemblance of the known text most similar to `text`; the first of equals."""
    ignored = _content_words(ignore)
    words = _content_words(text) - ignored
    best: tuple[str, float] | None = None
    for known_id, known_text in known:
        value = _cosine(words, _content_words(known_text) - ignored)
        if best is None or value > best[1]:
            best = known_id, value
    return best


def content_words(text: str) -> list[tuple[str, str]]:
    """The (stem, word) of each content word, in order and case-folded."""
    words = _WORD.findall(text.casefold())
    kept = [word for word in words if word not in _STOP_WORDS and len(word) > 1]
    # A text of stop words only, such as the title "Let It Be", must not be empty.
    return [(_stem(word), word) for word in kept or words]


def _cosine(a: frozenset[str], b: frozenset[str]) -> float:
    if not a or not b:
        return 0.0
    return min(1.0, len(a & b) / sqrt(len(a) * len(b)))


@lru_cache(maxsize=4096)
def _content_words(text: str) -> frozenset[str]:
    kept = {stem for stem, _ in content_words(text)}
    return frozenset(kept.union(*map(_pairs, _UNSPACED.findall(text))) if kept else kept)


def _pairs(run: str) -> set[str]:
    """Pairs of neighbouring characters, for scripts without spaces."""
    return {run[i : i + 2] for i in range(len(run) - 1)} or {run}


@lru_cache(maxsize=16384)
def _stem(word: str) -> str:
    word = re.sub(r"['\u2019]\w*$", "", word)
    for ending, replacement in (("ies", "y"), ("sses", "ss"), ("ing", ""), ("ed", ""), ("es", "")):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return (word[: -len(ending)] + replacement).rstrip("e")
    if word.endswith("s") and not word.endswith("ss") and len(word) > 3:
        word = word[:-1]
    return word.rstrip("e") if len(word) > 3 else word
