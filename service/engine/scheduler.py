"""Who runs next: a bounded queue and the slots of each model. Pure; knows no process or clock.

Fair turns: a client's first request of a burst takes the turn being served, its next one the
turn after, and so on; lower turns run first, the earlier arrival among equals. While several
clients wait, each request that starts moves the turn on by a client's share, so that ever new
clients cannot starve the old. One client's fifty requests delay another's first by the one that
runs, and a single client sees first come, first served.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace


class QueueFullError(Exception):
    """All places, running and waiting, are taken."""


@dataclass(frozen=True, slots=True, order=True)
class Ticket:
    turn: float
    arrival: int
    id: str = field(compare=False)
    model: str = field(compare=False)
    client: str = field(compare=False)


class Scheduler:
    """A request is waiting, running or unknown; it leaves by `withdraw` or `finish`."""

    def __init__(self, slots: Mapping[str, int], queue_limit: int) -> None:
        """`queue_limit` bounds what runs and waits together, over all models."""
        self._slots = dict(slots)
        self._limit = queue_limit
        self._waiting: dict[str, Ticket] = {}
        self._running: dict[str, Ticket] = {}
        self._served_turn: dict[str, float] = dict.fromkeys(slots, 0.0)
        self._next_turn: dict[tuple[str, str], float] = {}
        self._arrivals = 0

    @property
    def running(self) -> int:
        return len(self._running)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def add(self, request_id: str, model: str, client: str) -> None:
        """Put a request in the queue; `start` decides when it runs.

        Raises:
            QueueFullError: nothing has changed.
            ValueError: the id is in use.
        """
        if request_id in self._waiting or request_id in self._running:
            raise ValueError(f"request {request_id!r} is here already")
        if self.running + self.waiting >= self._limit:
            raise QueueFullError
        turn = max(self._served_turn[model], self._next_turn.get((model, client), 0.0))
        self._next_turn[model, client] = turn + 1
        self._arrivals += 1
        self._waiting[request_id] = Ticket(turn, self._arrivals, request_id, model, client)

    def start(self, ready: Collection[str]) -> list[str]:
        """Give free slots of the `ready` models to those whose turn it is; they are running."""
        started: list[str] = []
        for ticket in sorted(self._waiting.values()):
            if ticket.model in ready and self._has_slot(ticket.model):
                self._move_on(ticket)
                del self._waiting[ticket.id]
                self._running[ticket.id] = ticket
                started.append(ticket.id)
        self._forget_clients()
        return started

    def finish(self, request_id: str) -> bool:
        """Free the slot of a running request; False if it has none."""
        return self._running.pop(request_id, None) is not None

    def put_back(self, request_id: str) -> bool:
        """A running request waits again, in its old place; False if it was not running."""
        ticket = self._running.pop(request_id, None)
        if ticket is not None:
            self._waiting[request_id] = ticket
        return ticket is not None

    def withdraw(self, request_id: str) -> bool:
        """Forget a waiting request; False, and nothing happens, if it is not waiting."""
        gone = self._waiting.pop(request_id, None)
        if gone is None:
            return False
        # The client's later requests move up: a turn that was given up is not held against it.
        for ticket in list(self._waiting.values()):
            is_later = ticket.arrival > gone.arrival
            if is_later and (ticket.model, ticket.client) == (gone.model, gone.client):
                turn = max(gone.turn, ticket.turn - 1)
                self._waiting[ticket.id] = replace(ticket, turn=turn)
        self._next_turn[gone.model, gone.client] = self._turn_after(gone)
        return True

    def positions(self, model: str) -> dict[str, int]:
        """The waiting requests of a model; 1 is next in line."""
        queue = sorted(one for one in self._waiting.values() if one.model == model)
        return {ticket.id: position for position, ticket in enumerate(queue, 1)}

    def _move_on(self, ticket: Ticket) -> None:
        clients = {one.client for one in self._waiting.values() if one.model == ticket.model}
        share = 1 / len(clients) if len(clients) > 1 else 0.0
        served = self._served_turn[ticket.model]
        self._served_turn[ticket.model] = max(served + share, ticket.turn)

    def _has_slot(self, model: str) -> bool:
        taken = sum(ticket.model == model for ticket in self._running.values())
        return taken < self._slots[model]

    def _turn_after(self, gone: Ticket) -> float:
        remaining = (*self._waiting.values(), *self._running.values())
        turns = [
            one.turn + 1
            for one in remaining
            if (one.model, one.client) == (gone.model, gone.client)
        ]
        return max(turns, default=gone.turn)

    def _forget_clients(self) -> None:
        """Drop what no longer matters, so that passing clients leave nothing behind."""
        self._next_turn = {
            (model, client): turn
            for (model, client), turn in self._next_turn.items()
            if turn > self._served_turn[model]
        }
