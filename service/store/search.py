"""The full-text index over ideas, kept by hand in the transaction that changes them.

Deleted ideas stay in it, so that the trash can be searched.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from service.store.tables import Idea


def words_of(idea: Idea, tags: Sequence[str]) -> dict[str, Any]:
    """An idea's row in the index."""
    tagged = " ".join(tags)
    return {"number": idea.number, "title": idea.title, "body": idea.body, "tags": tagged}


def index(session: Session, rows: Iterable[Mapping[str, Any]]) -> None:
    """Writes the rows, over those of the same ideas."""
    if values := list(rows):
        session.connection().execute(
            text(
                "INSERT OR REPLACE INTO idea_search(rowid, title, body, tags) "
                "VALUES (:number, :title, :body, :tags)"
            ),
            values,
        )


def forget(session: Session, numbers: Iterable[int]) -> None:
    """Remove the ideas with these numbers."""
    if values := [{"number": number} for number in numbers]:
        session.connection().execute(text("DELETE FROM idea_search WHERE rowid = :number"), values)
