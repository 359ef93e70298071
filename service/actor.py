"""Who acts: the person, or program, whose request a task or thread answers, and what it may do.

The guard sets it for each request. A run inherits it from the request that started it, because tasks
and threads copy the context they are started in. Commands and the service's own work act as `OWNER`.
"""

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import IntEnum


class Role(IntEnum):
    """Each role may do all that the roles below it may."""

    READER = 1
    COMMENTER = 2
    EDITOR = 3
    OWNER = 4


@dataclass(frozen=True, slots=True)
class Actor:
    """`role` holds on every board, `board_roles` only on those with these ids; the higher one counts.

    `person_id` is None for whoever is at the machine itself, and for keys that no person has.
    """

    person_id: str | None = None
    name: str = ""
    role: Role | None = None
    board_roles: Mapping[str, Role] = field(default_factory=dict)

    def role_on(self, board_id: str) -> Role | None:
        roles = [role for role in (self.role, self.board_roles.get(board_id)) if role is not None]
        return max(roles, default=None)


OWNER = Actor(role=Role.OWNER)
STRANGER = Actor()
ACTOR: ContextVar[Actor] = ContextVar("actor", default=OWNER)


def acting_person_id() -> str | None:
    return ACTOR.get().person_id
