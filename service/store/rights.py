"""Whether somebody may still do what they could when a long request began."""

from typing import Any

from sqlmodel import and_, col, or_, select

from service.store.database import Database
from service.store.tables import Run
from service.store.team_tables import Membership, Person


class RightStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def may_read(self, person_id: str, board_id: str) -> bool:
        return self._has_role(person_id, col(Membership.board_id).in_(["", board_id]))

    def may_read_run(self, person_id: str, run_id: str) -> bool:
        """A run without a board is for whoever started it, and for those with a role on every board."""
        with_run = select(Run.id).where(
            Run.id == run_id,
            or_(
                col(Run.board_id) == Membership.board_id,
                and_(col(Run.board_id).is_(None), col(Run.person_id) == person_id),
            ),
        )
        return self._has_role(person_id, or_(Membership.board_id == "", with_run.exists()))

    def has_any(self, person_id: str) -> bool:
        """Whether the person has a role anywhere."""
        return self._has_role(person_id)

    def _has_role(self, person_id: str, *conditions: Any) -> bool:
        with self._database.read() as session:
            found = session.exec(
                select(Membership.person_id)
                .join(Person, col(Person.id) == col(Membership.person_id))
                .where(
                    Membership.person_id == person_id, col(Person.removed_at).is_(None), *conditions
                )
            )
            return found.first() is not None
