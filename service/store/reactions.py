"""What people make of ideas: how many like each, whether the one who asks does, how many comments."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import case
from sqlmodel import Session, col, func, select

from service.actor import acting_person_id
from service.store.tables import Idea
from service.store.team_tables import Comment, IdeaLike


@dataclass(frozen=True, slots=True)
class Reactions:
    likes: int = 0
    liked: bool = False
    comments: int = 0


NONE = Reactions()


def reactions(session: Session, idea_ids: Sequence[str]) -> dict[str, Reactions]:
    """Returns what there is, by the idea's id; ideas without any are left out."""
    is_own = case((col(IdeaLike.liker) == (acting_person_id() or ""), 1), else_=0)
    liked = session.exec(
        select(IdeaLike.idea_id, func.count(), func.sum(is_own))
        .where(col(IdeaLike.idea_id).in_(idea_ids))
        .group_by(col(IdeaLike.idea_id))
    ).all()
    commented = session.exec(
        select(Comment.idea_id, func.count())
        .where(col(Comment.idea_id).in_(idea_ids), col(Comment.deleted_at).is_(None))
        .group_by(col(Comment.idea_id))
    ).all()
    likes = {idea_id: (number, bool(own)) for idea_id, number, own in liked}
    comments = {idea_id: int(number) for idea_id, number in commented}
    return {
        idea_id: Reactions(*likes.get(idea_id, (0, False)), comments.get(idea_id, 0))
        for idea_id in likes.keys() | comments.keys()
    }


def number_of_likes() -> Any:
    """The number of likes of an idea, as a column of a statement about ideas."""
    return (
        select(func.count())
        .where(col(IdeaLike.idea_id) == col(Idea.id))
        .correlate(Idea)
        .scalar_subquery()
    )
