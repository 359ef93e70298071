"""Which servers share the database, and which runs each of them performs.

A server holds a lease and renews it every few seconds. When the lease has ended, any other server may
interrupt its runs. All times are those of the database's clock, so the clocks of the servers may
differ.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from alembic.runtime.migration import MigrationContext
from sqlmodel import Session, col, delete, func, select, update

from service import __version__
from service.errors import record
from service.messages import Text
from service.schemas.fields import UNFINISHED
from service.store.announcements import announce, replica_topic, run_topic
from service.store.database import Database, newest_revision
from service.store.replica_tables import Presence, Replica
from service.store.tables import Run

LEASE = timedelta(seconds=15)
# A server that ended is shown for a while, so that people see that it is missing.
SHOWN_FOR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class SeenReplica:
    """`seen_s` ago it renewed its lease, which lasts if it `is_here`. If it `is_outdated`, its program
    is older than the tables.
    """

    name: str
    version: str
    seen_s: float
    is_here: bool
    is_outdated: bool


class ReplicaStore:
    def __init__(self, database: Database, replica_id: str) -> None:
        self._database = database
        self.replica_id = replica_id

    def renew(self, name: str) -> dict[str, bool]:
        """Renews this server's lease, or takes one. Returns its unfinished runs, and whether each is
        to be stopped.
        """
        with self._database.write() as session:
            moment = clock(session)
            row = session.get(Replica, self.replica_id) or Replica(
                id=self.replica_id,
                name=name,
                version=__version__,
                schema_revision=newest_revision() or "",
                started_at=moment,
                seen_at=moment,
                lease_until=moment,
            )
            row.seen_at, row.lease_until = moment, moment + LEASE
            session.add(row)
            own = select(Run.id, Run.stop_requested_at).where(
                col(Run.replica_id) == self.replica_id, col(Run.status).in_(UNFINISHED)
            )
            return {run_id: asked is not None for run_id, asked in session.exec(own)}

    def leave(self) -> None:
        """Ends this server's lease, so that nobody waits for it."""
        with self._database.write() as session:
            session.exec(delete(Replica).where(col(Replica.id) == self.replica_id))
            session.exec(delete(Presence).where(col(Presence.replica_id) == self.replica_id))

    def end_abandoned(self) -> int:
        """Interrupts the runs of servers without a lease; returns how many there were."""
        with self._database.write() as session:
            moment = clock(session)
            holders = select(Replica.id).where(col(Replica.lease_until) > moment)
            abandoned = session.exec(
                select(Run)
                .where(col(Run.status).in_(UNFINISHED))
                .where(col(Run.replica_id).is_(None) | col(Run.replica_id).not_in(holders))
            ).all()
            interrupt(session, abandoned)
            session.exec(delete(Presence).where(col(Presence.replica_id).not_in(holders)))
            session.exec(delete(Replica).where(col(Replica.seen_at) < moment - SHOWN_FOR))
            return len(abandoned)

    def seen(self) -> list[SeenReplica]:
        """The servers of the last hour, by name."""
        with self._database.read() as session:
            moment = clock(session)
            revision = MigrationContext.configure(session.connection()).get_current_revision()
            rows = session.exec(select(Replica).order_by(Replica.name, Replica.id)).all()
            return [
                SeenReplica(
                    name=row.name,
                    version=row.version,
                    seen_s=round(max((moment - row.seen_at).total_seconds(), 0), 1),
                    is_here=row.lease_until > moment,
                    is_outdated=row.schema_revision != revision,
                )
                for row in rows
            ]

    def request_stop(self, run_id: str) -> None:
        """Asks the server that performs the run to stop it."""
        with self._database.write() as session:
            holder = session.scalar(select(Run.replica_id).where(Run.id == run_id))
            session.exec(
                update(Run)
                .where(col(Run.id) == run_id, col(Run.status).in_(UNFINISHED))
                .values(stop_requested_at=clock(session))
            )
            announce(session, replica_topic(holder or ""))


def interrupt(session: Session, runs: Sequence[Run]) -> None:
    """Marks runs whose server has gone."""
    detail = Text("The server stopped during this run. Start it again.")
    for run in runs:
        run.status, run.finished_at = "interrupted", clock(session)
        run.error = record({"type": "interrupted", "detail": detail})
        session.add(run)
        announce(session, run_topic(run.id))


def clock(session: Session) -> datetime:
    """The database's time, at which the transaction began."""
    moment = session.scalar(select(func.current_timestamp()))
    assert isinstance(moment, datetime)
    # SQLite's has no time zone, but is in UTC.
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
