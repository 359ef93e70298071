"""Whether somebody may still do what they could when a long request began."""

from sqlmodel import col, select

from service.store.database import Database
from service.store.team_tables import Membership, Person


class RightStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def may_read(self, person_id: str, board_id: str) -> bool:
        with self._database.read() as session:
            found = session.exec(
                select(Membership.person_id)
                .join(Person, col(Person.id) == col(Membership.person_id))
                .where(
                    Membership.person_id == person_id,
                    col(Membership.board_id).in_(["", board_id]),
                    col(Person.removed_at).is_(None),
                )
            )
            return found.first() is not None
