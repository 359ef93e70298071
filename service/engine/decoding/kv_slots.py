"""Which sequence of a cache serves whom, and which prompt's start it can begin from. Pure.

A request takes a seat when its turn in the line comes, a sequence is free and the cache has room
for its prompt and its longest answer: once seated, it never runs out of room. What finished
requests leave in the cache stays until the room is needed.

llama.cpp decodes sequences of a streams layout together only while their numbers have no gap
(`llama_batch_allocr::split_equal`), so seats are taken side by side, and `gap` says which one
should move to close the gap that a finished request leaves.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Seat:
    """`prompt` is what the cache holds of the sequence, as far as it may be built on."""

    sequence: int
    prompt: list[int] = field(default_factory=list)
    reserved: int = 0
    is_taken: bool = False
    used_at: int = 0


@dataclass(frozen=True, slots=True)
class Placement:
    """Begin with the first `shared` tokens of `source`, after `dropped` sequences are emptied."""

    seat: Seat
    source: int
    shared: int
    dropped: tuple[int, ...]


class Seats:
    def __init__(self, count: int, *, cells: int | None = None) -> None:
        """With `cells` all sequences share that much room; without, each has its own (streams)."""
        self._seats = [Seat(sequence) for sequence in range(count)]
        self._cells = cells
        self._line: list[str] = []
        self._clock = 0

    def line_up(self, key: str) -> None:
        self._line.append(key)

    def leave(self, key: str) -> None:
        """Give up waiting; unknown keys are ignored."""
        if key in self._line:
            self._line.remove(key)

    @property
    def waiting(self) -> int:
        return len(self._line)

    @property
    def taken(self) -> list[Seat]:
        return [seat for seat in self._seats if seat.is_taken]

    def take(self, key: str, prompt: list[int], need: int, cuts: Sequence[int]) -> Placement | None:
        """None until it is the key's turn and there is room.

        `need` is the most tokens the request can put in the cache; a prompt's start is shared up
        to one of `cuts`, so that warm and cold caches are decoded in the same pieces. No cut is at
        the prompt's end: its last token is decoded anew, for what follows from it.
        """
        free = self._allowed()
        if not free or self._line[:1] != [key] or not self._has_room(need):
            return None
        self._line.pop(0)
        shares = {one.sequence: self._shared(one, prompt, cuts) for one in self._seats}
        source = max(self._seats, key=lambda one: (shares[one.sequence], one.used_at))
        # Where least is lost; among equals what was not used for longest.
        seat = min(free, key=lambda one: (self._loses(one, shares[one.sequence]), one.used_at))
        if shares[seat.sequence] == shares[source.sequence]:
            source = seat
        elif not self._can_stay(source, need):
            # Its room is needed too: whoever builds on it takes its place.
            seat = source
        shared = shares[source.sequence]
        seat.is_taken, seat.reserved, seat.prompt = True, need, prompt[:shared]
        self._touch(seat)
        return Placement(seat, source.sequence, shared, self._drop(keep=source))

    def release(self, seat: Seat) -> None:
        """The request is over; its prompt stays for others to build on."""
        seat.is_taken = False
        seat.reserved = len(seat.prompt)
        self._touch(seat)

    def gap(self) -> tuple[Seat, Seat] | None:
        """A taken seat and the free one it should move to, so that no gap is left."""
        taken = [seat.sequence for seat in self._seats if seat.is_taken]
        if self._cells is not None or not taken or taken[-1] - taken[0] == len(taken) - 1:
            return None
        hole = next(one for one in range(taken[0], taken[-1]) if one not in taken)
        return self._seats[taken[-1]], self._seats[hole]

    def swap(self, one: Seat, other: Seat) -> None:
        """The holders keep their seats, which now stand for each other's sequence."""
        first, second = one.sequence, other.sequence
        one.sequence, other.sequence = second, first
        self._seats[second], self._seats[first] = one, other

    def _allowed(self) -> list[Seat]:
        free = [seat for seat in self._seats if not seat.is_taken]
        taken = [seat.sequence for seat in self._seats if seat.is_taken]
        if self._cells is not None or not taken or not free:
            return free
        inside = [seat for seat in free if taken[0] < seat.sequence < taken[-1]]
        beside = [seat for seat in free if seat.sequence in (taken[0] - 1, taken[-1] + 1)]
        return inside or beside

    def _has_room(self, need: int) -> bool:
        return self._cells is None or self._reserved() + need <= self._cells

    def _can_stay(self, seat: Seat, need: int) -> bool:
        return seat.is_taken or self._has_room(need + len(seat.prompt))

    def _reserved(self) -> int:
        return sum(seat.reserved for seat in self._seats if seat.is_taken)

    def _drop(self, keep: Seat) -> tuple[int, ...]:
        """Make room in a shared cache: the longest unused goes first, what is built on last."""
        if self._cells is None:
            return ()
        idle = [seat for seat in self._seats if not seat.is_taken and seat.prompt]
        idle.sort(key=lambda one: (one is keep, one.used_at))
        excess = self._reserved() + sum(len(seat.prompt) for seat in idle) - self._cells
        dropped: list[int] = []
        while excess > 0 and idle:
            seat = idle.pop(0)
            excess -= len(seat.prompt)
            seat.prompt = []
            dropped.append(seat.sequence)
        return tuple(dropped)

    def _touch(self, seat: Seat) -> None:
        self._clock += 1
        seat.used_at = self._clock

    @staticmethod
    def _loses(seat: Seat, shared: int) -> bool:
        return len(seat.prompt) > shared

    @staticmethod
    def _shared(seat: Seat, prompt: list[int], cuts: Sequence[int]) -> int:
        length = common_prefix(seat.prompt, prompt)
        return max((cut for cut in cuts if cut <= length), default=0)


def common_prefix(one: Sequence[int], other: Sequence[int]) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(one), len(other)))
