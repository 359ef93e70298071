"""A passage of a text: where it is, and the text with another one in its place; pure."""

import re
from dataclasses import dataclass

from service.errors import InvalidInput

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
        raise InvalidInput(
            "The text does not hold this passage. Copy it out of the text exactly as it stands "
            "there, with its marks and line breaks.",
            pointer="/selection",
        )
    if start is not None:
        place = next((one for one in places if start <= one and not text[start:one].strip()), None)
        if place is None:
            raise InvalidInput(
                f"The passage does not begin at character {start}. It begins at "
                f"{_listed(places)}, counted from 0.",
                pointer="/start",
            )
        return Passage(place, place + len(passage))
    if len(places) > 1:
        raise InvalidInput(
            f"The text holds this passage {len(places)} times. Select more of the text around it, "
            f"or say with `start` where it begins: {_listed(places)}.",
            pointer="/start",
        )
    return Passage(places[0], places[0] + len(passage))


def paragraphs(text: str) -> list[Passage]:
    """Stretches of lines between blank ones."""
    return [Passage(*match.span()) for match in _PARAGRAPH.finditer(text)]


def _listed(places: list[int]) -> str:
    shown = ", ".join(map(str, places[:5]))
    return f"{shown} …" if len(places) > 5 else shown
