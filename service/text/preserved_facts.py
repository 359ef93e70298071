"""Finds numbers and names of a text that another text lacks. It is pure.

The result is a hint for people and for a second attempt, not a proof: numbers may be written in
words, and names may be inflected or translated. Facts that are only probably missing are not listed.
"""

import re
from collections.abc import Iterator

_UNITS = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_WORDS = {word: value for value, word in enumerate(_UNITS, start=1)}
_WORDS |= {word: value for value, word in zip(range(20, 100, 10), _TENS, strict=True)}
_SCALES = {"dozen": 12, "hundred": 100, "thousand": 1000}

_DIGITS = re.compile(r"(?<![\w.])\d+(?:[.,:]\d+)*")
_COUNT = rf"(?:{'|'.join(_TENS)})-(?:{'|'.join(_UNITS[:9])})|{'|'.join(_WORDS)}"
_SCALE = "|".join(_SCALES)
IN_WORDS = rf"(?:\b(?:{_COUNT})\b(?:\s+(?:{_SCALE})\b)?|\b(?:{_SCALE})\b)"
"""A number in English words, as a regular expression."""
_SPOKEN = re.compile(IN_WORDS, re.IGNORECASE)
_NAME = re.compile(r"(?<![.!?:\n•-])[ \t(\"'“]([A-ZÀ-ÖØ-Þ][\w'’-]+)")
_WORD = re.compile(r"[^\W\d_]+")
_ENGLISH = frozenset("the and of to for with are this we they".split())
# Names of days and months, which a translation changes.
_CALENDAR = frozenset(
    "monday tuesday wednesday thursday friday saturday sunday january february march april may june "
    "july august september october november december".split()
)
# Numbers up to this one are often written in words, in any language.
_SMALL = 12
# German capitalises every noun, so texts with more "names" than both of these are not checked.
_FEW_NAMES, _MOST_CAPITALS = 3, 0.15


def digits(text: str) -> frozenset[str]:
    """Returns the numbers in digits, without thousands separators: '1,200' becomes '1200'."""
    return frozenset(canonical(found) for found in _DIGITS.findall(text))


def spoken(text: str) -> frozenset[str]:
    """Returns the numbers in words, as digits: 'twenty-five' becomes '25'."""
    return frozenset(str(value(phrase)) for phrase in _SPOKEN.findall(text))


def names(text: str) -> frozenset[str]:
    """Returns capitalised words that do not begin a sentence or a line."""
    return frozenset(name for _, name in _names(text))


def left_out(note: str, written: str, *, is_translated: bool = False) -> tuple[str, ...]:
    """Returns the numbers and names that `written` lacks, spelled and ordered as in the note."""
    return tuple(dict.fromkeys(_left_out(note, written, is_translated)))


def canonical(number: str) -> str:
    return re.sub(r"(?<=\d)[.,](?=\d{3}(?!\d))", "", number)


def value(phrase: str) -> int:
    """Returns the value of a number in English words."""
    *counts, last = phrase.casefold().split()
    count = sum(_WORDS[part] for part in counts[0].split("-")) if counts else 1
    if last in _SCALES:
        return count * _SCALES[last]
    return sum(_WORDS[part] for part in last.split("-"))


def _left_out(note: str, written: str, is_translated: bool) -> list[str]:
    numbers = _missing_numbers(note, written, is_translated)
    found = sorted([*numbers, *_missing_names(note, written, is_translated)])
    return [text for _, text in found]


def _missing_numbers(note: str, written: str, is_translated: bool) -> Iterator[tuple[int, str]]:
    """Yields missing facts with their positions in the note."""
    given = {_as_time(number) for number in digits(written) | spoken(written)}
    is_english = len(_ENGLISH & set(_words(note))) > 1 and not is_translated
    for match in _DIGITS.finditer(note):
        number = match[0]
        is_small = number.isdigit() and int(number) <= _SMALL
        # In any language, 1 can become 'a'.
        may_be_spoken = number == "1" or (is_small and not is_english)
        if not may_be_spoken and _as_time(canonical(number)) not in given:
            yield match.start(), number


def _missing_names(note: str, written: str, is_translated: bool) -> Iterator[tuple[int, str]]:
    """Yields missing facts with their positions in the note."""
    found = list(_names(note))
    if len(found) > max(_FEW_NAMES, _MOST_CAPITALS * len(_words(note))):
        return
    lowered = written.casefold()
    for place, name in found:
        key = name.casefold()
        is_calendar = is_translated and key in _CALENDAR
        # Names change their endings in some languages: Finnish 'Pekka' becomes 'Pekan'.
        if not is_calendar and key[: max(3, len(key) - 2)] not in lowered and not _is_shouted(name):
            yield place, name


def _names(text: str) -> Iterator[tuple[int, str]]:
    for match in _NAME.finditer(text):
        name = re.sub(r"['’]s$", "", match[1])
        if not name.startswith(("I'", "I’")):
            yield match.start(1), name


def _words(text: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(text)]


def _is_shouted(word: str) -> bool:
    return word.isupper() and word.isalpha()


def _as_time(number: str) -> str:
    """Writes '9:30' as '9.30', so that both are equal."""
    return number.replace(":", ".")
