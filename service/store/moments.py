"""What the database is like at a moment: enough to tell whether anything was stored since."""

from dataclasses import dataclass

from service.store.activity import ActivityStore
from service.store.database import Database


@dataclass(frozen=True, slots=True)
class Moment:
    """Whatever is read after the moment is at least as new. Two moments with equal versions are of the
    same data; None is like no other. `newest` is the number of the last activity.
    """

    version: str | None = None
    newest: int = 0


class MomentStore:
    def __init__(self, database: Database, activity: ActivityStore) -> None:
        self._database = database
        self._activity = activity
        self._last = Moment()

    def now(self) -> Moment:
        version, last = self._database.version(), self._last
        if version is not None and version == last.version:
            return last
        self._last = moment = Moment(version, self._activity.kept()[1])
        return moment
