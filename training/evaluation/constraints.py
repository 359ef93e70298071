"""The constraints of a prompt that a program can check. Knows no model."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter

from training.evaluation.quantities import minutes, prices

Language = Literal["de", "en", "es", "fr"]


@dataclass(frozen=True, slots=True)
class Constraints:
    """An idea has to keep all that are given. A word ending in `*` matches every continuation.

    `avoids`: it has none of the words. `mentions`: it has at least one of them. `max_price` and
    `max_minutes`: no price or duration that it names is higher. `max_words`: the length of its text.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    avoids: tuple[str, ...] | None = None
    mentions: tuple[str, ...] | None = None
    max_price: float | None = None
    max_minutes: float | None = None
    max_words: int | None = None
    language: Language | None = None

    @property
    def given(self) -> tuple[str, ...]:
        names = (field.name for field in fields(self))
        return tuple(name for name in names if getattr(self, name) is not None)


CONSTRAINTS = TypeAdapter(Constraints)

_STOP_WORDS: Mapping[Language, frozenset[str]] = {
    "de": frozenset("der die das und ein eine einen mit für auf ist im den zu nicht wird".split()),
    "en": frozenset("the and a an of to with for on is in that your each at it".split()),
    "es": frozenset("el la los las y un una de con para en que se por su".split()),
    "fr": frozenset("le la les et un une des de avec pour dans est que sur à".split()),
}


def broken(constraints: Constraints, title: str, text: str) -> tuple[str, ...]:
    """The names of the broken constraints. All but `max_words` apply to the title as well."""
    whole = f"{title}. {text}"
    return tuple(
        name
        for name in constraints.given
        if not _CHECKS[name](getattr(constraints, name), text if name == "max_words" else whole)
    )


def has_any(words: tuple[str, ...], text: str) -> bool:
    patterns = (re.escape(word).replace(r"\*", r"\w*") for word in words)
    return re.search(rf"\b(?:{'|'.join(patterns)})\b", text, re.IGNORECASE) is not None


def language_of(text: str) -> Language | None:
    """Guesses the language by frequent words; None if no language has the most."""
    words = re.findall(r"\w+", text.casefold())
    counts = {name: sum(word in known for word in words) for name, known in _STOP_WORDS.items()}
    best, second = sorted(counts, key=lambda name: -counts[name])[:2]
    return best if counts[best] > counts[second] else None


_CHECKS: Mapping[str, Callable[[Any, str], bool]] = {
    "avoids": lambda words, text: not has_any(words, text),
    "mentions": has_any,
    "max_price": lambda most, text: max(prices(text), default=0) <= most,
    "max_minutes": lambda most, text: max(minutes(text), default=0) <= most,
    "max_words": lambda most, text: len(text.split()) <= most,
    "language": lambda asked, text: language_of(text) == asked,
}
