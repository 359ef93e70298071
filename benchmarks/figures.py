"""Percentiles, also of times that were cut off before they were known. Standard library only."""

import math
from collections.abc import Sequence


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` of all values do not exceed; NaN without values."""
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def waiting_percentile(
    seen: Sequence[float], cut: Sequence[float], share: float
) -> tuple[float, bool]:
    """The percentile of times of which those in `cut` only say "longer than this".

    By the Kaplan-Meier estimate, so that a request that was sent just before the end does not pass
    for one that waited long. The flag is True where the percentile lies beyond what was seen; the
    number is then the longest wait, which it exceeds.
    """
    at_risk = len(seen) + len(cut)
    if not at_risk:
        return math.nan, False
    surviving = 1.0
    moments = sorted([(value, False) for value in seen] + [(value, True) for value in cut])
    for value, is_cut in moments:
        if not is_cut:
            surviving *= 1 - 1 / at_risk
            if surviving <= 1 - share + 1e-9:
                return value, False
        at_risk -= 1
    return moments[-1][0], True
