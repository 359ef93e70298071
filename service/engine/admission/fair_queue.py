"""Which request runs next: a bounded queue with fair turns, the slots of each model, deadlines.

Pure: it knows no process and reads no clock.

Clients are served by start-time fair queueing. A client's first request starts at the current
virtual time, its next one a unit later, and so on. The request with the lowest virtual start runs
first, and the earlier arrival wins a tie. While several clients wait, each request that starts
moves the virtual time on by one client's share, so that a stream of new clients cannot starve the
others. Fifty requests of one client therefore delay another client's first request by at most the
one that is running, and a single client is served first come, first served.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import inf


class QueueFullError(Exception):
    """All places are taken, by running and by waiting requests."""


class ShareTakenError(QueueFullError):
    """One holder has its share of the places; the rest is for others."""


@dataclass(frozen=True, slots=True)
class RequestCounts:
    """How many requests of a model run, and how many wait for a slot."""

    running: int = 0
    waiting: int = 0


@dataclass(slots=True)
class QueueEntry:
    id: str
    model: str
    client: str
    deadline: float
    arrival: int
    takes_place: bool
    holder: str = ""
    virtual_start: float = 0.0


class ModelQueue:
    """The waiting requests and the slots of one model; models do not delay each other."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.waiting: dict[str, QueueEntry] = {}
        self.running: dict[str, QueueEntry] = {}
        self._waiting_per_client: Counter[str] = Counter()
        self._virtual_time = 0.0
        self._next_start: dict[str, float] = {}

    def add(self, entry: QueueEntry) -> None:
        entry.virtual_start = max(self._virtual_time, self._next_start.get(entry.client, 0.0))
        self._next_start[entry.client] = entry.virtual_start + 1
        self._enqueue(entry)

    def ordered(self) -> list[QueueEntry]:
        return sorted(self.waiting.values(), key=lambda entry: (entry.virtual_start, entry.arrival))

    def start(self) -> list[QueueEntry]:
        free = self.slots - len(self.running)
        if not self.waiting or free <= 0:
            return []
        started = self.ordered()[:free]
        for entry in started:
            self._advance_time(entry.virtual_start)
            self._dequeue(entry)
            self.running[entry.id] = entry
        self._forget_clients()
        return started

    def put_back(self, entry: QueueEntry) -> None:
        del self.running[entry.id]
        self._enqueue(entry)

    def withdraw(self, withdrawn: QueueEntry) -> None:
        """Remove a waiting request; the same client's later requests move up into its place."""
        self._dequeue(withdrawn)
        for entry in self.waiting.values():
            if entry.client == withdrawn.client and entry.arrival > withdrawn.arrival:
                entry.virtual_start = max(withdrawn.virtual_start, entry.virtual_start - 1)
        remaining = (*self.waiting.values(), *self.running.values())
        starts = [one.virtual_start + 1 for one in remaining if one.client == withdrawn.client]
        self._next_start[withdrawn.client] = max(starts, default=withdrawn.virtual_start)

    def _enqueue(self, entry: QueueEntry) -> None:
        self.waiting[entry.id] = entry
        self._waiting_per_client[entry.client] += 1

    def _dequeue(self, entry: QueueEntry) -> None:
        del self.waiting[entry.id]
        self._waiting_per_client[entry.client] -= 1
        if not self._waiting_per_client[entry.client]:
            del self._waiting_per_client[entry.client]

    def _advance_time(self, virtual_start: float) -> None:
        clients = len(self._waiting_per_client)
        share = 1 / clients if clients > 1 else 0.0
        self._virtual_time = max(self._virtual_time + share, virtual_start)

    def _forget_clients(self) -> None:
        """Drop starts that have passed, so that the memory of old clients does not grow."""
        kept = {entry.client for entry in self.running.values()} if not self.waiting else None
        self._next_start = {
            client: start
            for client, start in self._next_start.items()
            if start > self._virtual_time and (kept is None or client in kept)
        }


class FairQueue:
    """Each request is waiting, running or unknown; it leaves by `withdraw` or by `finish`."""

    def __init__(self, slots: Mapping[str, int], limit: int) -> None:
        """`slots` by model; `limit` is the number of places, running and waiting, of all models."""
        self._queues = {model: ModelQueue(count) for model, count in slots.items()}
        self._limit = limit
        self._entries: dict[str, QueueEntry] = {}
        self._arrivals = 0
        self._running = 0
        self._places_taken = 0
        self._places_of: Counter[str] = Counter()

    @property
    def share(self) -> int:
        """The places that one holder may have."""
        return max(1, self._limit - max(1, self._limit // 4))

    def set_slots(self, slots: Mapping[str, int]) -> None:
        """The slots from now on. With fewer of them, running requests end and none starts."""
        for model, count in slots.items():
            self._queues[model].slots = count

    @property
    def running(self) -> int:
        return self._running

    @property
    def waiting(self) -> int:
        return len(self._entries) - self._running

    def counts(self) -> dict[str, RequestCounts]:
        return {
            model: RequestCounts(len(queue.running), len(queue.waiting))
            for model, queue in self._queues.items()
        }

    def add(
        self,
        request_id: str,
        model: str,
        client: str,
        *,
        deadline: float = inf,
        takes_place: bool = True,
        holder: str = "",
    ) -> None:
        """Let a request wait until `start` chooses it.

        A request that takes no place is part of work that has one already; it is never refused. The
        places of a `holder` with a name are limited to its share.

        Raises:
            QueueFullError: no place is left; the queue is unchanged.
            ShareTakenError: there are places, but not for this holder; the queue is unchanged.
            ValueError: a request with this id is waiting or running.
        """
        if request_id in self._entries:
            raise ValueError(f"the id {request_id!r} is in use")
        if takes_place and self._places_taken >= self._limit:
            raise QueueFullError
        if takes_place and holder and self._places_of[holder] >= self.share:
            raise ShareTakenError
        self._arrivals += 1
        entry = QueueEntry(request_id, model, client, deadline, self._arrivals, takes_place, holder)
        self._queues[model].add(entry)
        self._entries[request_id] = entry
        self._places_taken += takes_place
        self._places_of[holder] += takes_place

    def start(self, ready: Collection[str]) -> list[str]:
        """Give the free slots of the `ready` models to waiting requests; returns the started."""
        started = [entry.id for model in ready for entry in self._queues[model].start()]
        self._running += len(started)
        return started

    def finish(self, request_id: str) -> bool:
        """Free the slot of a running request; False if it is not running."""
        entry = self._running_entry(request_id)
        if entry is None:
            return False
        del self._queues[entry.model].running[request_id]
        self._forget(entry)
        self._running -= 1
        return True

    def put_back(self, request_id: str) -> bool:
        """Let a running request wait again, in its old place; False if it is not running."""
        entry = self._running_entry(request_id)
        if entry is None:
            return False
        self._queues[entry.model].put_back(entry)
        self._running -= 1
        return True

    def withdraw(self, request_id: str) -> bool:
        """Remove a waiting request; False, without effect, if it is not waiting."""
        entry = self._entries.get(request_id)
        if entry is None or request_id not in self._queues[entry.model].waiting:
            return False
        self._queues[entry.model].withdraw(entry)
        self._forget(entry)
        return True

    def positions(self, model: str) -> dict[str, int]:
        """Waiting requests of a model and their positions; the one at 1 starts next."""
        return {entry.id: place for place, entry in enumerate(self._queues[model].ordered(), 1)}

    def overdue(self, now: float) -> list[str]:
        """Waiting and running requests whose deadline has passed; each is returned once."""
        late = [entry for entry in self._entries.values() if entry.deadline <= now]
        for entry in late:
            entry.deadline = inf
        return [entry.id for entry in late]

    def next_deadline(self) -> float:
        """The earliest deadline, or `inf` if no request has one."""
        return min((entry.deadline for entry in self._entries.values()), default=inf)

    def _forget(self, entry: QueueEntry) -> None:
        del self._entries[entry.id]
        self._places_taken -= entry.takes_place
        self._places_of[entry.holder] -= entry.takes_place
        if not self._places_of[entry.holder]:
            del self._places_of[entry.holder]

    def _running_entry(self, request_id: str) -> QueueEntry | None:
        entry = self._entries.get(request_id)
        if entry is None:
            return None
        return self._queues[entry.model].running.get(request_id)
