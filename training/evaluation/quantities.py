"""Finds the prices and durations in a text, in digits or in English words."""

import re

from service.text.preserved_facts import IN_WORDS, canonical, value

_NUMBER = rf"(?:\d+(?:[.,]\d+)*|{IN_WORDS})"
_PRICE = re.compile(
    rf"[$€£]\s?(?P<after>\d+(?:[.,]\d+)*)|(?P<before>{_NUMBER})\s?(?:[$€£]|dollars?|euros?|pounds?\b)",
    re.IGNORECASE,
)
_TIME = re.compile(
    rf"\b(?P<count>{_NUMBER}|half an|an)[\s-](?P<unit>minutes?|mins?|hours?)\b", re.IGNORECASE
)


def prices(text: str) -> tuple[float, ...]:
    return tuple(_amount(match["after"] or match["before"]) for match in _PRICE.finditer(text))


def minutes(text: str) -> tuple[float, ...]:
    """The durations in minutes and hours that the text names, in minutes."""
    found: list[float] = []
    for match in _TIME.finditer(text):
        count = {"half an": 0.5, "an": 1.0}.get(match["count"].casefold())
        amount = _amount(match["count"]) if count is None else count
        found.append(amount * (60 if match["unit"].casefold().startswith("hour") else 1))
    return tuple(found)


def _amount(written: str) -> float:
    if written[0].isdigit():
        number = canonical(written).replace(",", ".")
        return float(number) if number.count(".") <= 1 else float(number.replace(".", ""))
    return float(value(written))
