"""Estimates how long a run still takes, from how long such runs took lately and what it has made.

Pure: knows neither runs nor the store. Without a basis there is no estimate.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

# Of the earlier runs, those that made about as many items say most: each also takes time to begin.
NEAREST_RUNS = 5
# How many items of this run count as much as all that was measured before.
EARLIER_WEIGHT = 3.0
# A draft that is being written counts as half an item.
DRAFT_SHARE = 0.5
# With fewer items, a run without any before it says nothing of its pace.
LEAST_ITEMS = 2


@dataclass(frozen=True, slots=True)
class TimedRun:
    """A run that is done: how many items it was asked for, and its time without any waiting."""

    items: int
    took_s: float


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: `made` of `wanted` items, `drafts` more begun, after `running_s`."""

    wanted: int
    made: int = 0
    drafts: int = 0
    running_s: float = 0.0


def pace(earlier: Sequence[TimedRun], wanted: int) -> float | None:
    """Seconds an item, by the earlier runs; None if there were none."""
    nearest = sorted(earlier, key=lambda one: abs(one.items - wanted))[:NEAREST_RUNS]
    return median(one.took_s / one.items for one in nearest) if nearest else None


def remaining_s(earlier_pace: float | None, progress: Progress) -> float | None:
    """None if nothing is known yet, or if the run takes longer than could be foreseen."""
    done = progress.made and progress.made + DRAFT_SHARE * progress.drafts
    # The clock may have been set back since the run began.
    running_s = max(progress.running_s, 0.0)
    if earlier_pace is not None:
        weight = EARLIER_WEIGHT if done else 1.0
        spent = running_s if done else 0.0
        by_now = (weight * earlier_pace + spent) / (weight + done)
    elif progress.made >= LEAST_ITEMS:
        by_now = running_s / done
    else:
        return None
    left_s = by_now * progress.wanted - running_s
    return left_s if left_s > 0 else None
