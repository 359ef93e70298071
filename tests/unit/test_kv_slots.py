"""The laws of who sits where in a cache, and of what is built on what."""

from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from service.engine.decoding.kv_slots import Seat, Seats

SYSTEM = [1, 2, 3, 4]
CUTS = [4, 8, 12]


def take(seats: Seats, key: str, prompt: list[int], need: int = 16) -> Seat:
    seats.line_up(key)
    placement = seats.take(key, prompt, need, CUTS)
    assert placement is not None
    placement.seat.prompt = prompt
    return placement.seat


def test_a_prompt_begins_with_what_another_has_decoded() -> None:
    seats = Seats(4)
    first = take(seats, "a", [*SYSTEM, 5, 6, 7, 8, 9])
    seats.line_up("b")
    placement = seats.take("b", [*SYSTEM, 5, 6, 7, 8, 10], 16, CUTS)

    assert placement is not None
    assert placement.seat is not first
    assert (placement.source, placement.shared) == (first.sequence, 8)


def test_prefixes_are_shared_at_cuts_only() -> None:
    seats = Seats(4)
    take(seats, "a", [*SYSTEM, 5, 6, 7])
    seats.line_up("b")
    placement = seats.take("b", [*SYSTEM, 5, 6, 9, 9, 9], 16, CUTS)

    assert placement is not None
    assert placement.shared == 4


def test_the_same_prompt_sits_where_it_sat() -> None:
    seats = Seats(4)
    prompt = [*SYSTEM, 5, 6, 7, 8, 9]
    for filler in ("x", "y"):
        take(seats, filler, [9, 9, 9, 9])
    first = take(seats, "a", prompt)
    seats.release(first)
    seats.line_up("b")
    placement = seats.take("b", prompt, 16, CUTS)

    assert placement is not None
    assert placement.source == placement.seat.sequence == first.sequence or placement.shared == 8


def test_streams_are_taken_side_by_side() -> None:
    seats = Seats(8)
    held = [take(seats, str(number), [number] * 5) for number in range(4)]
    seats.release(held[1])
    again = take(seats, "again", [7] * 5)

    assert again.sequence == 1


def test_a_gap_is_closed_by_the_last_one() -> None:
    seats = Seats(8)
    held = [take(seats, str(number), [number] * 5) for number in range(4)]
    seats.release(held[1])
    gap = seats.gap()
    assert gap is not None
    moving, free = gap
    seats.swap(moving, free)

    assert moving is held[3]
    assert moving.sequence == 1
    assert sorted(seat.sequence for seat in seats.taken) == [0, 1, 2]
    assert seats.gap() is None


def test_a_shared_cache_never_has_a_gap() -> None:
    seats = Seats(4, cells=100)
    held = [take(seats, str(number), [number] * 5) for number in range(3)]
    seats.release(held[1])

    assert seats.gap() is None


def test_a_request_waits_until_the_cache_has_room_for_all_of_it() -> None:
    seats = Seats(4, cells=40)
    first = take(seats, "a", [1] * 5, need=30)
    seats.line_up("b")

    assert seats.take("b", [2] * 5, 20, CUTS) is None

    seats.release(first)

    assert seats.take("b", [2] * 5, 20, CUTS) is not None


def test_what_is_built_on_is_not_emptied_to_make_room() -> None:
    seats = Seats(4, cells=40)
    known = take(seats, "known", [*SYSTEM, 5, 6, 7, 8, 9, 9, 9, 9])
    seats.release(known)
    take(seats, "running", [30] * 5, need=20)
    seats.line_up("next")
    placement = seats.take("next", [*SYSTEM, 5, 6, 7, 8, 10], 16, CUTS)

    assert placement is not None
    assert placement.shared == 8
    assert placement.source == known.sequence
    assert known.sequence not in placement.dropped


def test_a_small_request_does_not_overtake_a_large_one() -> None:
    seats = Seats(4, cells=40)
    take(seats, "a", [1] * 5, need=30)
    seats.line_up("large")
    seats.line_up("small")

    assert seats.take("large", [2] * 5, 20, CUTS) is None
    assert seats.take("small", [3] * 5, 5, CUTS) is None


def test_who_gives_up_waiting_is_not_waited_for() -> None:
    seats = Seats(1)
    seats.line_up("gone")
    seats.line_up("next")
    seats.leave("gone")

    assert seats.take("next", [1] * 5, 5, CUTS) is not None


@dataclass
class Held:
    seat: Seat
    need: int


class SeatsMachine(RuleBasedStateMachine):
    """Random lives on a cache of either layout."""

    def __init__(self) -> None:
        super().__init__()
        self.cells: int | None = None
        self.seats = Seats(4)
        self.held: dict[str, Held] = {}
        self.waiting: dict[str, tuple[list[int], int]] = {}
        self.count = 0

    @initialize(cells=st.sampled_from([None, 40]))
    def lay_out(self, cells: int | None) -> None:
        self.cells = cells
        self.seats = Seats(4, cells=cells)

    @rule(own=st.lists(st.integers(5, 7), min_size=1, max_size=8), answer=st.integers(1, 20))
    def ask(self, own: list[int], answer: int) -> None:
        self.count += 1
        key = f"r{self.count}"
        prompt = SYSTEM + own
        self.waiting[key] = (prompt, len(prompt) + answer)
        self.seats.line_up(key)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def try_to_sit(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.waiting)))
        prompt, need = self.waiting[key]
        is_first = key == next(iter(self.waiting))
        # The last token is always decoded: what comes next is read from it.
        cuts = [cut for cut in CUTS if cut < len(prompt)]
        placement = self.seats.take(key, prompt, need, cuts)
        if placement is None:
            has_free = len(self.held) < 4
            used = sum(one.need for one in self.held.values())
            has_room = self.cells is None or used + need <= self.cells
            assert not (is_first and has_free and has_room)
            return
        assert is_first
        assert placement.seat.prompt == prompt[: placement.shared]
        assert placement.shared in (0, *CUTS)
        assert placement.shared < len(prompt)
        assert not placement.shared or placement.source not in placement.dropped
        assert placement.seat.sequence not in [one.seat.sequence for one in self.held.values()]
        placement.seat.prompt = prompt
        del self.waiting[key]
        self.held[key] = Held(placement.seat, need)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.waiting)))
        del self.waiting[key]
        self.seats.leave(key)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.held)))
        self.seats.release(self.held.pop(key).seat)

    @rule()
    def close_gaps(self) -> None:
        gap = self.seats.gap()
        if gap is not None:
            moving, free = gap
            free.prompt = []
            self.seats.swap(moving, free)

    @invariant()
    def nobody_shares_a_sequence(self) -> None:
        sequences = [one.seat.sequence for one in self.held.values()]
        assert len(set(sequences)) == len(sequences)
        assert sorted(sequences) == [seat.sequence for seat in self.seats.taken]

    @invariant()
    def the_cache_never_overflows(self) -> None:
        if self.cells is not None:
            assert sum(one.need for one in self.held.values()) <= self.cells


TestSeats = SeatsMachine.TestCase
TestSeats.settings = settings(max_examples=200, stateful_step_count=40)


@pytest.mark.parametrize("cells", [None, 100])
def test_a_seat_is_free_again_after_each_use(cells: int | None) -> None:
    seats = Seats(2, cells=cells)
    for number in range(50):
        seats.release(take(seats, str(number), [number, *SYSTEM]))

    assert seats.taken == []
