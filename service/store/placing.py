"""The order that people give the ideas of a board, and each lane of it.

One order holds for a whole board: a lane shows those of the ideas that belong to it. So an idea that
changes its lane, or is in several, needs no second place. The highest place comes first; of equal ones,
which an import or a deletion can leave, the idea that was added later.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, update
from sqlmodel import Session, SQLModel, and_, col, func, or_, select

from service.store.hidden_ideas import ALL_OF_THEM
from service.store.tables import Idea

# Room for sixteen moves to between the same two ideas, before all get new places.
GAP = 65536
_IDEAS = SQLModel.metadata.tables["idea"].c
_HIGHEST = select(func.max(_IDEAS.place)).where(_IDEAS.board_id == bindparam("board"))
# Apart, because the index then has the first at its end, and few ideas are in the trash.
_HIGHEST_PLACES = select(
    _HIGHEST.where(_IDEAS.deleted_at.is_(None)).scalar_subquery(),
    _HIGHEST.where(_IDEAS.deleted_at.is_not(None)).scalar_subquery(),
)
_SET_PLACE = (
    update(Idea).where(col(Idea.number) == bindparam("of")).values(place=bindparam("to_place"))
)


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The ids of the ideas directly before and after one, of the whole board."""

    before: str | None
    after: str | None

    def as_row(self) -> dict[str, str | None]:
        return {"before": self.before, "after": self.after}


def first_place(session: Session, board_id: str) -> int:
    """The place of an idea that is to come before all others of the board."""
    session.flush()
    highest = session.connection().execute(_HIGHEST_PLACES, {"board": board_id}).one()
    return max((place for place in highest if place is not None), default=0) + GAP


def neighbours(session: Session, idea: Idea) -> Neighbours:
    before, after = (
        _next_to(session, idea, is_before=True),
        _next_to(session, idea, is_before=False),
    )
    return Neighbours(before.id if before else None, after.id if after else None)


def put_first(session: Session, idea: Idea) -> None:
    _set(session, idea, first_place(session, idea.board_id), is_free=_is_first(session, idea))


def put_before(session: Session, idea: Idea, other: Idea) -> None:
    _put_beside(session, idea, other, is_before=True)


def put_after(session: Session, idea: Idea, other: Idea) -> None:
    _put_beside(session, idea, other, is_before=False)


def put_all_first(session: Session, ideas: Sequence[Idea]) -> None:
    """Puts ideas that came to other boards before all others there, in the order that they had."""
    rows = [(idea.board_id, (idea.place, idea.number)) for idea in ideas]
    for idea, place in zip(ideas, places_for(session, rows), strict=True):
        idea.place = place
        session.add(idea)


def places_for(session: Session, rows: Sequence[tuple[str, Any]]) -> list[int]:
    """Places before all others of their boards. A row has an idea's board and what it is sorted by, of
    which the highest comes first.
    """
    free = {board_id: first_place(session, board_id) for board_id in {row[0] for row in rows}}
    places = [0] * len(rows)
    for at in sorted(range(len(rows)), key=lambda at: rows[at][1]):
        board_id = rows[at][0]
        places[at] = free[board_id]
        free[board_id] += GAP
    return places


def _is_first(session: Session, idea: Idea) -> bool:
    return _next_to(session, idea, is_before=True) is None


def _put_beside(session: Session, idea: Idea, other: Idea, *, is_before: bool) -> None:
    beyond = _next_to(session, other, is_before=is_before)
    if beyond is not None and beyond.id == idea.id:
        return
    if beyond is not None and abs(beyond.place - other.place) < 2:
        _renumber(session, idea.board_id)
        beyond = _next_to(session, other, is_before=is_before)
    if beyond is None:
        place = other.place + (GAP if is_before else -GAP)
    else:
        place = (beyond.place + other.place) // 2
    _set(session, idea, place)


def _set(session: Session, idea: Idea, place: int, *, is_free: bool = False) -> None:
    """`is_free` says that the idea is where it is to be already."""
    if not is_free:
        idea.place = place
        session.add(idea)
        session.flush()


def _next_to(session: Session, idea: Idea, *, is_before: bool) -> Idea | None:
    """The idea directly before or after this one. Those in the trash keep their places, too."""
    place, number = col(Idea.place), col(Idea.number)
    beyond = (place > idea.place, number > idea.number)
    order: Sequence[Any] = (place, number)
    if not is_before:
        beyond = (place < idea.place, number < idea.number)
        order = (place.desc(), number.desc())
    return session.exec(
        select(Idea)
        .where(
            Idea.board_id == idea.board_id,
            or_(beyond[0], and_(place == idea.place, beyond[1])),
        )
        .order_by(*order)
        .limit(1)
        .execution_options(**ALL_OF_THEM)
    ).first()


def _renumber(session: Session, board_id: str) -> None:
    """Gives all ideas of the board places with room between them, in the order that they have."""
    session.flush()
    ordered = session.exec(
        select(Idea)
        .where(Idea.board_id == board_id)
        .order_by(col(Idea.place), col(Idea.number))
        .execution_options(**ALL_OF_THEM)
    ).all()
    rows = [{"of": idea.number, "to_place": at * GAP} for at, idea in enumerate(ordered, start=1)]
    # By a statement: nobody has changed these ideas, and no activity says so.
    session.connection().execute(_SET_PLACE, rows)
    for idea in ordered:
        session.expire(idea, ["place"])
