"""What the charts of a board's summary show: counted and measured values, and where to draw them."""

from dataclasses import dataclass
from statistics import median

from service.analysis.rubrics import score_table
from service.analysis.standings import compared_standings
from service.analysis.ties import Place, overall_error, standing_places, table_places
from service.analysis.timeline import Timeline, timeline
from service.schemas.evaluation import TablePublic, TableRow
from service.schemas.ideas import IdeaPublic
from service.schemas.identity import now
from service.schemas.ranking import StandingPublic
from service.store import Store
from service.store.listing import IdeaQuery
from service.web.charts import ColumnChart, Whisker, column_chart, score_counts, score_whisker

BEST = 5


@dataclass(frozen=True, slots=True)
class ScoreChart:
    """The overall scores by the rubric that cards show; `rubric` is empty for the default one.

    `error` is the median error of these scores, None if none is known. `middle` is their median.
    """

    rubric: str
    columns: ColumnChart
    best: list[tuple[TableRow, Place]]
    places: dict[str, Place]
    titles: dict[str, str]
    middle: float
    error: float | None
    is_rough: bool

    @property
    def whisker(self) -> Whisker | None:
        return None if self.error is None else score_whisker(self.middle, self.error)


@dataclass(frozen=True, slots=True)
class BoardCharts:
    timeline: Timeline
    added: ColumnChart
    scores: ScoreChart | None
    ranked: list[tuple[StandingPublic, Place]]
    liked: list[IdeaPublic]


def board_charts(store: Store, board_id: str) -> BoardCharts:
    """Raises: NotFound. Blocking: call it in a thread."""
    added = timeline(store.overview.added_by_day(board_id), now())
    shown = store.rubrics.shown(board_id)
    table = score_table(store, board_id, shown.id if shown else None)
    return BoardCharts(
        timeline=added,
        added=column_chart([(one.start.isoformat(), one.count) for one in added.buckets]),
        scores=_scores(table, shown.name if shown else ""),
        ranked=_ranked(store, board_id),
        liked=_most_liked(store, board_id),
    )


def _scores(table: TablePublic, rubric: str) -> ScoreChart | None:
    rows = [row for row in table.ideas if row.overall is not None]
    if not rows:
        return None
    scores = [row.overall or 0.0 for row in rows]
    errors = [overall_error(row.spread, table.criteria) for row in rows]
    known = [error for error in errors if error is not None]
    places = table_places(table)
    return ScoreChart(
        rubric=rubric,
        columns=column_chart(score_counts(scores)),
        best=[(row, places[row.idea_id]) for row in rows[:BEST]],
        places=places,
        titles={row.idea_id: row.title for row in rows},
        middle=median(scores),
        error=median(known) if known else None,
        is_rough=any(row.uncalibrated for row in rows),
    )


def _most_liked(store: Store, board_id: str) -> list[IdeaPublic]:
    ids = store.likes.most_liked(board_id, limit=BEST)
    return store.ideas.page(IdeaQuery(board=board_id, ids=ids, sort="likes")).items if ids else []


def _ranked(store: Store, board_id: str) -> list[tuple[StandingPublic, Place]]:
    ideas = compared_standings(store, board_id, "people").public().ideas
    places = standing_places(ideas)
    return [(one, places[one.idea_id]) for one in ideas if one.rank is not None][:BEST]
