"""Topics that ideas of the boards were written for, with their vectors, and the ideas of a topic.

An idea was written for the topic of the brainstorm that it was kept from. Of any other idea the goal
of its board counts as its topic, if there is one.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import Subquery
from sqlmodel import col, delete, func, select

from service.schemas.fields import TITLE_CEILING
from service.store.access import read_by_all_of
from service.store.database import Database
from service.store.tables import Board, Idea, Run, Suggestion, TopicVector


@dataclass(frozen=True, slots=True)
class TopicIdea:
    id: str
    title: str
    body: str
    topic: str


class TopicStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def without_vectors(self, encoder: str) -> list[str]:
        """The topics of ideas that have no vector of this encoder.

        Vectors that no idea needs any more are deleted.
        """
        with self._database.read() as session:
            topics = session.exec(select(_written().c.topic).distinct())
            used = {topic_key(topic): topic for topic in topics}
            stored = dict(session.exec(select(TopicVector.key, TopicVector.encoder)).all())
        if unused := stored.keys() - used.keys():
            with self._database.write() as session:
                session.exec(delete(TopicVector).where(col(TopicVector.key).in_(unused)))
        return [topic for key, topic in used.items() if stored.get(key) != encoder]

    def add_vectors(self, encoder: str, vectors: Mapping[str, bytes]) -> None:
        """`vectors` by topic."""
        with self._database.write() as session:
            for topic, vector in vectors.items():
                session.merge(TopicVector(key=topic_key(topic), encoder=encoder, vector=vector))

    def vectors(self, encoder: str) -> dict[str, bytes]:
        """By the key of the topic."""
        with self._database.read() as session:
            query = select(TopicVector.key, TopicVector.vector).where(
                TopicVector.encoder == encoder
            )
            return dict(session.exec(query).all())

    def ideas(self, keys: Collection[str], *, outside: str) -> list[TopicIdea]:
        """The ideas of these topics on other boards than `outside`, newest first, as far as everybody who
        reads that board reads the others, too.
        """
        if not keys:
            return []
        one = _written().c
        with self._database.read() as session:
            topics = session.exec(select(one.topic).distinct())
            near = [topic for topic in topics if topic_key(topic) in keys]
            statement = (
                select(one.id, one.title, one.body, one.topic)
                .where(one.topic.in_(near), one.board_id != outside)
                .order_by(one.number.desc())
            )
            shared = read_by_all_of(session, outside)
            if shared is not None:
                statement = statement.where(one.board_id.in_(shared))
            rows = session.exec(statement)
            return [TopicIdea(*row) for row in rows]


def topic_key(topic: str) -> str:
    return sha256(topic.encode()).hexdigest()


def _written() -> Subquery:
    """Ideas that exist and have a text, with their topic."""
    goal = func.nullif(Board.goal, "")
    topic = func.coalesce(col(Run.request)["topic"].as_string(), goal)
    ideas = (
        select(Idea, topic.label("topic"))
        .join(Board, col(Idea.board_id) == col(Board.id))
        .outerjoin(Suggestion, col(Suggestion.idea_id) == col(Idea.id))
        .outerjoin(Run, col(Suggestion.run_id) == col(Run.id))
        .where(
            col(Idea.deleted_at).is_(None),
            col(Board.deleted_at).is_(None),
            col(Idea.status) != "archived",
            col(Idea.body) != "",
            func.length(topic) <= TITLE_CEILING,
        )
    )
    return ideas.subquery()
