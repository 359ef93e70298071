"""People and what they may do."""

from collections.abc import Iterable

from sqlmodel import col, select

from service.store.database import Database
from service.store.team_tables import Person


class PersonStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def names(self, ids: Iterable[str | None]) -> dict[str, str]:
        """Returns the names of these people by their ids, in one query; removed people have one too."""
        wanted = {person_id for person_id in ids if person_id is not None}
        if not wanted:
            return {}
        with self._database.read() as session:
            rows = session.exec(select(Person.id, Person.name).where(col(Person.id).in_(wanted)))
            return dict(rows.all())
