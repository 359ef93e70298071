"""When a delivery that failed is tried again: later and later, over about a day."""

from collections.abc import Callable
from datetime import timedelta

# After the first attempt, the second, and so on; together 23.6 hours.
PAUSES_S = (60, 300, 1800, 7200, 18000, 28800, 28800)
JITTER = 0.2
# A webhook that nothing has reached for so long is switched off when one more delivery is given up.
PATIENCE = timedelta(days=3)


def pause_s(attempt: int, chance: Callable[[], float], wished_s: float | None) -> float | None:
    """Seconds until the next attempt; None if this one was the last.

    `chance` gives numbers from 0 to 1, so that many deliveries do not come at once. The receiver may
    wish for more time, up to the longest pause.
    """
    if attempt > len(PAUSES_S):
        return None
    usual = PAUSES_S[attempt - 1] * (1 - JITTER + 2 * JITTER * chance())
    return max(usual, min(wished_s or 0.0, PAUSES_S[-1]))
