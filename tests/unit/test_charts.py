"""The geometry of charts, and the units of time that they count by."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest

from service.analysis.timeline import Bucket, timeline
from service.web.charts import (
    ABOVE,
    HEIGHT,
    WIDTH,
    column_chart,
    score_counts,
    score_whisker,
    share,
)
from service.web.templating import Templates

NOW = datetime(2026, 12, 2, 12, tzinfo=UTC)


def test_the_highest_column_fills_the_chart_and_none_leaves_it() -> None:
    chart = column_chart([("a", 4), ("b", 0), ("c", 1)])

    assert [one.height for one in chart.columns] == [HEIGHT, 0, HEIGHT / 4]
    assert [one.y for one in chart.columns] == [ABOVE, ABOVE + HEIGHT, ABOVE + 0.75 * HEIGHT]
    assert all(0 <= one.x < one.x + one.width <= WIDTH for one in chart.columns)
    assert (chart.total, chart.most) == (5, 4)


def test_columns_of_nothing_are_flat() -> None:
    assert column_chart([]).columns == []
    assert column_chart([("a", 0)]).columns[0].height == 0


def test_only_some_of_many_columns_are_labelled_and_the_last_one_is() -> None:
    columns = column_chart([(str(number), 1) for number in range(30)]).columns

    assert sum(one.is_labelled for one in columns) == 10
    assert columns[-1].is_labelled


def test_each_score_is_counted_once() -> None:
    counts = score_counts([1.0, 1.9, 2.0, 9.0, 10.0])

    assert [count for _, count in counts] == [2, 1, 0, 0, 0, 0, 0, 0, 2]
    assert counts[0][0] == "1–2"
    assert counts[-1][0] == "9–10"


def test_the_line_of_an_error_ends_with_the_scale() -> None:
    assert score_whisker(9.5, 2.0).end == WIDTH
    assert score_whisker(1.5, 2.0).start == 0
    assert score_whisker(5.5, 0.0).start == WIDTH / 2


@pytest.mark.parametrize(
    ("value", "most", "length"), [(1, 4, 25), (4, 4, 100), (9, 4, 100), (-1, 4, 0), (0, 0, 0)]
)
def test_a_bar_is_at_most_full(value: float, most: float, length: float) -> None:
    assert share(value, most) == length


@pytest.mark.parametrize(
    ("days", "unit", "count"),
    [(0, "day", 7), (20, "day", 21), (21, "week", 4), (200, "month", 8), (2000, "year", 6)],
)
def test_time_is_counted_by_a_unit_that_fits_the_span(days: int, unit: str, count: int) -> None:
    found = timeline(Counter([(NOW - timedelta(days=days)).date(), NOW.date()]), NOW)

    assert (found.unit, len(found.buckets)) == (unit, count)
    assert sum(one.count for one in found.buckets) == 2
    starts = [one.start for one in found.buckets]
    assert starts == sorted(set(starts))


def test_a_board_without_ideas_has_an_empty_week() -> None:
    assert timeline({}, NOW).buckets[0] == Bucket(date(2026, 11, 26), 0)
    assert len(timeline({}, NOW).buckets) == 7


def test_labels_in_a_chart_are_escaped() -> None:
    drawn = (
        Templates()
        .environment()
        .from_string('{% import "shared/charts.html" as chart %}{{ chart.columns(it, "<i>") }}')
        .render(it=column_chart([("<b>&", 2)]))
    )

    assert "<b>" not in drawn
    assert "<i>" not in drawn
    assert "&lt;b&gt;&amp;" in drawn
