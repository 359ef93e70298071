"""A passage of a text: where it is, and the text with another one in its place; pure."""

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
        """Everything around the passage stays as it is, byte for byte."""
        return text[: self.start] + by + text[self.end :]


def find_passage(text: str, passage: str, start: int | None = None) -> Passage:
    """Where `passage` stands in `text`; from `start` on, not counting blanks there, if it is given.

    Raises:
        InvalidInput: it is not there, or in several places and nothing says which.
    """
    places = [match.start() for match in re.finditer(f"(?={re.escape(passage)})", text)]
    if not places:
        absent = Text(
            "The text does not hold this passage. Copy it out of the text exactly as it stands "
            "there, with its marks and line breaks."
        )
        raise InvalidInput(absent, pointer="/selection")
    if start is not None:
        place = next((one for one in places if start <= one and not text[start:one].strip()), None)
        if place is None:
            elsewhere = Text(
                "The passage does not begin at character %(start)s. It begins at %(places)s, "
                "counted from 0.",
                start=start,
                places=_listed(places),
            )
            raise InvalidInput(elsewhere, pointer="/start")
        return Passage(place, place + len(passage))
    if len(places) > 1:
        several = Text(
            "The text holds this passage %(times)s times. Select more of the text around it, or "
            "say with `start` where it begins: %(places)s.",
            times=len(places),
            places=_listed(places),
        )
        raise InvalidInput(several, pointer="/start")
    return Passage(places[0], places[0] + len(passage))


def paragraphs(text: str) -> list[Passage]:
    """Stretches of lines between blank ones."""
    return [Passage(*match.span()) for match in _PARAGRAPH.finditer(text)]


def parts(text: str) -> list[Passage]:
    """What a reader may choose from: the paragraphs, or the sentences of the only one."""
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


def _listed(places: list[int]) -> str:
    shown = ", ".join(map(str, places[:5]))
    return f"{shown} …" if len(places) > 5 else shown
