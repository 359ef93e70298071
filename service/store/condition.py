"""What is wrong with the database, as far as those who used it have seen; the log says it once."""

import logging
import time

from service.errors import StorageUnavailable
from service.messages import Text
from service.store.dialects.protocol import Trouble

# For so long after a write nobody need try whether the database can be written.
FRESH_S = 5.0
# The same trouble is logged again after so long.
SAME_S = 60.0
_log = logging.getLogger(__name__)


class Condition:
    """Safe to use from any thread: each step is one assignment, and the last one counts."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._error: StorageUnavailable | None = None
        self._written_at = -FRESH_S
        self._logged, self._logged_at = "", 0.0
        self._is_end_logged = True

    @property
    def has_failed(self) -> bool:
        """Whether the last that was tried failed."""
        return self._error is not None

    @property
    def is_doubtful(self) -> bool:
        return self._error is not None or time.monotonic() - self._written_at > FRESH_S

    def check(self) -> None:
        """Raises: StorageUnavailable, if the last that was tried failed."""
        if (error := self._error) is not None:
            raise StorageUnavailable(error.detail)

    def works(self) -> None:
        """Somebody has written."""
        self._written_at, self._error = time.monotonic(), None
        if not self._is_end_logged:
            self._is_end_logged = True
            _log.warning("the database %s can be written again", self._place)

    def failed(self, trouble: Trouble, *, is_busy: bool) -> StorageUnavailable:
        """Returns what to tell the one who tried. Others of this process are busy at times, which says
        nothing of the database.
        """
        error = StorageUnavailable(
            Text(
                "The database cannot be used right now (%(reason)s). Nothing was saved. %(advice)s",
                reason=trouble.reason,
                advice=trouble.advice,
            )
        )
        if not is_busy:
            self._error = error
            self._log(trouble.told or str(trouble.reason))
        return error

    def _log(self, told: str) -> None:
        """On a disk that is nearly full, small writes succeed between others that fail."""
        now = time.monotonic()
        if told != self._logged or now - self._logged_at > SAME_S:
            self._logged, self._logged_at, self._is_end_logged = told, now, False
            _log.error("the database %s cannot be used: %s", self._place, told)
