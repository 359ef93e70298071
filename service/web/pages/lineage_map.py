"""Computes the positions of boxes and lines for a tree of ideas. It knows no HTML."""

from dataclasses import dataclass

from service.analysis.lineage import Spot, layout
from service.analysis.lineage_view import Tree

BOX_WIDTH, BOX_HEIGHT = 200, 34
COLUMN_WIDTH, ROW_HEIGHT = 246, 46
MARGIN = 6
# Longer titles do not fit into a box.
LABEL_LENGTH = 22


@dataclass(frozen=True, slots=True)
class Box:
    spot: Spot
    x: float
    y: float
    width: int = BOX_WIDTH
    height: int = BOX_HEIGHT

    @property
    def label(self) -> str:
        title = self.spot.place.origin.title
        return title if len(title) <= LABEL_LENGTH else f"{title[: LABEL_LENGTH - 1].rstrip()}…"

    @property
    def middle(self) -> float:
        return self.y + BOX_HEIGHT / 2


@dataclass(frozen=True, slots=True)
class Map:
    """`lines` go from parents to children, `further` from the other ideas that one was made from."""

    width: float
    height: float
    boxes: list[Box]
    lines: list[str]
    further: list[str]


def draw(tree: Tree) -> Map:
    boxes = {spot.place.origin.id: _box(spot) for spot in layout(tree.places)}
    return Map(
        width=max(box.x for box in boxes.values()) + BOX_WIDTH + MARGIN,
        height=max(box.y for box in boxes.values()) + BOX_HEIGHT + MARGIN,
        boxes=list(boxes.values()),
        lines=[
            _line(boxes[place.origin.id], boxes[child])
            for place in tree.places
            for child in place.children
        ],
        further=[
            _line(boxes[up], boxes[idea_id])
            for idea_id, ups in tree.also_from.items()
            for up in ups
            if up in boxes
        ],
    )


def _box(spot: Spot) -> Box:
    return Box(spot, MARGIN + spot.column * COLUMN_WIDTH, MARGIN + spot.row * ROW_HEIGHT)


def _line(start: Box, end: Box) -> str:
    """A curve from the right side of one box to the left side of the other."""
    x, to_x = start.x + BOX_WIDTH, end.x
    bend = max(24.0, abs(to_x - x) / 2)
    points = (x + bend, start.middle, to_x - bend, end.middle, to_x, end.middle)
    return f"M{x:g} {start.middle:g}C" + " ".join(f"{value:g}" for value in points)
