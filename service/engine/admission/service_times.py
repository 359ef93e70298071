"""How long requests of each model took lately, and when a refused caller should try again."""

import math
from collections.abc import Mapping

INITIAL_ESTIMATE_S = 10.0
LONGEST_RETRY_AFTER_S = 120
# The weight of the latest request in the moving average.
LATEST_WEIGHT = 0.2


class ServiceTimes:
    """An exponential moving average of the service time, in seconds, for each model."""

    def __init__(self, slots: Mapping[str, int]) -> None:
        self._slots = dict(slots)
        self._mean_s = dict.fromkeys(slots, INITIAL_ESTIMATE_S)

    def set_slots(self, slots: Mapping[str, int]) -> None:
        self._slots |= slots

    def record(self, model: str, took_s: float) -> None:
        self._mean_s[model] += LATEST_WEIGHT * (took_s - self._mean_s[model])

    def retry_after_s(self, model: str, waiting: int) -> int:
        """Seconds until the model is expected to have started its `waiting` requests."""
        rounds = (waiting + 1) / self._slots[model]
        return min(LONGEST_RETRY_AFTER_S, max(1, math.ceil(rounds * self._mean_s[model])))
