"""The full-text index of ideas. The transaction that changes an idea updates its row here.

Deleted ideas stay in the index, so that the trash can be searched.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlmodel import Session

from service.store.dialects import search_index
from service.store.tables import Idea


def words_of(idea: Idea, tags: Sequence[str]) -> dict[str, Any]:
    """Returns an idea's row of the index."""
    tagged = " ".join(tags)
    return {"number": idea.number, "title": idea.title, "body": idea.body, "tags": tagged}


def index(session: Session, rows: Iterable[Mapping[str, Any]]) -> None:
    """Writes rows, replacing earlier rows of the same ideas."""
    if values := list(rows):
        search_index(session).write(session, values)


def remove_rows(session: Session, numbers: Iterable[int]) -> None:
    """Removes the ideas with these numbers from the index."""
    if values := list(numbers):
        search_index(session).remove(session, values)
