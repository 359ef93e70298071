"""Says how long a run still takes, or how long until it begins, where earlier runs tell."""

from datetime import UTC, datetime

from service.errors import NotFound
from service.messages import Text
from service.runs.estimates import Progress, TimedRun, pace, remaining_s
from service.runs.recorder import LiveRun
from service.runs.service import Runs
from service.schemas.fields import UNFINISHED
from service.schemas.run_kinds import failures
from service.schemas.runs import RunPublic
from service.store import Store
from service.web.pages.run_kinds import SHOWN_KINDS

# So many of the latest runs are looked at.
MOST_RUNS = 30
A_FEW_S, UNDER_A_MINUTE_S, A_MINUTE_S = 8, 55, 90
STEP_S = 5


class RunTimes:
    """Estimates for runs. It keeps what it has read of earlier runs, so make one for each stream.

    Blocking: call it in a thread.
    """

    def __init__(self, store: Store, runs: Runs) -> None:
        self._store = store
        self._runs = runs
        self._earlier: dict[tuple[str, str], list[TimedRun]] = {}

    def left_s(self, run: RunPublic, live: LiveRun | None) -> float | None:
        """Seconds until an unfinished run is done, once the model works on it; None if unknown."""
        if live is None or run.status not in UNFINISHED:
            return None
        wanted = SHOWN_KINDS[run.kind].items(run.request)
        if not wanted:
            return None
        begun = run.started_at
        return remaining_s(
            pace(self._of(run, live.model or run.model), wanted),
            Progress(
                wanted,
                made=run.written + len(run.evaluations) + len(failures(run)) + len(run.comparisons),
                drafts=len(live.drafts),
                running_s=(datetime.now(UTC) - begun).total_seconds() if begun else 0.0,
            ),
        )

    def wait_s(self, before: tuple[str, ...]) -> float | None:
        """Seconds until these runs are done, one after the other; None if one of them is unknown."""
        left = []
        for one in before:
            try:
                left.append(self.left_s(self._store.runs.get(one), self._runs.look(one)))
            except NotFound:
                # It is on a board that whoever waits cannot see.
                return None
        known = [one for one in left if one is not None]
        return sum(known) if known and len(known) == len(left) else None

    def _of(self, run: RunPublic, model: str) -> list[TimedRun]:
        key = (run.kind, model)
        if key not in self._earlier:
            items = SHOWN_KINDS[run.kind].items
            self._earlier[key] = [
                TimedRun(items(request), timing["total_s"] - (timing["queued_s"] or 0))
                for request, timing in self._store.runs.times(run.kind, model, limit=MOST_RUNS)
                if timing and items(request)
            ]
        return self._earlier[key]


def about(seconds: float) -> Text:
    """Rounded as coarsely as an estimate deserves."""
    if seconds < A_FEW_S:
        return Text("a few seconds")
    if seconds < UNDER_A_MINUTE_S:
        return Text("about %(seconds)s s", seconds=STEP_S * max(2, round(seconds / STEP_S)))
    if seconds < A_MINUTE_S:
        return Text("about a minute")
    return Text("about %(minutes)s minutes", minutes=round(seconds / 60))
