"""Draws the map of a board: where cards, outlines and names are, in pixels. It knows no HTML."""

import unicodedata
from dataclasses import dataclass

import numpy as np

from service.analysis.map_layout import NAME_HEIGHT, Points, name_place
from service.schemas.idea_map import MapGroup, MapIdea, MapPublic
from service.web.tag_colours import tag_class

# The room of a card, and the card in it.
ROOM_WIDTH, ROOM_HEIGHT = 196, 96
CARD_WIDTH, CARD_HEIGHT = 178, 80
MARGIN = 16
LINE_HEIGHT, LINES = 19, 3
# Small text is drawn a little wider than its letters are.
TEXT_WIDTH = CARD_WIDTH - 30
MOST_DOTS = 5
CURVE = 34.0
# The widths of letters of the sans font at the size of the titles.
_WIDTHS = {
    letter: width
    for letters, width in (
        ("ijlI|.,;:'’! ", 4.6),
        ("t()[]/", 5.9),
        ("fr-", 6.8),
        ("mwM…W@%—", 14.2),
    )
    for letter in letters
}
_LETTER, _CAPITAL, _WIDE = 9.6, 11.0, 17.0


@dataclass(frozen=True, slots=True)
class Dot:
    colour: str
    x: int


@dataclass(frozen=True, slots=True)
class Card:
    """`x` and `y` are its top left corner, from where `lines`, its title, and `dots`, its tags, are
    measured.
    """

    idea: MapIdea
    x: float
    y: float
    lines: list[tuple[float, str]]
    dots: list[Dot]


@dataclass(frozen=True, slots=True)
class Area:
    group: MapGroup
    colour: str
    path: str
    x: float
    y: float
    cards: list[Card]


@dataclass(frozen=True, slots=True)
class Drawing:
    """`alone` are the cards of no area."""

    width: int
    height: int
    areas: list[Area]
    alone: list[Card]

    @property
    def cards(self) -> list[Card]:
        """All cards, as one reads."""
        every = [*self.alone, *(card for area in self.areas for card in area.cards)]
        return sorted(every, key=lambda card: (card.y, card.x))


def draw(shown: MapPublic) -> Drawing:
    size = np.array([shown.width, shown.height])
    areas = [_area(group, shown, size) for group in shown.groups]
    return Drawing(
        width=round(shown.width * ROOM_WIDTH) + 2 * MARGIN,
        height=round(shown.height * ROOM_HEIGHT) + 2 * MARGIN,
        areas=areas,
        alone=[_card(idea, size) for idea in shown.ideas if idea.group is None],
    )


def _area(group: MapGroup, shown: MapPublic, size: Points) -> Area:
    members = [idea for idea in shown.ideas if idea.group == group.name]
    places = np.array([[idea.x, idea.y] for idea in members]) * size
    x, y = _pixels(np.array(name_place(places)))
    return Area(
        group=group,
        colour=tag_class(group.gives),
        path=smooth([_pixels(np.array(corner) * size) for corner in group.area]),
        x=x,
        y=round(y + NAME_HEIGHT * ROOM_HEIGHT * 0.75, 1),
        cards=[_card(idea, size) for idea in members],
    )


def _card(idea: MapIdea, size: Points) -> Card:
    x, y = _pixels(np.array([idea.x, idea.y]) * size)
    left, top = round(x - CARD_WIDTH / 2, 1), round(y - CARD_HEIGHT / 2, 1)
    lines = wrapped(idea.title)
    # Text and dots stand in the middle of the card together.
    free = CARD_HEIGHT - LINE_HEIGHT * len(lines) - (10 if idea.tags else 0)
    first = free / 2 + LINE_HEIGHT - 4
    return Card(
        idea=idea,
        x=left,
        y=top,
        lines=[(round(first + LINE_HEIGHT * row, 1), line) for row, line in enumerate(lines)],
        dots=[
            Dot(tag_class(tag), 15 + 12 * place) for place, tag in enumerate(idea.tags[:MOST_DOTS])
        ],
    )


def _pixels(point: Points) -> tuple[float, float]:
    x, y = point * [ROOM_WIDTH, ROOM_HEIGHT] + MARGIN
    return round(float(x), 1), round(float(y), 1)


def smooth(corners: list[tuple[float, float]]) -> str:
    """An outline with round corners."""
    points = np.array(corners)
    parts: list[str] = []
    for place, corner in enumerate(points):
        before = _towards(corner, points[place - 1])
        after = _towards(corner, points[(place + 1) % len(points)])
        start = "L" if parts else "M"
        parts.append(f"{start}{_pair(before)}Q{_pair(corner)} {_pair(after)}")
    return "".join(parts) + "Z"


def _towards(corner: Points, other: Points) -> Points:
    way = other - corner
    length = max(float(np.hypot(*way)), 1e-6)
    reached: Points = corner + way * min(CURVE / length, 0.5)
    return reached


def _pair(point: Points) -> str:
    return f"{point[0]:.1f} {point[1]:.1f}"


def wrapped(title: str) -> list[str]:
    """The title in as many lines as fit on a card; the last one may be cut."""
    lines = [""]
    for word in title.split():
        longer = f"{lines[-1]} {word}".strip()
        if not lines[-1] or _width(longer) <= TEXT_WIDTH:
            lines[-1] = longer
        else:
            lines.append(word)
    if len(lines) > LINES:
        lines = [*lines[: LINES - 1], " ".join(lines[LINES - 1 :])]
    return [_cut(line) for line in lines]


def _cut(line: str) -> str:
    if _width(line) <= TEXT_WIDTH:
        return line
    while line and _width(f"{line}…") > TEXT_WIDTH:
        line = line[:-1]
    return f"{line.rstrip()}…"


def _width(text: str) -> float:
    return sum(_letter_width(letter) for letter in text)


def _letter_width(letter: str) -> float:
    if unicodedata.east_asian_width(letter) in "WF":
        return _WIDE
    return _WIDTHS.get(letter, _CAPITAL if letter.isupper() else _LETTER)
