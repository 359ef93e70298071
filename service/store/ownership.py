"""Whose something is: people change what they made, and owners of a board may delete it."""

from service.actor import ACTOR, Role
from service.errors import Forbidden
from service.messages import Text


def is_own(person_id: str | None, board_id: str) -> bool:
    """Whether whoever acts made what this person made on the board.

    What has no author belongs to whoever is at the machine itself, not to every nameless key.
    """
    actor = ACTOR.get()
    return actor.person_id == person_id and (person_id is not None or is_owner(board_id))


def is_owner(board_id: str) -> bool:
    return (ACTOR.get().role_on(board_id) or 0) >= Role.OWNER


def check_own(person_id: str | None, board_id: str) -> None:
    """Raises: Forbidden if somebody else made it."""
    if not is_own(person_id, board_id):
        raise Forbidden(Text("Somebody else wrote this. Only they can change it."))


def check_may_delete(person_id: str | None, board_id: str) -> None:
    """Raises: Forbidden if somebody else made it and the actor does not own the board."""
    if not is_own(person_id, board_id) and not is_owner(board_id):
        raise Forbidden(
            Text("Somebody else made this. Only they and the owners of the board can delete it.")
        )
