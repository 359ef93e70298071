"""The names behind the rows that people made, read in one query for many rows."""

from collections.abc import Iterable, Sequence

from sqlmodel import Session, col, select

from service.schemas.people import PersonPublic
from service.store.hidden_ideas import nameless_ideas
from service.store.tables import Idea, IdeaVersion
from service.store.team_tables import Person

Authors = dict[str | None, PersonPublic]


def authors(session: Session, person_ids: Iterable[str | None]) -> Authors:
    """Returns these people by their ids, removed ones too; nobody stands behind None."""
    wanted = {person_id for person_id in person_ids if person_id is not None}
    if not wanted:
        return {}
    rows = session.exec(select(Person.id, Person.name).where(col(Person.id).in_(wanted)))
    return {person_id: PersonPublic(id=person_id, name=name) for person_id, name in rows}


def authors_of_ideas(session: Session, ideas: Sequence[Idea]) -> dict[str, PersonPublic]:
    """Returns the authors by the ideas' ids, as far as everybody may know who wrote what."""
    from_rounds = [idea.id for idea in ideas if idea.round_id is not None]
    nameless = nameless_ideas(session, from_rounds) if from_rounds else set()
    shown = {idea.id: idea.person_id for idea in ideas if idea.id not in nameless}
    names = authors(session, shown.values())
    return {idea_id: names[by] for idea_id, by in shown.items() if by in names}


def authors_of_versions(session: Session, versions: Sequence[IdeaVersion]) -> Authors:
    """Returns the authors of versions by their ids, as far as everybody may know who wrote what."""
    nameless = nameless_ideas(session, {version.idea_id for version in versions})
    return authors(session, (one.person_id for one in versions if one.idea_id not in nameless))
