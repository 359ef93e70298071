"""Counts by day, week, month or year, whichever gives a chart that can be read. It is pure."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal

Unit = Literal["day", "week", "month", "year"]
# The longest span of days that is still counted by the unit.
LONGEST_DAYS, LONGEST_WEEKS, LONGEST_MONTHS = 21, 7 * 26, 31 * 30
SHORTEST = timedelta(days=6)


@dataclass(frozen=True, slots=True)
class Bucket:
    """The count of the unit that begins on the day `start`."""

    start: date
    count: int


@dataclass(frozen=True, slots=True)
class Timeline:
    unit: Unit
    buckets: list[Bucket]


def timeline(days: Mapping[date, int], until: datetime) -> Timeline:
    """Counts what each day had up to now, in at least a week. Empty units between two others count as 0."""
    last = max((until.astimezone(UTC).date(), *days))
    first = min((last - SHORTEST, *days))
    unit = _unit((last - first).days)
    counts: Counter[date] = Counter()
    for day, count in days.items():
        counts[_start(day, unit)] += count
    return Timeline(unit, [Bucket(start, counts[start]) for start in _starts(first, last, unit)])


def _unit(days: int) -> Unit:
    if days < LONGEST_DAYS:
        return "day"
    if days < LONGEST_WEEKS:
        return "week"
    return "month" if days < LONGEST_MONTHS else "year"


def _start(day: date, unit: Unit) -> date:
    if unit == "day":
        return day
    if unit == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if unit == "month" else day.replace(month=1, day=1)


def _starts(first: date, last: date, unit: Unit) -> Iterator[date]:
    # The longest of each unit leads into the next one from any day of it.
    step = {"day": 1, "week": 7, "month": 31, "year": 366}[unit]
    start = _start(first, unit)
    while start <= last:
        yield start
        start = _start(start + timedelta(days=step), unit)
