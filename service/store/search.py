"""The full-text index of ideas. The transaction that changes an idea updates its row here."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from service.store.tables import Idea


def words_of(idea: Idea, tags: Sequence[str]) -> dict[str, Any]:
    """Returns an idea's row of the index."""
    tagged = " ".join(tags)
    return {"number": idea.number, "title": idea.title, "body": idea.body, "tags": tagged}


def index(session: Session, rows: Iterable[Mapping[str, Any]]) -> None:
    """Writes rows, replacing earlier rows of the same ideas."""
    if values := list(rows):
        session.connection().execute(
            text(
                "INSERT OR REPLACE INTO idea_search(rowid, title, body, tags) "
                "VALUES (:number, :title, :body, :tags)"
            ),
            values,
        )


def forget(session: Session, ideas: Iterable[Idea]) -> None:
    """Removes ideas from the index."""
    if values := [{"number": idea.number} for idea in ideas]:
        session.connection().execute(text("DELETE FROM idea_search WHERE rowid = :number"), values)
