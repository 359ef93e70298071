"""Where the parts of a chart lie in its SVG. It is pure: templates draw the parts and name them.

A chart has the width of its view box, and its text the size that the style sheet gives it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

WIDTH = 320.0
# Of the columns; the value stands above and the label below.
HEIGHT, ABOVE, BELOW = 96.0, 16.0, 18.0
GAP = 0.18
# Values and labels of more columns than this would touch each other.
MOST_LABELLED = 12
LOWEST_SCORE, HIGHEST_SCORE = 1.0, 10.0


@dataclass(frozen=True, slots=True)
class Column:
    """`x` and `width` are those of the drawn column, `middle` is where its texts stand."""

    label: str
    value: int
    x: float
    y: float
    width: float
    height: float
    is_labelled: bool = True

    @property
    def middle(self) -> float:
        return round(self.x + self.width / 2, 2)


@dataclass(frozen=True, slots=True)
class ColumnChart:
    columns: list[Column]
    base: float = ABOVE + HEIGHT
    width: float = WIDTH
    height: float = ABOVE + HEIGHT + BELOW

    @property
    def most(self) -> int:
        return max((one.value for one in self.columns), default=0)

    @property
    def total(self) -> int:
        return sum(one.value for one in self.columns)


@dataclass(frozen=True, slots=True)
class Whisker:
    """A line from `start` to `end` that shows an error on the scale of the scores."""

    start: float
    end: float


def column_chart(counts: Sequence[tuple[str, int]]) -> ColumnChart:
    """Returns a column for each label and its count, the highest as high as the chart."""
    if not counts:
        return ColumnChart([])
    most = max(1, *(count for _, count in counts))
    step = WIDTH / len(counts)
    gap = step * GAP
    every = -(-len(counts) // MOST_LABELLED)
    return ColumnChart(
        [
            Column(
                label,
                count,
                x=round(place * step + gap / 2, 2),
                y=round(ABOVE + HEIGHT * (1 - count / most), 2),
                width=round(step - gap, 2),
                height=round(HEIGHT * count / most, 2),
                # The last one is always named, and those at even distances before it.
                is_labelled=(len(counts) - 1 - place) % every == 0,
            )
            for place, (label, count) in enumerate(counts)
        ]
    )


def score_counts(scores: Sequence[float]) -> list[tuple[str, int]]:
    """Counts scores by whole points from 1 to 10. The last range includes its upper end."""
    edges = [float(edge) for edge in range(int(LOWEST_SCORE), int(HIGHEST_SCORE) + 1)]
    return [
        (
            f"{low:g}–{high:g}",
            sum(low <= score < high or (high == score == HIGHEST_SCORE) for score in scores),
        )
        for low, high in pairwise(edges)
    ]


def score_whisker(score: float, error: float) -> Whisker:
    """Where the score with its error lies below a chart of `score_counts`."""
    return Whisker(_along(score - error), _along(score + error))


def _along(score: float) -> float:
    inside = min(max(score, LOWEST_SCORE), HIGHEST_SCORE)
    return round(WIDTH * (inside - LOWEST_SCORE) / (HIGHEST_SCORE - LOWEST_SCORE), 2)


def share(value: float, most: float) -> float:
    """The length of a bar in percent; 0 if there is nothing to compare it with."""
    return round(100 * min(max(value / most, 0.0), 1.0), 2) if most > 0 else 0.0
