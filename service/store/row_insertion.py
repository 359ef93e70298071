"""Inserts rows of a file within the caller's transaction, also in parts: those that are there already
are left out, and an idea may come before its parent.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import insert
from sqlmodel import Session, SQLModel, col, func, select

from service.schemas.archive import IdeaRow
from service.store.archive_checks import like_key, row_key
from service.store.archive_rows import Row, values_of
from service.store.attachment_tables import Attachment
from service.store.dialects import continue_numbers
from service.store.hidden_ideas import ALL_OF_THEM
from service.store.placing import places_for
from service.store.search import index
from service.store.tables import (
    Board,
    Comparison,
    Evaluation,
    Idea,
    IdeaTag,
    IdeaVersion,
    Rubric,
    Run,
    Suggestion,
)
from service.store.team_tables import Comment, IdeaLike, Person

# Section -> table, ordered so that the target of a reference comes before it.
TABLES: dict[str, type[SQLModel]] = {
    "people": Person,
    "boards": Board,
    "ideas": Idea,
    "runs": Run,
    "versions": IdeaVersion,
    "suggestions": Suggestion,
    "rubrics": Rubric,
    "evaluations": Evaluation,
    "comparisons": Comparison,
    "likes": IdeaLike,
    "comments": Comment,
    "attachments": Attachment,
}
Places = Mapping[str, int]


def known_keys(session: Session, name: str, rows: Sequence[Any] | None = None) -> set[str]:
    """Returns the keys of a section, as `row_key` has them, that are there: all, or those of `rows`."""
    if name == "likes":
        likes = select(IdeaLike.idea_id, IdeaLike.liker)
        if rows is not None:
            likes = likes.where(col(IdeaLike.idea_id).in_({row.idea_id for row in rows}))
        return {like_key(idea_id, liker) for idea_id, liker in session.exec(likes)}
    table: Any = Idea if name == "versions" else TABLES[name]
    found = select(table.id)
    if rows is not None:
        found = found.where(table.id.in_({row_key(name, row) for row in rows}))
    return set(session.exec(found.execution_options(**ALL_OF_THEM)))


def insert_missing(session: Session, name: str, rows: Sequence[Any]) -> None:
    """Inserts those rows of a section that are not there. Ideas have `insert_ideas`."""
    known = known_keys(session, name, rows)
    insert_rows(session, name, [row for row in rows if row_key(name, row) not in known])


def insert_rows(session: Session, name: str, rows: Sequence[Any]) -> None:
    if rows:
        session.connection().execute(insert(TABLES[name]), [values_of(row) for row in rows])


def places_of(session: Session, ideas: Sequence[IdeaRow]) -> Places:
    """Returns places by id with which the ideas come before all others of their boards."""
    places = places_for(session, [(row.board_id, row.place or 0) for row in ideas])
    return {row.id: place for row, place in zip(ideas, places, strict=True)}


def insert_ideas(session: Session, rows: Sequence[IdeaRow], places: Places) -> None:
    if not rows:
        return
    # There is one writer, so these numbers stay free until the transaction ends.
    first = (
        session.scalar(select(func.max(Idea.number)).execution_options(**ALL_OF_THEM)) or 0
    ) + 1
    values, tags, words = [], [], []
    for number, row in enumerate(rows, start=first):
        names = list(dict.fromkeys(row.tags))
        more = {"number": number, "title_key": row.title.casefold(), "place": places[row.id]}
        values.append(row.model_dump(exclude={"tags"}) | more)
        tags += [{"idea_number": number, "name": name} for name in names]
        words.append(
            {"number": number, "title": row.title, "body": row.body, "tags": " ".join(names)}
        )
    connection = session.connection()
    _await_parents(session, values)
    connection.execute(insert(Idea), _parents_first(values))
    continue_numbers(session, SQLModel.metadata.tables["idea"])
    if tags:
        connection.execute(insert(IdeaTag), tags)
    index(session, words)


def _await_parents(session: Session, ideas: Sequence[Row]) -> None:
    """Notes in place which ideas lack their parent. `connect_lost` gives it to them once it is there."""
    wanted = {idea["parent_id"] for idea in ideas} - {idea["id"] for idea in ideas} - {None}
    there = select(Idea.id).where(col(Idea.id).in_(wanted)).execution_options(**ALL_OF_THEM)
    found = session.exec(there).all()
    missing = wanted - set(found)
    for idea in ideas:
        is_lost = idea["parent_id"] in missing
        idea["lost_parent_id"] = idea["parent_id"] if is_lost else None
        idea["parent_id"] = None if is_lost else idea["parent_id"]


def _parents_first(ideas: Sequence[Row]) -> list[Row]:
    """A parent may come later in the file; no idea is its own ancestor."""
    waiting = {idea["id"]: idea for idea in ideas}
    ordered: list[Row] = []
    for idea in ideas:
        line: list[Row] = []
        here: str | None = idea["id"]
        while here in waiting:
            line.append(waiting.pop(here))
            here = line[-1]["parent_id"]
        ordered += reversed(line)
    return ordered
