"""One page of runs, newest first, filtered by board, idea, kind and status, with a keyset cursor."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import and_, exists, or_
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from service.schemas.fields import UNFINISHED, RunKind, RunStatus
from service.schemas.runs import RunPublic
from service.store import cursors
from service.store.tables import Run, Suggestion


@dataclass(frozen=True, slots=True)
class RunPage:
    items: list[RunPublic]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class RunQuery:
    """`has_ideas` leaves out brainstorms that ended without a suggestion, and those that only drew
    one suggestion of another brainstorm again.
    """

    board_id: str | None = None
    idea_id: str | None = None
    kind: RunKind | None = None
    status: RunStatus | None = None
    cursor: str | None = None
    limit: int = 20
    has_ideas: bool = False

    def selected(self) -> Any:
        statement: Any = select(Run)
        for name in ("board_id", "idea_id", "kind", "status"):
            value = getattr(self, name)
            if value is not None:
                statement = statement.where(getattr(Run, name) == value)
        if self.has_ideas:
            suggests = exists().where(col(Suggestion.run_id) == Run.id)
            statement = statement.where(or_(col(Run.status).in_(UNFINISHED), suggests))
            statement = statement.where(col(Run.id).not_in(_redraws(self.board_id)))
        return statement


def run_page(session: Session, query: RunQuery) -> tuple[list[Run], str | None]:
    """Returns up to `limit` runs, and the cursor of the next page if there is one.

    Raises:
        InvalidInput: the cursor belongs to another list.
    """
    statement = query.selected()
    if query.cursor is not None:
        moment, run_id = _decode(query.cursor)
        earlier = col(Run.created_at) < moment
        statement = statement.where(
            or_(earlier, and_(col(Run.created_at) == moment, col(Run.id) < run_id))
        )
    newest_first = statement.order_by(col(Run.created_at).desc(), col(Run.id).desc())
    rows = list(session.exec(newest_first.limit(query.limit + 1)))
    if len(rows) <= query.limit:
        return rows, None
    rows.pop()
    return rows, cursors.encode(["runs", rows[-1].created_at.isoformat(), rows[-1].id])


def _redraws(board_id: str | None) -> Any:
    """The runs that drew a suggestion again; they are on the same board as the first one."""
    source = aliased(Run)
    redraws: Any = select(Suggestion.redrawn_in).join(
        source, col(source.id) == col(Suggestion.run_id)
    )
    redraws = redraws.where(col(Suggestion.redrawn_in).is_not(None))
    return redraws if board_id is None else redraws.where(source.board_id == board_id)


def _decode(cursor: str) -> tuple[datetime, str]:
    try:
        name, moment, run_id = cursors.decode(cursor)
        if name != "runs" or not isinstance(run_id, str):
            raise ValueError(name)
        return datetime.fromisoformat(moment).astimezone(UTC), run_id
    except (ValueError, TypeError, OverflowError) as error:
        raise cursors.invalid_cursor() from error
