"""Uploaded files that wait for their import, where any of several servers may be asked for it."""

from datetime import timedelta

from sqlmodel import col, delete, select

from service.schemas.identity import now
from service.store.database import Database
from service.store.replica_tables import PendingUpload


class UploadStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, token: str, content: bytes, *, life: timedelta, most: int) -> None:
        """Stores a file, and deletes those that are older than `life` and all but the `most` newest."""
        with self._database.write() as session:
            session.add(PendingUpload(token=token, content=content))
            session.flush()
            newest = (
                select(PendingUpload.token)
                .order_by(col(PendingUpload.created_at).desc())
                .limit(most)
            )
            kept = list(session.exec(newest.where(col(PendingUpload.created_at) >= now() - life)))
            session.exec(delete(PendingUpload).where(col(PendingUpload.token).not_in(kept)))

    def read(self, token: str, *, life: timedelta) -> bytes | None:
        """None if there is no such file, or it is older than `life`."""
        with self._database.read() as session:
            return session.scalar(
                select(PendingUpload.content).where(
                    PendingUpload.token == token, col(PendingUpload.created_at) >= now() - life
                )
            )

    def drop(self, token: str) -> None:
        with self._database.write() as session:
            session.exec(delete(PendingUpload).where(col(PendingUpload.token) == token))
