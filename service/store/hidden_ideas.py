"""Hides the ideas of a writing round until it ends.

The condition is added to every query for ideas, so that no list, count, search or export can forget it.
A query that also shows people their own hidden ideas has the options `OWN_TOO`; one that tidies up, or
looks for free ids, has `ALL_OF_THEM`.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, bindparam
from sqlalchemy.orm import LoaderCriteriaOption, ORMExecuteState, with_loader_criteria
from sqlmodel import Session, SQLModel, col, func, or_, select

from service.actor import acting_person_id
from service.errors import NotFound
from service.messages import Text
from service.schemas.identity import now
from service.store.tables import Idea
from service.store.team_tables import WritingRound

_OPTION = "hidden_ideas"
OWN_TOO: Mapping[str, Any] = {_OPTION: "own"}
ALL_OF_THEM: Mapping[str, Any] = {_OPTION: "all"}
_OPEN = "open_rounds"
_ROUNDS = SQLModel.metadata.tables["writing_round"].c
_IS_SHARED: ContextVar[bool] = ContextVar("is_shared_view", default=False)


@contextmanager
def shared_view() -> Iterator[None]:
    """Within the block, people's own hidden ideas are hidden from them too.

    What is read here goes where others can see it, for example into the prompt of a run.
    """
    token = _IS_SHARED.set(True)
    try:
        yield
    finally:
        _IS_SHARED.reset(token)


def show_to_everybody() -> None:
    """Makes everything that this task or thread reads from now on a shared view."""
    _IS_SHARED.set(True)


def sees_all(state: ORMExecuteState) -> bool:
    """Whether the query has to see every row, whoever acts."""
    return state.execution_options.get(_OPTION) == "all"


def hide(state: ORMExecuteState) -> None:
    """Leaves hidden ideas out of a query; it is called before each one is executed."""
    seen = state.execution_options.get(_OPTION)
    if not state.is_select or state.is_column_load or sees_all(state):
        return
    rounds = open_rounds(state.session)
    if not rounds:
        return
    shows_own = seen == "own" and not _IS_SHARED.get()
    criteria = _or_own(rounds, acting_person_id() or "") if shows_own else _not_hidden(rounds)
    state.statement = state.statement.options(criteria)


def _not_hidden(rounds: Sequence[str]) -> LoaderCriteriaOption:
    # Only a function can tell an alias of the table from the table itself.
    return with_loader_criteria(
        Idea,
        lambda idea: or_(idea.round_id.is_(None), idea.round_id.not_in(rounds)),
        include_aliases=True,
    )


def _or_own(rounds: Sequence[str], person: str) -> LoaderCriteriaOption:
    return with_loader_criteria(
        Idea,
        lambda idea: or_(
            idea.round_id.is_(None),
            idea.round_id.not_in(rounds),
            func.coalesce(idea.person_id, "") == person,
        ),
        include_aliases=True,
    )


def open_rounds(session: Any) -> tuple[str, ...]:
    """The ids of all open rounds, looked up once in a transaction."""
    if _OPEN not in session.info:
        # Asked in every transaction, so not by the session, which takes five times as long.
        rows = session.connection().execute(_OPEN_ROUNDS, {"moment": now()})
        session.info[_OPEN] = tuple(rows.scalars())
    found: tuple[str, ...] = session.info[_OPEN]
    return found


def look_again(session: Session) -> None:
    """Must be called in the transaction that opens or ends a round."""
    session.flush()
    session.info.pop(_OPEN, None)


def is_open(moment: datetime | BindParameter[Any]) -> Sequence[ColumnElement[bool]]:
    return (_ROUNDS.ended_at.is_(None), _ROUNDS.ends_at > moment)


_OPEN_ROUNDS = select(_ROUNDS.id).where(*is_open(bindparam("moment")))


def is_hidden(session: Session, idea: Idea) -> bool:
    return idea.round_id is not None and idea.round_id in open_rounds(session)


def hides_own(session: Session, idea_id: str) -> bool:
    """Whether the idea is the acting person's own, and hidden in a shared view only."""
    if not _IS_SHARED.get() or not open_rounds(session):
        return False
    own = select(Idea.id).where(
        Idea.id == idea_id,
        col(Idea.round_id).in_(open_rounds(session)),
        Idea.person_id == acting_person_id(),
    )
    return session.exec(own.execution_options(**ALL_OF_THEM)).first() is not None


def joined_round(session: Session, round_id: str | None) -> WritingRound | None:
    """Raises: NotFound if there is no such round."""
    row = None if round_id is None else session.get(WritingRound, round_id)
    if row is None and round_id is not None:
        raise NotFound(Text("There is no writing round %(round_id)s.", round_id=round_id))
    return row


def nameless_ideas(session: Session, idea_ids: Collection[str] | None = None) -> set[str]:
    """Returns those of the ideas, or of all, of which nobody may see who wrote them, until their round
    says so.
    """
    statement = (
        select(Idea.id)
        .join(WritingRound, col(WritingRound.id) == Idea.round_id)
        .where(col(WritingRound.named_at).is_(None))
    )
    if idea_ids is not None:
        statement = statement.where(col(Idea.id).in_(idea_ids))
    return set(session.exec(statement.execution_options(**ALL_OF_THEM)))
