"""Ideas and versions as others see them: with their tags, authors and reactions."""

from collections.abc import Sequence

from sqlalchemy import bindparam
from sqlmodel import Session, col, select

from service.schemas.ideas import IdeaPublic, VersionPublic
from service.schemas.people import PersonPublic
from service.store.authors import authors_of_ideas, authors_of_versions
from service.store.hidden_ideas import is_hidden
from service.store.reactions import NONE, Reactions, reactions
from service.store.tables import Idea, IdeaTag, IdeaVersion

# Made once: to make a statement takes as long as to execute it.
_TAGS = (
    select(IdeaTag.idea_number, IdeaTag.name)
    .where(col(IdeaTag.idea_number).in_(bindparam("ideas", expanding=True)))
    .order_by(col(IdeaTag.name))
)


def public(session: Session, idea: Idea) -> IdeaPublic:
    return publics(session, [idea])[0]


def publics(session: Session, ideas: Sequence[Idea]) -> list[IdeaPublic]:
    tags = tags_of(session, ideas)
    names = authors_of_ideas(session, ideas)
    reacted = reactions(session, [idea.id for idea in ideas])
    return [
        as_public(
            idea,
            tags[number_of(idea)],
            author=names.get(idea.id),
            reacted=reacted.get(idea.id, NONE),
            is_hidden=is_hidden(session, idea),
        )
        for idea in ideas
    ]


def as_public(
    idea: Idea,
    tags: list[str],
    *,
    author: PersonPublic | None,
    reacted: Reactions = NONE,
    is_hidden: bool = False,
) -> IdeaPublic:
    return IdeaPublic(
        **idea.model_dump(),
        author=author,
        tags=tags,
        likes=reacted.likes,
        liked=reacted.liked,
        comments=reacted.comments,
        is_stale=idea.is_stale,
        is_hidden=is_hidden,
    )


def public_versions(session: Session, rows: Sequence[IdeaVersion]) -> list[VersionPublic]:
    names = authors_of_versions(session, rows)
    return [VersionPublic(**row.model_dump(), author=names.get(row.person_id)) for row in rows]


def tags_of(session: Session, ideas: Sequence[Idea]) -> dict[int, list[str]]:
    """Returns the tags of each idea by the idea's number."""
    return tags_of_numbers(session, [number_of(idea) for idea in ideas])


def tags_of_numbers(session: Session, numbers: Sequence[int]) -> dict[int, list[str]]:
    tags: dict[int, list[str]] = {number: [] for number in numbers}
    for number, name in session.exec(_TAGS, params={"ideas": numbers}):
        tags[number].append(name)
    return tags


def number_of(idea: Idea) -> int:
    assert idea.number is not None, "flushed ideas have a number"
    return idea.number
