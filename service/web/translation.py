"""The languages of the pages: chooses one for a reader, and writes texts, numbers and times in it.

The texts in the code are English. Every other language is a gettext catalogue in `translations/`.
The committed `.po` file is read directly, so there is nothing to compile.
"""

import gettext
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from functools import cache
from io import BytesIO
from pathlib import Path

from babel import Locale
from babel.dates import format_date, format_datetime, format_skeleton, format_timedelta
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

from service.messages import Counted, Text, Value
from service.settings import RESOURCES

CATALOGUES = RESOURCES / "translations"
# Each language has its own name for itself.
LANGUAGES: Mapping[str, str] = {"en": "English", "sv": "Svenska"}
DEFAULT = "en"
MOMENT_S = 60


class Translator:
    """Writes texts, numbers and times in one language."""

    def __init__(self, language: str) -> None:
        self.language = language

    def text(self, text: str) -> str:
        """Translates a Text or a message in the catalogue; returns other strings unchanged."""
        if isinstance(text, Counted):
            return self.plural(text.message, text.many, text.number) % self.translated_values(
                text.values
            )
        if isinstance(text, Text):
            return self.message(text.message) % self.translated_values(text.values)
        return self.message(text) if text else text

    def message(self, message: str) -> str:
        return _catalogue(self.language).gettext(message)

    def plural(self, one: str, many: str, count: int) -> str:
        return _catalogue(self.language).ngettext(one, many, count)

    def translated_values(self, values: Mapping[str, Value]) -> dict[str, str]:
        """The values of a text, translated and with numbers formatted for the language."""
        return {
            name: value
            if isinstance(value, str) and not isinstance(value, Text)
            else self.translated_value(value)
            for name, value in values.items()
        }

    def translated_value(self, value: Value) -> str:
        return self.text(value) if isinstance(value, str) else self.number(value)

    def number(self, value: float) -> str:
        return format_decimal(value, locale=self.language)

    def score(self, value: float) -> str:
        """Always has one decimal, so that 2.0 lines up with 7.4."""
        return format_decimal(value, format="0.0", locale=self.language)

    def age(self, moment: datetime) -> str:
        passed = datetime.now(UTC) - moment
        if passed.total_seconds() < MOMENT_S:
            return self.text(Text("just now"))
        return format_timedelta(-passed, add_direction=True, locale=self.language)

    def day(self, moment: datetime) -> str:
        return format_date(moment.astimezone(UTC), format="long", locale=self.language)

    def bucket(self, day: str, unit: str) -> str:
        """A short name for the day, week, month or year that begins on an ISO date."""
        skeleton = {"month": "yMMM", "year": "y"}.get(unit, "MMMd")
        return str(format_skeleton(skeleton, date.fromisoformat(day), locale=self.language))

    def time(self, moment: datetime) -> str:
        return f"{format_datetime(moment, tzinfo=UTC, locale=self.language)} UTC"

    def languages(self, codes: Iterable[str]) -> list[tuple[str, str]]:
        """Language codes with their names in this language, sorted by name."""
        names = [(code, Locale(code).get_display_name(self.language) or code) for code in codes]
        return sorted(names, key=lambda one: one[1].casefold())


def choose(cookie: str | None, accepted: str) -> str:
    """The language that the reader chose, or else the best match in Accept-Language."""
    if cookie is not None and cookie in LANGUAGES:
        return cookie
    wishes: list[tuple[float, str]] = []
    for part in accepted.split(","):
        tag, _, weight = part.partition(";")
        language = tag.strip().lower().partition("-")[0]
        wishes.append((_quality(weight), DEFAULT if language == "*" else language))
    best = sorted(wishes, key=lambda wish: -wish[0])
    return next((name for weight, name in best if weight > 0 and name in LANGUAGES), DEFAULT)


def _quality(weight: str) -> float:
    name, _, value = weight.strip().partition("=")
    try:
        return float(value) if name == "q" else 1.0
    except ValueError:
        return 0.0


def catalogue_of(language: str) -> Path:
    return CATALOGUES / language / "LC_MESSAGES" / "messages.po"


@cache
def _catalogue(language: str) -> gettext.NullTranslations:
    if language == DEFAULT:
        return gettext.NullTranslations()
    compiled = BytesIO()
    with catalogue_of(language).open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
