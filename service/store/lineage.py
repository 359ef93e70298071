"""Finds which ideas of a board come from which others. It reads links, not texts."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import select as select_columns
from sqlmodel import Session, col, or_, select

from service.schemas.lineage import Origin
from service.store.database import Database
from service.store.tables import Idea, Run, Suggestion

# SQLite limits the number of values in one statement.
BATCH = 500


class LineageStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def of_board(self, board_id: str) -> list[Origin]:
        """Returns the board's ideas that have a parent or a child, sorted by number.

        Parents on other boards are included, and so are deleted ideas, because they connect trees. An
        idea that was deleted for good has only its id.
        """
        with self._database.read() as session:
            also = _combined(session, board_id)
            parents = select(Idea.parent_id).where(col(Idea.parent_id).is_not(None))
            linked = _origins(
                session,
                also,
                Idea.board_id == board_id,
                or_(
                    col(Idea.parent_id).is_not(None),
                    col(Idea.lost_parent_id).is_not(None),
                    col(Idea.id).in_(parents),
                ),
            )
            linked |= _by_ids(session, also, also.keys() - linked.keys())
            wanted = {up for one in linked.values() for up in one.parents}
            linked |= _by_ids(session, also, wanted - linked.keys())
            linked |= {one: _purged(one) for one in wanted - linked.keys()}
            return sorted(linked.values(), key=lambda one: one.number)


def _combined(session: Session, board_id: str) -> dict[str, list[str]]:
    """Returns, by the id of an idea that combines several, the ids of its sources."""
    sources = col(Run.request)["idea_ids"].as_string()
    rows = session.exec(
        select(Suggestion.idea_id, Run.request)
        .join(Run, col(Run.id) == Suggestion.run_id)
        .where(
            Run.board_id == board_id,
            col(Suggestion.idea_id).is_not(None),
            sources.is_not(None),
        )
    )
    return {
        idea_id: [str(one) for one in request["idea_ids"] or []]
        for idea_id, request in rows
        if idea_id is not None
    }


def _by_ids(session: Session, also: dict[str, list[str]], ids: Iterable[str]) -> dict[str, Origin]:
    ordered = sorted(ids)
    found: dict[str, Origin] = {}
    for start in range(0, len(ordered), BATCH):
        found |= _origins(session, also, col(Idea.id).in_(ordered[start : start + BATCH]))
    return found


def _purged(idea_id: str) -> Origin:
    """Returns an idea that was deleted for good. It comes first, because its number is lost."""
    return Origin(id=idea_id, number=0, title="", status="", is_deleted=True)


def _origins(session: Session, also: dict[str, list[str]], *conditions: Any) -> dict[str, Origin]:
    names = ("id", "number", "title", "status", "parent_id", "lost_parent_id", "deleted_at")
    columns = [col(getattr(Idea, name)) for name in names]
    return {
        row.id: Origin(
            id=row.id,
            number=row.number,
            title=row.title,
            status=row.status,
            parent_id=row.parent_id or row.lost_parent_id,
            also_from=tuple(
                one for one in also.get(row.id, ()) if one not in (row.parent_id, row.id)
            ),
            is_deleted=row.deleted_at is not None,
        )
        # Only some columns, because texts may be long and are not needed here.
        for row in session.execute(select_columns(*columns).where(*conditions))
    }
