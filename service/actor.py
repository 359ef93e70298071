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


class KeyScope(IntEnum):
    """What a key lets through of what its person may do; each scope lets through what those below it do."""

    READ = 1
    WRITE = 2
    ADMIN = 3

    @property
    def highest_role(self) -> Role:
        """The highest role that can be used in full with such a key."""
        return {KeyScope.READ: Role.READER, KeyScope.WRITE: Role.EDITOR}.get(self, Role.OWNER)


@dataclass(frozen=True, slots=True)
class Actor:
    """`role` holds on every board, `board_roles` only on those with these ids; the higher one counts.

    `person_id` is None for whoever is at the machine itself, and for keys that no person has. `scope` is
    that of the key, or of the key that the browser was signed in with.
    """

    person_id: str | None = None
    name: str = ""
    role: Role | None = None
    board_roles: Mapping[str, Role] = field(default_factory=dict)
    scope: KeyScope = KeyScope.ADMIN

    def role_on(self, board_id: str) -> Role | None:
        roles = [role for role in (self.role, self.board_roles.get(board_id)) if role is not None]
        return max(roles, default=None)

    @property
    def may_do_everything(self) -> bool:
        return self.role is Role.OWNER and self.scope is KeyScope.ADMIN


OWNER = Actor(role=Role.OWNER)
STRANGER = Actor()
ACTOR: ContextVar[Actor] = ContextVar("actor", default=OWNER)


def acting_person_id() -> str | None:
    return ACTOR.get().person_id
