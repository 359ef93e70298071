"""Measures time limits on a machine that may be busy with other work."""

import math
from collections.abc import Callable

TRIES = 3


def quickest(attempt: Callable[[], float], limit_s: float) -> float:
    """Seconds of the fastest of a few attempts; stops at the first one below the limit.

    Other work on the machine can slow any attempt down, so one slow attempt proves nothing.
    """
    best_s = math.inf
    for _ in range(TRIES):
        best_s = min(best_s, attempt())
        if best_s < limit_s:
            break
    return best_s
