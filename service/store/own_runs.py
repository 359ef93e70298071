"""The runs that this server performs. Nothing is added to one that another server has ended."""

from sqlmodel import Session, select

from service.errors import LeaseLost, NotFound
from service.messages import Text
from service.schemas.fields import UNFINISHED
from service.store.tables import Run

LOST = Text("Another server has ended this run, because this one did not reach the database.")


class OwnRuns:
    """`replica_id` is that of this server."""

    def __init__(self, replica_id: str) -> None:
        self.replica_id = replica_id

    def check(self, session: Session, run_id: str) -> None:
        """Raises: LeaseLost, NotFound"""
        # Not the whole row: its texts may be long.
        wanted = select(Run.status, Run.replica_id).where(Run.id == run_id)
        found = session.exec(wanted).first()
        if found is None:
            raise missing(run_id)
        self._check(*found)

    def get(self, session: Session, run_id: str) -> Run:
        """Raises: LeaseLost, NotFound"""
        run = run_in(session, run_id)
        self._check(run.status, run.replica_id)
        return run

    def _check(self, status: str, replica_id: str | None) -> None:
        if status not in UNFINISHED or replica_id != self.replica_id:
            raise LeaseLost(LOST)


def run_in(session: Session, run_id: str) -> Run:
    run = session.get(Run, run_id)
    if run is None:
        raise missing(run_id)
    return run


def missing(run_id: str) -> NotFound:
    return NotFound(Text("There is no run %(run_id)s.", run_id=run_id))
