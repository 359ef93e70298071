"""Queries over many ideas at once: outlines, counts and recent changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, func, select

from service.store.database import Database
from service.store.tables import Comparison, Evaluation, Idea, IdeaTag, IdeaVersion


@dataclass(frozen=True, slots=True)
class Outline:
    """The part of an idea that is needed to compare it with others."""

    id: str
    number: int
    title: str
    body: str
    tags: frozenset[str]


@dataclass(frozen=True, slots=True)
class Change:
    idea_id: str
    title: str
    version: int
    origin: str
    at: datetime


class OverviewStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def outlines(self, board_id: str, *, limit: int, archived: bool = True) -> list[Outline]:
        """Returns outlines of the board's newest ideas, newest first."""
        query = select(Idea.id, col(Idea.number), Idea.title, Idea.body).where(
            *_is_on_board(board_id)
        )
        if not archived:
            query = query.where(Idea.status != "archived")
        with self._database.read() as session:
            rows = session.exec(query.order_by(col(Idea.number).desc()).limit(limit)).all()
            tags: dict[int, set[str]] = {}
            for number, name in session.exec(
                select(IdeaTag.idea_number, IdeaTag.name)
                .join(Idea, col(Idea.number) == IdeaTag.idea_number)
                .where(*_is_on_board(board_id))
            ):
                tags.setdefault(number, set()).add(name)
            return [
                Outline(idea_id, number or 0, title, body, frozenset(tags.get(number or 0, ())))
                for idea_id, number, title, body in rows
            ]

    def ids_by_origin(self, board_id: str, origins: Sequence[str]) -> list[str]:
        """Returns the ids of the board's ideas that come from there, archived ones left out."""
        query = select(Idea.id).where(*_is_on_board(board_id), col(Idea.origin).in_(origins))
        with self._database.read() as session:
            return list(session.exec(query.where(Idea.status != "archived")))

    def texts_of(self, idea_ids: Sequence[str]) -> dict[str, str]:
        """Returns title and body of those of the ideas that exist, in one text, by id."""
        query = select(Idea.id, Idea.title, Idea.body).where(col(Idea.id).in_(idea_ids))
        with self._database.read() as session:
            return {idea_id: f"{title}. {body}" for idea_id, title, body in session.exec(query)}

    def count_unarchived(self, board_id: str) -> int:
        with self._database.read() as session:
            return _count(session, *_is_on_board(board_id), Idea.status != "archived")

    def counts(self, board_id: str) -> Mapping[str, int]:
        """Counts the board's ideas that are starred, evaluated, or without tags."""
        tagged = select(IdeaTag.idea_number)
        on_board = _is_on_board(board_id)
        with self._database.read() as session:
            return {
                "starred": _count(session, *on_board, col(Idea.star).is_(True)),
                "evaluated": _count(session, *on_board, col(Idea.score).is_not(None)),
                "untagged": _count(session, *on_board, col(Idea.number).not_in(tagged)),
            }

    def count_by(self, board_id: str, field: str) -> dict[str, int]:
        """Counts the ideas for each value of `field`, which is `status` or `origin`."""
        column = {"status": col(Idea.status), "origin": col(Idea.origin)}[field]
        with self._database.read() as session:
            rows = session.exec(
                select(column, func.count()).where(*_is_on_board(board_id)).group_by(column)
            )
            return dict(rows.all())

    def moments(self, board_id: str) -> list[datetime]:
        """Returns when each of the board's ideas was added."""
        with self._database.read() as session:
            return list(session.exec(select(Idea.created_at).where(*_is_on_board(board_id))))

    def count_since(self, board_id: str, moment: datetime) -> dict[str, int]:
        """Counts texts that were added, changed, evaluated or compared since then."""
        with self._database.read() as session:
            texts = (
                select(func.count())
                .select_from(IdeaVersion)
                .join(Idea, col(Idea.id) == IdeaVersion.idea_id)
                .where(*_is_on_board(board_id), col(IdeaVersion.created_at) >= moment)
            )
            evaluations = (
                select(func.count())
                .select_from(Evaluation)
                .join(Idea, col(Idea.id) == Evaluation.idea_id)
                .where(*_is_on_board(board_id), col(Evaluation.created_at) >= moment)
            )
            comparisons = select(func.count()).where(
                Comparison.board_id == board_id, col(Comparison.created_at) >= moment
            )
            return {
                "added": session.exec(texts.where(IdeaVersion.number == 1)).one(),
                "changed": session.exec(texts.where(IdeaVersion.number > 1)).one(),
                "evaluated": session.exec(evaluations).one(),
                "compared": session.exec(comparisons).one(),
            }

    def changes(self, board_id: str, *, limit: int) -> list[Change]:
        """Returns the newest versions on the board, newest first."""
        with self._database.read() as session:
            rows = session.exec(
                select(IdeaVersion, Idea.title)
                .join(Idea, col(Idea.id) == IdeaVersion.idea_id)
                .where(*_is_on_board(board_id))
                .order_by(col(IdeaVersion.created_at).desc(), col(IdeaVersion.id).desc())
                .limit(limit)
            )
            return [
                Change(one.idea_id, title, one.number, one.origin, one.created_at)
                for one, title in rows
            ]


def _is_on_board(board_id: str) -> Sequence[Any]:
    return (Idea.board_id == board_id, col(Idea.deleted_at).is_(None))


def _count(session: Session, *conditions: Any) -> int:
    return session.exec(select(func.count()).select_from(Idea).where(*conditions)).one()
