"""The names behind the rows that people made, read in one query for many rows."""

from collections.abc import Iterable

from sqlmodel import Session, col, select

from service.schemas.people import PersonPublic
from service.store.team_tables import Person

Authors = dict[str | None, PersonPublic]


def authors(session: Session, person_ids: Iterable[str | None]) -> Authors:
    """Returns these people by their ids, removed ones too; nobody stands behind None."""
    wanted = {person_id for person_id in person_ids if person_id is not None}
    if not wanted:
        return {}
    rows = session.exec(select(Person.id, Person.name).where(col(Person.id).in_(wanted)))
    return {person_id: PersonPublic(id=person_id, name=name) for person_id, name in rows}


def all_authors(session: Session) -> Authors:
    rows = session.exec(select(Person.id, Person.name))
    return {person_id: PersonPublic(id=person_id, name=name) for person_id, name in rows}
