"""Who runs next: a bounded queue, the slots of each model, deadlines. Pure; knows no process.

Fair turns: a client's first request of a burst takes the turn being served, its next one the
turn after, and so on; lower turns run first, the earlier arrival among equals. While several
clients wait, each request that starts moves the turn on by a client's share, so that ever new
clients cannot starve the old. One client's fifty requests delay another's first by the one that
runs, and a single client sees first come, first served.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import inf


class QueueFullError(Exception):
    """All places, running and waiting, are taken."""


@dataclass(slots=True)
class Ticket:
    id: str
    model: str
    client: str
    deadline: float
    arrival: int
    takes_place: bool
    turn: float


class Line:
    """The queue and the slots of one model; no model delays another."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.waiting: dict[str, Ticket] = {}
        self.running: dict[str, Ticket] = {}
        self._clients: Counter[str] = Counter()
        self._served_turn = 0.0
        self._next_turn: dict[str, float] = {}

    def add(self, ticket: Ticket) -> None:
        ticket.turn = max(self._served_turn, self._next_turn.get(ticket.client, 0.0))
        self._next_turn[ticket.client] = ticket.turn + 1
        self._enter(ticket)

    def ordered(self) -> list[Ticket]:
        return sorted(self.waiting.values(), key=lambda ticket: (ticket.turn, ticket.arrival))

    def start(self) -> list[Ticket]:
        free = self.slots - len(self.running)
        if not self.waiting or free <= 0:
            return []
        started = self.ordered()[:free]
        for ticket in started:
            self._move_on(ticket.turn)
            self._leave(ticket)
            self.running[ticket.id] = ticket
        self._forget_clients()
        return started

    def put_back(self, ticket: Ticket) -> None:
        del self.running[ticket.id]
        self._enter(ticket)

    def withdraw(self, gone: Ticket) -> None:
        """The client's later requests move up: a turn given up is not held against it."""
        self._leave(gone)
        for ticket in self.waiting.values():
            if ticket.client == gone.client and ticket.arrival > gone.arrival:
                ticket.turn = max(gone.turn, ticket.turn - 1)
        remaining = (*self.waiting.values(), *self.running.values())
        turns = [ticket.turn + 1 for ticket in remaining if ticket.client == gone.client]
        self._next_turn[gone.client] = max(turns, default=gone.turn)

    def _enter(self, ticket: Ticket) -> None:
        self.waiting[ticket.id] = ticket
        self._clients[ticket.client] += 1

    def _leave(self, ticket: Ticket) -> None:
        del self.waiting[ticket.id]
        self._clients[ticket.client] -= 1
        if not self._clients[ticket.client]:
            del self._clients[ticket.client]

    def _move_on(self, turn: float) -> None:
        share = 1 / len(self._clients) if len(self._clients) > 1 else 0.0
        self._served_turn = max(self._served_turn + share, turn)

    def _forget_clients(self) -> None:
        """Drop what no longer matters, so that passing clients leave nothing behind."""
        kept = {ticket.client for ticket in self.running.values()} if not self.waiting else None
        self._next_turn = {
            client: turn
            for client, turn in self._next_turn.items()
            if turn > self._served_turn and (kept is None or client in kept)
        }


class Scheduler:
    """A request is waiting, running or unknown; it leaves by `withdraw` or `finish`."""

    def __init__(self, slots: Mapping[str, int], queue_limit: int) -> None:
        """`queue_limit` bounds what takes a place, running or waiting, over all models."""
        self._lines = {model: Line(count) for model, count in slots.items()}
        self._limit = queue_limit
        self._tickets: dict[str, Ticket] = {}
        self._arrivals = 0
        self._started = 0
        self._places = 0

    @property
    def running(self) -> int:
        return self._started

    @property
    def waiting(self) -> int:
        return len(self._tickets) - self._started

    def running_for(self, model: str) -> int:
        return len(self._lines[model].running)

    def waiting_for(self, model: str) -> int:
        return len(self._lines[model].waiting)

    def add(
        self,
        request_id: str,
        model: str,
        client: str,
        *,
        deadline: float = inf,
        takes_place: bool = True,
    ) -> None:
        """Put a request in the queue; `start` decides when it runs.

        What takes no place is part of something that has one already, and is never refused.

        Raises:
            QueueFullError: nothing has changed.
            ValueError: the id is in use.
        """
        if request_id in self._tickets:
            raise ValueError(f"request {request_id!r} is here already")
        if takes_place and self._places >= self._limit:
            raise QueueFullError
        self._arrivals += 1
        ticket = Ticket(request_id, model, client, deadline, self._arrivals, takes_place, 0.0)
        self._lines[model].add(ticket)
        self._tickets[request_id] = ticket
        self._places += takes_place

    def start(self, ready: Collection[str]) -> list[str]:
        """Give free slots of the `ready` models to those whose turn it is; they are running."""
        started = [ticket.id for model in ready for ticket in self._lines[model].start()]
        self._started += len(started)
        return started

    def finish(self, request_id: str) -> bool:
        """Free the slot of a running request; False if it has none."""
        ticket = self._running_ticket(request_id)
        if ticket is None:
            return False
        del self._lines[ticket.model].running[request_id]
        self._forget(ticket)
        self._started -= 1
        return True

    def put_back(self, request_id: str) -> bool:
        """A running request waits again, in its old place; False if it was not running."""
        ticket = self._running_ticket(request_id)
        if ticket is None:
            return False
        self._lines[ticket.model].put_back(ticket)
        self._started -= 1
        return True

    def withdraw(self, request_id: str) -> bool:
        """Forget a waiting request; False, and nothing happens, if it is not waiting."""
        ticket = self._tickets.get(request_id)
        if ticket is None or request_id not in self._lines[ticket.model].waiting:
            return False
        self._lines[ticket.model].withdraw(ticket)
        self._forget(ticket)
        return True

    def positions(self, model: str) -> dict[str, int]:
        """The waiting requests of a model; 1 is next in line."""
        return {ticket.id: place for place, ticket in enumerate(self._lines[model].ordered(), 1)}

    def overdue(self, now: float) -> list[str]:
        """Waiting and running requests whose deadline has passed, each told once."""
        late = [ticket for ticket in self._tickets.values() if ticket.deadline <= now]
        for ticket in late:
            ticket.deadline = inf
        return [ticket.id for ticket in late]

    def next_deadline(self) -> float:
        """`inf` if nobody has one."""
        return min((ticket.deadline for ticket in self._tickets.values()), default=inf)

    def _forget(self, ticket: Ticket) -> None:
        del self._tickets[ticket.id]
        self._places -= ticket.takes_place

    def _running_ticket(self, request_id: str) -> Ticket | None:
        ticket = self._tickets.get(request_id)
        if ticket is None:
            return None
        return self._lines[ticket.model].running.get(request_id)
