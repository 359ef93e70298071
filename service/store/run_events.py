"""Events of unfinished runs, for the servers that do not perform them.

Once a run is over its events are made from what is stored of it, so these are deleted soon after.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, delete, select

from service.schemas.fields import UNFINISHED
from service.schemas.identity import now
from service.store.announcements import announce, run_topic
from service.store.database import Database
from service.store.replica_tables import RunEvents
from service.store.tables import Run

# Who watches a run has read its last events long before; runs that last for hours keep theirs.
KEPT_FOR = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class EventBatch:
    """As `RunEvents`; `id` is 0 until it is stored."""

    run_id: str
    events: list[Any]
    state: dict[str, Any]
    id: int = 0


class RunEventStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, batches: Sequence[EventBatch]) -> None:
        with self._database.write() as session:
            for one in batches:
                session.add(RunEvents(run_id=one.run_id, events=one.events, state=one.state))
                announce(session, run_topic(one.run_id))

    def after(self, run_id: str, batch_id: int) -> list[EventBatch]:
        """The batches of the run that were stored after that one, oldest first."""
        with self._database.read() as session:
            rows = session.exec(
                select(RunEvents)
                .where(RunEvents.run_id == run_id, col(RunEvents.id) > batch_id)
                .order_by(col(RunEvents.id))
            )
            return [_batch(row) for row in rows]

    def newest(self, run_id: str) -> EventBatch | None:
        with self._database.read() as session:
            row = session.exec(
                select(RunEvents)
                .where(RunEvents.run_id == run_id)
                .order_by(col(RunEvents.id).desc())
                .limit(1)
            ).first()
            return None if row is None else _batch(row)

    def purge_old(self) -> None:
        with self._database.write() as session:
            forget_events(session, now() - KEPT_FOR)


def forget_events(session: Session, before: datetime | None = None) -> None:
    """Deletes the events of runs that are over, by default all of them.

    Who still reads them goes on with what is stored of the run.
    """
    going_on = select(Run.id).where(col(Run.status).in_(UNFINISHED))
    over = delete(RunEvents).where(col(RunEvents.run_id).not_in(going_on))
    if before is not None:
        over = over.where(col(RunEvents.created_at) < before)
    session.exec(over)


def _batch(row: RunEvents) -> EventBatch:
    return EventBatch(row.run_id, row.events, row.state, row.id or 0)
