"""What people decided about suggestions and ideas of a board, as far as the board may learn from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, SQLColumnExpression, true
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, func, or_, select

from service.errors import NotFound
from service.messages import Text
from service.schemas.brainstorm import SuggestionPublic
from service.schemas.identity import now
from service.store.database import Database
from service.store.tables import Board, Comparison, Idea, Run, Suggestion

# Tastes change, and a fit has to take seconds.
MOST_RUNS, MOST_COMPARISONS = 200, 500


@dataclass(frozen=True, slots=True)
class Opinion:
    """A suggestion of a run in which something was decided.

    `is_liked` says that more like it was asked for, or that the idea it became has a star.
    """

    suggestion: SuggestionPublic
    run_id: str
    is_liked: bool


@dataclass(frozen=True, slots=True)
class Preference:
    """A person put the idea with the text `first` before the other one."""

    first: str
    second: str


@dataclass(frozen=True, slots=True)
class Decisions:
    """Those after `since`; None is all."""

    since: datetime | None
    opinions: Sequence[Opinion]
    preferences: Sequence[Preference]


class TasteStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def forget(self, board_id: str) -> None:
        """Nothing is learnt any more from what was decided until now.

        Raises: NotFound
        """
        with self._database.write() as session:
            board = _board(session, board_id)
            board.taste_since = now()
            session.add(board)

    def decisions(self, board_id: str) -> Decisions:
        """Raises: NotFound"""
        with self._database.read() as session:
            since = _board(session, board_id).taste_since
            return Decisions(
                since,
                _opinions(session, board_id, since),
                _preferences(session, board_id, since),
            )


def _opinions(session: Session, board_id: str, since: datetime | None) -> list[Opinion]:
    """Of the newest runs, oldest first."""
    moment = func.coalesce(col(Suggestion.decided_at), col(Run.created_at))
    decided = (
        select(Run.id)
        .join(Suggestion, col(Suggestion.run_id) == col(Run.id))
        .where(Run.board_id == board_id, Suggestion.state != "open", _after(moment, since))
        .group_by(col(Run.id), col(Run.created_at))
        .order_by(col(Run.created_at).desc())
        .limit(MOST_RUNS)
    )
    liked = set(
        session.exec(
            select(col(Run.request)["suggestion_id"].as_string()).where(Run.board_id == board_id)
        )
    )
    rows = session.exec(
        select(Suggestion, col(Idea.star))
        .join(Run, col(Suggestion.run_id) == col(Run.id))
        .outerjoin(Idea, col(Suggestion.idea_id) == col(Idea.id))
        .where(
            col(Run.id).in_(decided),
            or_(col(Suggestion.state) == "open", _after(moment, since)),
        )
        .order_by(col(Run.created_at), col(Suggestion.position))
    )
    return [
        Opinion(
            SuggestionPublic.model_validate(row, from_attributes=True),
            row.run_id,
            is_liked=row.id in liked or bool(star),
        )
        for row, star in rows
    ]


def _preferences(session: Session, board_id: str, since: datetime | None) -> list[Preference]:
    """The newest ones; a tie says nothing about taste."""
    first, second = aliased(Idea), aliased(Idea)
    rows = session.exec(
        select(Comparison.outcome, _text(first), _text(second))
        .join(first, col(Comparison.first_id) == first.id)
        .join(second, col(Comparison.second_id) == second.id)
        .where(
            Comparison.board_id == board_id,
            Comparison.by == "people",
            Comparison.outcome != "tie",
            _after(col(Comparison.created_at), since),
        )
        .order_by(col(Comparison.created_at).desc())
        .limit(MOST_COMPARISONS)
    )
    return [
        Preference(*((one, other) if outcome == "first" else (other, one)))
        for outcome, one, other in rows
    ]


def _text(idea: type[Idea]) -> ColumnElement[str]:
    return col(idea.title) + ". " + col(idea.body)


def _after(moment: SQLColumnExpression[datetime], since: datetime | None) -> ColumnElement[bool]:
    return true() if since is None else moment > since


def _board(session: Session, board_id: str) -> Board:
    board = session.get(Board, board_id)
    if board is None or board.deleted_at is not None:
        raise NotFound(Text("There is no board %(board_id)s.", board_id=board_id))
    return board
