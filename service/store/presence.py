"""Who is at a board, through any of the servers that share the database."""

from sqlmodel import col, delete, select

from service.store.announcements import announce
from service.store.database import Database
from service.store.replica_tables import Presence, Replica
from service.store.replicas import clock


class PresenceStore:
    """Writes only when it changes who is there: a server's lease says how long its people count."""

    def __init__(self, database: Database, replica_id: str) -> None:
        self._database = database
        self._replica_id = replica_id

    def renew(self, board_id: str, person_ids: frozenset[str]) -> frozenset[str]:
        """Says who is at the board through this server, and returns who is at it through any."""
        with self._database.read() as session:
            holders = select(Replica.id).where(col(Replica.lease_until) > clock(session))
            rows = session.exec(
                select(Presence.person_id, Presence.replica_id)
                .where(Presence.board_id == board_id)
                .where(
                    col(Presence.replica_id).in_(holders)
                    | (col(Presence.replica_id) == self._replica_id)
                )
            ).all()
        own = {person for person, replica in rows if replica == self._replica_id}
        if own != person_ids:
            self._write(board_id, person_ids)
        return person_ids | {person for person, replica in rows if replica != self._replica_id}

    def _write(self, board_id: str, person_ids: frozenset[str]) -> None:
        with self._database.write() as session:
            session.exec(
                delete(Presence).where(
                    col(Presence.board_id) == board_id,
                    col(Presence.replica_id) == self._replica_id,
                )
            )
            for person_id in person_ids:
                session.add(
                    Presence(board_id=board_id, person_id=person_id, replica_id=self._replica_id)
                )
            announce(session, board_id)
