"""What the database itself holds after the load of a team: changes, runs and who performed them."""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlmodel import col, func, select

from benchmarks.team_verdicts import Change, Life, Performed
from service.schemas.fields import UNFINISHED
from service.store.database import Database
from service.store.replica_tables import Replica
from service.store.tables import Run
from service.store.team_tables import Activity

# What to add to a time of the monotonic clock to get that of the wall, which is the database's.
WALL_S = time.time() - time.monotonic()


class Rows:
    """`url` is the database's. Servers are kept from each look on, as the database forgets them."""

    def __init__(self, url: str) -> None:
        self._database = Database(url)
        self._replicas: dict[str, Replica] = {}

    def __enter__(self) -> "Rows":
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def note_replicas(self) -> None:
        with self._database.read() as session:
            for row in session.exec(select(Replica)):
                self._replicas[row.id] = row

    def lives(self, kills: Mapping[str, Sequence[float]]) -> list[Life]:
        """`kills` are the moments, by the monotonic clock, at which a server of that name was killed."""
        self.note_replicas()
        lives = []
        for row in self._replicas.values():
            began = row.started_at.timestamp()
            moments = [one + WALL_S for one in kills.get(row.name, ())]
            killed = min((one for one in moments if one > began), default=None)
            lives.append(Life(row.id, row.lease_until.timestamp(), killed))
        return lives

    def newest_change(self) -> int:
        with self._database.read() as session:
            return session.scalar(select(func.max(col(Activity.number)))) or 0

    def changes(self, *, after: int) -> list[Change]:
        with self._database.read() as session:
            rows = session.exec(select(Activity).where(col(Activity.number) > after))
            return [
                Change(
                    row.number or 0,
                    row.board_id,
                    row.kind,
                    row.subject_id,
                    row.created_at.timestamp() - WALL_S,
                )
                for row in rows
            ]

    def unfinished(self) -> int:
        """How many runs have not ended."""
        with self._database.read() as session:
            query = select(func.count()).where(col(Run.status).in_(UNFINISHED))
            return session.scalar(query) or 0

    def runs(self) -> list[Performed]:
        with self._database.read() as session:
            rows = session.exec(select(Run.id, Run.status, Run.replica_id, Run.finished_at))
            return [
                Performed(run_id, status, replica_id or "", _seconds(finished))
                for run_id, status, replica_id, finished in rows
            ]

    def failures(self) -> list[str]:
        """Why runs failed, each reason once."""
        with self._database.read() as session:
            errors = session.exec(select(Run.error).where(Run.status == "failed"))
            return sorted({str((error or {}).get("detail", error)) for error in errors})


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()
