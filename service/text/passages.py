"""Finds a passage of a text and replaces it. It is pure."""

import re
from dataclasses import dataclass

from service.errors import InvalidInput
from service.messages import Text
from service.text.cleaning import SENTENCE_END

_PARAGRAPH = re.compile(r"\S(?:.*\S)?(?:\n(?=[^\n]*\S).*\S)*")


@dataclass(frozen=True, slots=True)
class Passage:
    """Characters `start` to `end` of a text."""

    start: int
    end: int

    def of(self, text: str) -> str:
        return text[self.start : self.end]

    def replaced(self, text: str, by: str) -> str:
        """Replaces the passage; the text around it stays the same, byte for byte."""
        return text[: self.start] + by + text[self.end :]


def find_passage(text: str, passage: str, start: int | None = None) -> Passage:
    """Finds `passage` in `text`; `start` is where it begins, or the blanks before it.

    Raises:
        InvalidInput: the passage does not occur, or it occurs several times without `start`.
    """
    places = [match.start() for match in re.finditer(f"(?={re.escape(passage)})", text)]
    if not places:
        missing = Text(
            "This passage is not in the text. Copy it exactly, with its punctuation and line breaks."
        )
        raise InvalidInput(missing, pointer="/selection")
    if start is not None:
        place = next((one for one in places if start <= one and not text[start:one].strip()), None)
        if place is None:
            elsewhere = Text(
                "The passage does not begin at character %(start)s. It begins at %(places)s, "
                "counted from 0.",
                start=start,
                places=_shortened_list(places),
            )
            raise InvalidInput(elsewhere, pointer="/start")
        return Passage(place, place + len(passage))
    if len(places) > 1:
        several = Text(
            "This passage occurs %(times)s times in the text. Select more of the text around it, or "
            "set `start` to where it begins: %(places)s.",
            times=len(places),
            places=_shortened_list(places),
        )
        raise InvalidInput(several, pointer="/start")
    return Passage(places[0], places[0] + len(passage))


def paragraphs(text: str) -> list[Passage]:
    """Returns the paragraphs, which are separated by blank lines."""
    return [Passage(*match.span()) for match in _PARAGRAPH.finditer(text)]


def parts(text: str) -> list[Passage]:
    """Returns the parts to choose from: paragraphs, or the sentences of a single paragraph."""
    found = paragraphs(text)
    if len(found) != 1:
        return found
    ends = [match.end() for match in SENTENCE_END.finditer(text, found[0].start, found[0].end)]
    sentences, at = [], found[0].start
    for end in [*ends, found[0].end]:
        written = text[at:end]
        if written.strip():
            start = at + len(written) - len(written.lstrip())
            sentences.append(Passage(start, at + len(written.rstrip())))
        at = end
    return sentences


def _shortened_list(places: list[int]) -> str:
    shown = ", ".join(map(str, places[:5]))
    return f"{shown} …" if len(places) > 5 else shown
