"""Who is at a board.

Each server knows who watches through itself. Where several share a database, `PresenceStore` of
`service.store.presence` joins what they know.
"""

from typing import Protocol


class Presence(Protocol):
    def renew(self, board_id: str, person_ids: frozenset[str]) -> frozenset[str]:
        """Says who is at the board through this server, and returns who is at it through any.

        Called when that changes and every `feed.POLL_S` seconds meanwhile. Blocking.
        """


class LocalPresence:
    """For a server that has no others beside it: nothing is stored."""

    def renew(self, board_id: str, person_ids: frozenset[str]) -> frozenset[str]:  # noqa: ARG002
        return person_ids
