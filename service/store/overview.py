"""Queries over many ideas at once: outlines, counts and recent changes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import case, exists
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


@dataclass(slots=True)
class Counts:
    """How many of a board's ideas have each status, each origin and each of the other properties."""

    statuses: Counter[str] = field(default_factory=Counter)
    origins: Counter[str] = field(default_factory=Counter)
    starred: int = 0
    evaluated: int = 0
    untagged: int = 0


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
                select(IdeaTag.idea_number, IdeaTag.name).where(
                    col(IdeaTag.idea_number).in_([number for _, number, *_ in rows])
                )
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

    def counts(self, board_id: str) -> Counts:
        # In one pass: each one over a large board takes as long as a small page.
        is_tagged = exists().where(col(IdeaTag.idea_number) == col(Idea.number))
        kind = (col(Idea.status), col(Idea.origin))
        counted: tuple[Any, ...] = (
            func.count(),
            func.sum(_one_if(col(Idea.star).is_(True))),
            func.count(col(Idea.score)),
            func.sum(_one_if(~is_tagged)),
        )
        statement: Any = select(*kind, *counted)
        found = Counts()
        with self._database.read() as session:
            rows = session.exec(statement.where(*_is_on_board(board_id)).group_by(*kind))
            for status, origin, ideas, starred, evaluated, untagged in rows:
                found.statuses[status] += ideas
                found.origins[origin] += ideas
                found.starred += starred
                found.evaluated += evaluated
                found.untagged += untagged
        return found

    def added_by_day(self, board_id: str) -> dict[date, int]:
        """Counts the board's ideas by the day in UTC on which they were added."""
        day = func.date(col(Idea.created_at))
        with self._database.read() as session:
            rows = session.exec(
                select(day, func.count()).where(*_is_on_board(board_id)).group_by(day)
            )
            # SQLite has no dates, only texts.
            return {date.fromisoformat(str(one)): count for one, count in rows}

    def count_since(self, board_id: str, moment: datetime) -> dict[str, int]:
        """Counts texts that were added, changed, evaluated or compared since then."""
        with self._database.read() as session:
            is_first = IdeaVersion.number == 1
            texts = (
                select(func.count(), func.sum(_one_if(is_first)))
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
            written, added = session.exec(texts).one()
            return {
                "added": added or 0,
                "changed": written - (added or 0),
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


def _one_if(condition: Any) -> Any:
    return case((condition, 1), else_=0)


def _count(session: Session, *conditions: Any) -> int:
    return session.exec(select(func.count()).select_from(Idea).where(*conditions)).one()
