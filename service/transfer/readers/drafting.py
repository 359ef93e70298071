"""Shared by the readers: checks fields, collects faults with their places, shortens titles."""

import re
from typing import get_args

from pydantic import TypeAdapter, ValidationError

from service.errors import InvalidFile
from service.messages import Text
from service.schemas.fields import (
    BODY_CEILING,
    TAG_CEILING,
    TAGS_CEILING,
    TITLE_CEILING,
    Body,
    Status,
    Tag,
    Title,
    clean_line,
)
from service.schemas.imports import SHOWN_IDEAS, LeftOut, ParsedFile

SHOWN_FAULTS = 20
LEFT_OUT_LENGTH = 120
# Cleaning removes characters, but not most of a text. What is longer is not worth the memory.
_CLEANED_SHARE = 4
_TITLE: TypeAdapter[str] = TypeAdapter(Title)
_BODY: TypeAdapter[str] = TypeAdapter(Body)
_TAG: TypeAdapter[str] = TypeAdapter(Tag)


class Faults:
    """Collects the faults of a file, so that a person can correct all of them at once."""

    def __init__(self) -> None:
        self.places: list[tuple[int, int, str]] = []

    def add(self, line: int, column: int, what: str) -> None:
        if len(self.places) < SHOWN_FAULTS:
            self.places.append((line, column, what))

    def check(self) -> None:
        """Raises InvalidFile if there are faults."""
        if self.places:
            raise InvalidFile(self.places)

    def title(self, value: str, line: int, column: int = 1) -> str:
        return self._checked(_TITLE, TITLE_CEILING, Text("title"), value, line, column)

    def body(self, value: str, line: int, column: int = 1) -> str:
        return self._checked(_BODY, BODY_CEILING, Text("text"), value, line, column)

    def tags(self, names: list[str], line: int, column: int = 1) -> list[str]:
        if len(names) > TAGS_CEILING:
            what = Text(
                "This idea has %(count)s tags, and the limit is %(most)s.",
                count=len(names),
                most=TAGS_CEILING,
            )
            self.add(line, column, what)
        return [
            self._checked(_TAG, TAG_CEILING, Text("tag"), name, line, column)
            for name in names[:TAGS_CEILING]
        ]

    def status(self, value: str, line: int, column: int = 1) -> Status | None:
        found = status_of(value)
        if found is None:
            known = ", ".join(get_args(Status))
            what = Text(
                "“%(word)s” is not a status. The statuses are %(known)s.",
                word=clean_line(value)[:40],
                known=known,
            )
            self.add(line, column, what)
        return found

    def _checked(
        self, kind: TypeAdapter[str], limit: int, name: Text, value: str, line: int, column: int
    ) -> str:
        if len(value) > _CLEANED_SHARE * BODY_CEILING:
            self.add(line, column, _too_long(name, limit))
            return ""
        try:
            return kind.validate_python(value)
        except ValidationError as error:
            most = error.errors()[0].get("ctx", {}).get("max_length")
            what = (
                Text("The %(name)s is empty.", name=name) if most is None else _too_long(name, most)
            )
            self.add(line, column, what)
            return value


def _too_long(name: Text, most: int) -> Text:
    return Text("The %(name)s has more than %(most)s characters.", name=name, most=most)


_SYNONYMS: dict[str, Status] = {
    "todo": "draft",
    "new": "draft",
    "open": "draft",
    "doing": "in-progress",
    "started": "in-progress",
    "complete": "done",
    "completed": "done",
    "closed": "done",
    "finished": "done",
}


def status_of(value: str) -> Status | None:
    """Returns the status of that name, also for synonyms such as `todo` and `closed`."""
    word = "-".join(value.casefold().split()).replace("_", "-")
    known: dict[str, Status] = {name: name for name in get_args(Status)}
    return known.get(word) or _SYNONYMS.get(word.replace("-", ""))


def shorten(text: str, most: int) -> str:
    """Shortens a text to at most `most` characters, between words if possible."""
    if len(text) <= most:
        return text
    cut = text[: most - 1]
    whole = cut.rpartition(" ")[0]
    return f"{(whole if len(whole) > most // 2 else cut).rstrip(' ,;:.-')}…"


def leave_out(parsed: ParsedFile, text: str, line: int) -> None:
    """Reports each paragraph of a text as ignored; `line` is where the text begins."""
    counted = 0
    for found in re.finditer(r"\S[^\n]*(?:\n(?!\s*\n)[^\n]*)*", text):
        if len(parsed.left_out) >= SHOWN_IDEAS:
            return
        line += text.count("\n", counted, found.start())
        counted = found.start()
        words = " ".join(found.group().split())
        parsed.left_out.append(LeftOut(line=line, text=shorten(words, LEFT_OUT_LENGTH)))


def title_and_body(text: str, body: str, title_limit: int) -> tuple[str, str]:
    """Returns a title that fits. A longer line is shortened for it and kept whole in the body."""
    line = clean_line(text)
    if len(line) <= title_limit:
        return line, body
    return shorten(line, title_limit), f"{line}\n\n{body}".strip()
