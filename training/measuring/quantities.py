"""Numbers, prices and times that a text names, in digits or in English words. Knows no ideas."""

import re

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
_IN_WORDS = rf"(?:\b(?:{_COUNT})\b(?:\s+(?:{_SCALE})\b)?|\b(?:{_SCALE})\b)"
_SPOKEN = re.compile(_IN_WORDS, re.IGNORECASE)
_NUMBER = rf"(?:\d+(?:[.,]\d+)*|{_IN_WORDS})"
_PRICE = re.compile(
    rf"[$€£]\s?(?P<after>\d+(?:[.,]\d+)*)|(?P<before>{_NUMBER})\s?(?:[$€£]|dollars?|euros?|pounds?\b)",
    re.IGNORECASE,
)
_TIME = re.compile(
    rf"\b(?P<count>{_NUMBER}|half an|an)[\s-](?P<unit>minutes?|mins?|hours?)\b", re.IGNORECASE
)


def digits(text: str) -> frozenset[str]:
    """Numbers written in digits, without separators of thousands: '1,200' and '1200' are one."""
    return frozenset(_canonical(found) for found in _DIGITS.findall(text))


def spoken(text: str) -> frozenset[str]:
    """Numbers written in words, in digits: 'twenty-five' is '25', 'two hundred' is '200'."""
    return frozenset(str(_value(phrase)) for phrase in _SPOKEN.findall(text))


def prices(text: str) -> tuple[float, ...]:
    return tuple(_amount(match["after"] or match["before"]) for match in _PRICE.finditer(text))


def minutes(text: str) -> tuple[float, ...]:
    """Lengths of time in minutes and hours, as minutes."""
    found: list[float] = []
    for match in _TIME.finditer(text):
        count = {"half an": 0.5, "an": 1.0}.get(match["count"].casefold())
        amount = _amount(match["count"]) if count is None else count
        found.append(amount * (60 if match["unit"].casefold().startswith("hour") else 1))
    return tuple(found)


def _value(phrase: str) -> int:
    *counts, last = phrase.casefold().split()
    count = sum(_WORDS[part] for part in counts[0].split("-")) if counts else 1
    if last in _SCALES:
        return count * _SCALES[last]
    return sum(_WORDS[part] for part in last.split("-"))


def _amount(written: str) -> float:
    if written[0].isdigit():
        number = _canonical(written).replace(",", ".")
        return float(number) if number.count(".") <= 1 else float(number.replace(".", ""))
    return float(_value(written))


def _canonical(number: str) -> str:
    return re.sub(r"(?<=\d)[.,](?=\d{3}(?!\d))", "", number)
