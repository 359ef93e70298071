"""Stores ideas, versions and tags by plain statements, because the session takes several times as long.

The session does not see these rows. What it would see to for a new idea is done here: whether the acting
person may write on the board, and the activity.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, delete, insert
from sqlmodel import Session, SQLModel

from service.actor import acting_person_id
from service.schemas.ideas import IdeaCreate, IdeaPublic
from service.schemas.identity import new_id, now
from service.store.access import require_writing
from service.store.activity import record
from service.store.authors import authors
from service.store.placing import first_place
from service.store.public_ideas import number_of, tags_of_numbers
from service.store.search import index
from service.store.tables import Idea
from service.store.team_tables import WritingRound

_IDEA, _VERSION, _TAG = (
    SQLModel.metadata.tables[name] for name in ("idea", "idea_version", "idea_tag")
)
_INSERT_IDEA, _INSERT_VERSION, _INSERT_TAGS = insert(_IDEA), insert(_VERSION), insert(_TAG)
_DELETE_TAGS = delete(_TAG).where(_TAG.c.idea_number == bindparam("idea"))


def insert_idea(
    session: Session,
    shape: IdeaCreate,
    *,
    board_id: str,
    written_in: WritingRound | None,
    origin: str,
    run_id: str | None,
) -> IdeaPublic:
    """`written_in` is the open round that hides the idea, if any.

    Raises: RoleNeeded or ScopeNeeded if the acting person may not write on the board.
    """
    require_writing(board_id)
    moment, person_id = now(), acting_person_id()
    row: dict[str, Any] = shape.model_dump(exclude={"tags"}) | {
        "id": new_id(),
        "board_id": board_id,
        "title_key": shape.title.casefold(),
        "round_id": written_in.id if written_in else None,
        "origin": origin,
        "place": first_place(session, board_id),
        "version": 1,
        "revision": 1,
        "person_id": person_id,
        "score": None,
        "created_at": moment,
        "updated_at": moment,
    }
    is_nameless = written_in is not None and written_in.named_at is None
    record(session, "idea.created", board_id, row["id"], is_nameless=is_nameless)
    key = session.connection().execute(_INSERT_IDEA, row).inserted_primary_key
    assert key is not None, "a single row has a key"
    number = key[0]
    insert_version(session, row, run_id)
    tags = _insert_tags(session, number, shape.tags)
    index(session, [row | {"number": number, "tags": " ".join(shape.tags)}])
    return IdeaPublic(
        **row,
        author=None if is_nameless else authors(session, [person_id]).get(person_id),
        tags=tags,
        is_stale=False,
        is_hidden=written_in is not None,
    )


def insert_version(session: Session, idea: Mapping[str, Any], run_id: str | None) -> None:
    """`idea` has the text, the version and what wrote it."""
    row = {
        "idea_id": idea["id"],
        "number": idea["version"],
        "title": idea["title"],
        "body": idea["body"],
        "origin": idea["origin"],
        "person_id": acting_person_id(),
        "run_id": run_id,
        "created_at": now(),
    }
    session.connection().execute(_INSERT_VERSION, row)


def write_tags(session: Session, idea: Idea, tags: Sequence[str]) -> None:
    """Replaces the idea's tags."""
    number = number_of(idea)
    session.connection().execute(_DELETE_TAGS, {"idea": number})
    _insert_tags(session, number, tags)


def _insert_tags(session: Session, number: int, tags: Sequence[str]) -> list[str]:
    """Returns them in the order in which the database has them."""
    names = list(dict.fromkeys(tags))
    if names:
        rows = [{"idea_number": number, "name": name} for name in names]
        session.connection().execute(_INSERT_TAGS, rows)
    return tags_of_numbers(session, [number])[number] if len(names) > 1 else names
