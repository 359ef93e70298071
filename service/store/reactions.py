"""What people make of ideas: how many like each, whether the one who asks does, how many comments."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, case
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
_IDEAS: Any = bindparam("ideas", expanding=True)
# Made once: to make a statement takes as long as to execute it.
_LIKED = (
    select(
        IdeaLike.idea_id,
        func.count(),
        func.sum(case((col(IdeaLike.liker) == bindparam("liker"), 1), else_=0)),
    )
    .where(col(IdeaLike.idea_id).in_(_IDEAS))
    .group_by(col(IdeaLike.idea_id))
)
_COMMENTED = (
    select(Comment.idea_id, func.count())
    .where(col(Comment.idea_id).in_(_IDEAS), col(Comment.deleted_at).is_(None))
    .group_by(col(Comment.idea_id))
)


def reactions(session: Session, idea_ids: Sequence[str]) -> dict[str, Reactions]:
    """Returns what there is, by the idea's id; ideas without any are left out."""
    of_ideas: dict[str, Any] = {"ideas": list(idea_ids)}
    liked = session.exec(_LIKED, params=of_ideas | {"liker": acting_person_id() or ""}).all()
    commented = session.exec(_COMMENTED, params=of_ideas).all()
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
