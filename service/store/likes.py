"""Likes: one a person and idea. Whoever needs no name has one, too."""

from sqlmodel import col, func, select

from service.actor import acting_person_id
from service.schemas.ideas import IdeaPublic
from service.store.activity import record
from service.store.database import Database
from service.store.hidden_ideas import OWN_TOO
from service.store.ideas import found
from service.store.public_ideas import public
from service.store.tables import Idea
from service.store.team_tables import IdeaLike


class LikeStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def most_liked(self, board_id: str, *, limit: int) -> list[str]:
        """Returns the ids of the board's ideas that somebody likes, most liked first."""
        likes = func.count()
        statement = (
            select(IdeaLike.idea_id)
            .join(Idea, col(Idea.id) == IdeaLike.idea_id)
            .where(Idea.board_id == board_id, col(Idea.deleted_at).is_(None))
            .group_by(col(IdeaLike.idea_id), col(Idea.number))
            .order_by(likes.desc(), col(Idea.number).desc())
            .limit(limit)
        )
        with self._database.read() as session:
            return list(session.exec(statement.execution_options(**OWN_TOO)))

    def set(self, idea_id: str, *, liked: bool) -> IdeaPublic:
        """Likes the idea, or takes the like back; twice is the same as once.

        Raises:
            NotFound: the idea does not exist or was deleted.
        """
        with self._database.write() as session:
            idea = found(session, idea_id)
            row = session.get(IdeaLike, (idea_id, acting_person_id() or ""))
            if liked != (row is not None):
                if row is None:
                    session.add(IdeaLike(idea_id=idea_id, liker=acting_person_id() or ""))
                else:
                    session.delete(row)
                record(session, "like.changed", idea.board_id, idea_id)
                session.flush()
            return public(session, idea)
