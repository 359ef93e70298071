"""What the acting person may read and write, enforced in every transaction.

Whoever has a role on single boards only gets no row of another board, whatever a query asks for, so
that an id of another board is an unknown id. And no transaction changes a board on which the role is
too low. The table of routes in `service.web` refuses most of that before; this holds for ids in
bodies, for lists and for searches, too.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import chain
from typing import Any

from sqlalchemy import Select, inspect, or_
from sqlalchemy.orm import ORMExecuteState, with_loader_criteria
from sqlmodel import Session, SQLModel, and_, col, select

from service.actor import ACTOR, Actor, Role
from service.errors import RoleNeeded
from service.messages import Text
from service.store.database import Database
from service.store.tables import (
    ApiKey,
    Board,
    Change,
    Comparison,
    Idea,
    IdeaTag,
    KeyedAnswer,
    Rubric,
    Run,
    Suggestion,
    TopicVector,
)
from service.store.team_tables import Activity, Invitation, Membership, Person

# Rows that belong to no board, or whose routes ask for their boards.
_UNBOUND = frozenset({ApiKey, Change, Invitation, KeyedAnswer, Membership, Person, TopicVector})
# What is written beside other rows, or by whoever joins.
_FREE = frozenset({Activity, Invitation, Membership})
# Every other row that names a board needs an editor.
_NEEDED: dict[type[SQLModel], Role] = {Comparison: Role.COMMENTER}
_NEEDS = {
    Role.READER: Text("This needs the role “reader”. An owner can give it to you."),
    Role.COMMENTER: Text("This needs the role “commenter”. An owner can give it to you."),
    Role.EDITOR: Text("This needs the role “editor”. An owner can give it to you."),
    Role.OWNER: Text("Only owners may do this."),
}
_EVERYTHING = "sees_everything"
# An option of statements that must see the rows of every board.
OF_EVERY_BOARD = {_EVERYTHING: True}


def role_needed(role: Role) -> RoleNeeded:
    return RoleNeeded(_NEEDS[role])


def require(role: Role, board_id: str = "") -> None:
    """Raises: RoleNeeded if the acting person does not have the role, on every board by default."""
    held = ACTOR.get().role_on(board_id)
    if held is None or held < role:
        raise role_needed(role)


class AccessStore:
    """Answers which role the acting person has on the board of something."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def role_on(self, parameter: str, value: str) -> Role | None:
        """The role on the board of what a parameter such as `idea_id` names; None if there is no such
        thing, or if it is none of the person's business.

        Raises: KeyError for a parameter that names nothing of a board.
        """
        actor = ACTOR.get()
        if parameter == "board_id":
            return actor.role_on(value)
        with self._database.read() as session:
            statement = _BOARDS_OF[parameter](value).execution_options(**OF_EVERY_BOARD)
            boards = session.exec(statement).all()
            roles = [_role_in(actor, *row) for row in boards]
        return None if not roles or None in roles else min(role for role in roles if role)

    def knows(self, parameter: str) -> bool:
        return parameter == "board_id" or parameter in _BOARDS_OF


def _role_in(actor: Actor, board_id: str | None, person_id: str | None) -> Role | None:
    """Of a run without a board, only whoever started it may see anything."""
    if board_id is not None:
        return actor.role_on(board_id)
    if person_id is not None and person_id == actor.person_id:
        return max(filter(None, (actor.role, *actor.board_roles.values())), default=None)
    return actor.role


def _of_ideas(*conditions: Any) -> Any:
    return select(Idea.board_id, col(Idea.person_id)).where(*conditions)


def _of_runs(*conditions: Any) -> Any:
    return select(Run.board_id, col(Run.person_id)).where(*conditions)


def _of_change(change_id: str) -> Any:
    ideas = select(Change.before).where(Change.id == change_id).scalar_subquery()
    del ideas
    raise NotImplementedError(change_id)


# The board and the person of what a parameter of a route names.
_BOARDS_OF: Mapping[str, Callable[[str], Any]] = {
    "idea_id": lambda value: _of_ideas(Idea.id == value),
    "run_id": lambda value: _of_runs(Run.id == value),
    "suggestion_id": lambda value: _of_runs(
        col(Run.id).in_(select(Suggestion.run_id).where(Suggestion.id == value))
    ),
    "rubric_id": lambda value: select(Rubric.board_id, col(Rubric.id)).where(Rubric.id == value),
}
