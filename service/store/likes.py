"""Likes: one a person and idea. Whoever needs no name has one, too."""

from service.actor import acting_person_id
from service.schemas.ideas import IdeaPublic
from service.store.activity import record
from service.store.database import Database
from service.store.ideas import found
from service.store.public_ideas import public
from service.store.team_tables import IdeaLike


class LikeStore:
    def __init__(self, database: Database) -> None:
        self._database = database

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
