"""One page of runs, newest first, filtered by board, idea, kind and status, with a keyset cursor."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import exists, or_
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from service.schemas.fields import UNFINISHED, RunKind, RunStatus
from service.store.cursors import Key, Order, Page, PageOf
from service.store.tables import Run, Suggestion

_NEWEST = Order(
    "runs",
    Key(col(Run.created_at), datetime, descending=True),
    Key(col(Run.id), str, descending=True),
)


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


def run_page(session: Session, query: RunQuery) -> Page[Run]:
    """Raises: InvalidInput if the cursor belongs to another list."""
    return _NEWEST.page(session, query.selected(), PageOf(query.limit, query.cursor))


def _redraws(board_id: str | None) -> Any:
    """The runs that drew a suggestion again; they are on the same board as the first one."""
    source = aliased(Run)
    redraws: Any = select(Suggestion.redrawn_in).join(
        source, col(source.id) == col(Suggestion.run_id)
    )
    redraws = redraws.where(col(Suggestion.redrawn_in).is_not(None))
    return redraws if board_id is None else redraws.where(source.board_id == board_id)
