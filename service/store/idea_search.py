"""Finds ideas by their words on any board: for the palette, and where a word is misspelt."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, case
from sqlmodel import Session, col

from service.store.corrections import corrected
from service.store.database import Database
from service.store.dialects.expressions import WORD
from service.store.listing import IdeaQuery
from service.store.tables import Board, Idea


@dataclass(frozen=True, slots=True)
class FoundIdea:
    id: str
    title: str
    status: str
    board_id: str
    board_name: str
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Matches:
    """`q` is what was searched for: other words than those given if these are misspelt."""

    q: str
    ideas: list[FoundIdea]


class IdeaSearchStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def corrected(self, query: IdeaQuery) -> IdeaQuery:
        """Returns the query with misspelt words corrected if no idea contains its words."""
        with self._database.read() as session:
            return corrected(session, query)

    def everywhere(self, q: str, *, near: str | None, limit: int) -> Matches:
        """Searches all boards: first come ideas with the words in the title, then those of the board
        `near`, then what changed last.
        """
        with self._database.read() as session:
            query = corrected(session, IdeaQuery(q=q))
            return Matches(query.q, _found(session, query, near, limit))

    def these(self, idea_ids: list[str]) -> list[FoundIdea]:
        """Returns those of the ideas that exist, in the given order."""
        with self._database.read() as session:
            query = IdeaQuery(ids=idea_ids)
            by_id = {idea.id: idea for idea in _found(session, query, None, len(idea_ids))}
            return [by_id[one] for one in idea_ids if one in by_id]


def _found(session: Session, query: IdeaQuery, near: str | None, limit: int) -> list[FoundIdea]:
    words = [word.casefold() for word in WORD.findall(query.q)]
    in_title = [col(Idea.title_key).contains(word, autoescape=True) for word in words]
    order = [case((and_(*in_title), 0), else_=1)] if in_title else []
    if near is not None:
        order.append(case((col(Idea.board_id) == near, 0), else_=1))
    columns = (Idea.id, Idea.title, Idea.status, Idea.board_id, Board.name, Idea.updated_at)
    statement = query.selected(*columns).order_by(
        *order, col(Idea.updated_at).desc(), col(Idea.number).desc()
    )
    return [FoundIdea(*row) for row in session.exec(statement.limit(limit))]
