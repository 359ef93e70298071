"""Which slot of a cache a request gets, and which cached prefix it reuses."""

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

from service.engine.decoding.kv_layout import KvLayout, Slot, StreamsLayout, UnifiedLayout
from service.engine.decoding.kv_slots import SlotAllocator

SYSTEM = [1, 2, 3, 4]
CHUNK_ENDS = [4, 8, 12]


def streams(slots: int) -> SlotAllocator:
    return SlotAllocator(StreamsLayout(slots, 1000))


def unified(slots: int, cells: int) -> SlotAllocator:
    return SlotAllocator(UnifiedLayout(slots, cells, cells))


def take(allocator: SlotAllocator, key: str, prompt: list[int], need: int = 16) -> Slot:
    allocator.enqueue(key)
    assignment = allocator.assign(key, prompt, need, CHUNK_ENDS)
    assert assignment is not None
    assignment.slot.prompt = prompt
    return assignment.slot


def test_a_prompt_starts_from_the_prefix_that_another_request_has_decoded() -> None:
    allocator = streams(4)
    first = take(allocator, "a", [*SYSTEM, 5, 6, 7, 8, 9])
    allocator.enqueue("b")
    assignment = allocator.assign("b", [*SYSTEM, 5, 6, 7, 8, 10], 16, CHUNK_ENDS)

    assert assignment is not None
    assert assignment.slot is not first
    assert (assignment.source, assignment.shared) == (first.sequence, 8)


def test_a_shared_prefix_ends_where_a_chunk_ends() -> None:
    allocator = streams(4)
    take(allocator, "a", [*SYSTEM, 5, 6, 7])
    allocator.enqueue("b")
    assignment = allocator.assign("b", [*SYSTEM, 5, 6, 9, 9, 9], 16, CHUNK_ENDS)

    assert assignment is not None
    assert assignment.shared == 4


def test_a_repeated_prompt_gets_its_own_slot_again() -> None:
    allocator = streams(4)
    prompt = [*SYSTEM, 5, 6, 7, 8, 9]
    for filler in ("x", "y"):
        take(allocator, filler, [9, 9, 9, 9])
    first = take(allocator, "a", prompt)
    allocator.release(first)
    allocator.enqueue("b")
    assignment = allocator.assign("b", prompt, 16, CHUNK_ENDS)

    assert assignment is not None
    assert assignment.source == assignment.slot.sequence == first.sequence or assignment.shared == 8


def test_neighbouring_streams_are_taken() -> None:
    allocator = streams(8)
    held = [take(allocator, str(number), [number] * 5) for number in range(4)]
    allocator.release(held[1])
    again = take(allocator, "again", [7] * 5)

    assert again.sequence == 1


def test_the_last_slot_moves_into_a_gap() -> None:
    allocator = streams(8)
    held = [take(allocator, str(number), [number] * 5) for number in range(4)]
    allocator.release(held[1])
    gap = allocator.gap()
    assert gap is not None
    moving, free = gap
    allocator.swap(moving, free)

    assert moving is held[3]
    assert moving.sequence == 1
    assert sorted(slot.sequence for slot in allocator.taken) == [0, 1, 2]
    assert allocator.gap() is None


def test_a_unified_cache_has_no_gaps() -> None:
    allocator = unified(4, 100)
    held = [take(allocator, str(number), [number] * 5) for number in range(3)]
    allocator.release(held[1])

    assert allocator.gap() is None


def test_a_request_waits_until_the_cache_has_room_for_its_longest_answer() -> None:
    allocator = unified(4, 40)
    first = take(allocator, "a", [1] * 5, need=30)
    allocator.enqueue("b")

    assert allocator.assign("b", [2] * 5, 20, CHUNK_ENDS) is None

    allocator.release(first)

    assert allocator.assign("b", [2] * 5, 20, CHUNK_ENDS) is not None


def test_the_prefix_that_is_reused_is_not_evicted() -> None:
    allocator = unified(4, 40)
    known = take(allocator, "known", [*SYSTEM, 5, 6, 7, 8, 9, 9, 9, 9])
    allocator.release(known)
    take(allocator, "running", [30] * 5, need=20)
    allocator.enqueue("next")
    assignment = allocator.assign("next", [*SYSTEM, 5, 6, 7, 8, 10], 16, CHUNK_ENDS)

    assert assignment is not None
    assert assignment.shared == 8
    assert assignment.source == known.sequence
    assert known.sequence not in assignment.evicted


def test_a_small_request_does_not_overtake_a_large_one() -> None:
    allocator = unified(4, 40)
    take(allocator, "a", [1] * 5, need=30)
    allocator.enqueue("large")
    allocator.enqueue("small")

    assert allocator.assign("large", [2] * 5, 20, CHUNK_ENDS) is None
    assert allocator.assign("small", [3] * 5, 5, CHUNK_ENDS) is None


def test_a_request_that_stops_waiting_does_not_hold_up_the_next() -> None:
    allocator = streams(1)
    allocator.enqueue("gone")
    allocator.enqueue("next")
    allocator.dequeue("gone")

    assert allocator.assign("next", [1] * 5, 5, CHUNK_ENDS) is not None


@dataclass
class Held:
    slot: Slot
    need: int


class SlotAllocatorMachine(RuleBasedStateMachine):
    """Requests that come and go in any order, on a cache of either layout."""

    def __init__(self) -> None:
        super().__init__()
        self.layout: KvLayout = StreamsLayout(4, 1000)
        self.allocator = SlotAllocator(self.layout)
        self.held: dict[str, Held] = {}
        self.waiting: dict[str, tuple[list[int], int]] = {}
        self.count = 0

    @initialize(layout=st.sampled_from([StreamsLayout(4, 1000), UnifiedLayout(4, 40, 40)]))
    def choose_layout(self, layout: KvLayout) -> None:
        self.layout = layout
        self.allocator = SlotAllocator(layout)

    @rule(own=st.lists(st.integers(5, 7), min_size=1, max_size=8), answer=st.integers(1, 20))
    def ask(self, own: list[int], answer: int) -> None:
        self.count += 1
        key = f"r{self.count}"
        prompt = SYSTEM + own
        self.waiting[key] = (prompt, len(prompt) + answer)
        self.allocator.enqueue(key)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def try_to_assign(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.waiting)))
        prompt, need = self.waiting[key]
        is_first = key == next(iter(self.waiting))
        # The last token is always decoded, for the first token of the answer.
        chunk_ends = [end for end in CHUNK_ENDS if end < len(prompt)]
        assignment = self.allocator.assign(key, prompt, need, chunk_ends)
        if assignment is None:
            has_free = len(self.held) < 4
            used = sum(one.need for one in self.held.values())
            has_room = not self.layout.is_unified or used + need <= self.layout.cells
            assert not (is_first and has_free and has_room)
            return
        assert is_first
        assert assignment.slot.prompt == prompt[: assignment.shared]
        assert assignment.shared in (0, *CHUNK_ENDS)
        assert assignment.shared < len(prompt)
        assert not assignment.shared or assignment.source not in assignment.evicted
        assert assignment.slot.sequence not in [one.slot.sequence for one in self.held.values()]
        assignment.slot.prompt = prompt
        del self.waiting[key]
        self.held[key] = Held(assignment.slot, need)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.waiting)))
        del self.waiting[key]
        self.allocator.dequeue(key)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.held)))
        self.allocator.release(self.held.pop(key).slot)

    @rule()
    def close_gaps(self) -> None:
        gap = self.allocator.gap()
        if gap is not None:
            moving, free = gap
            free.prompt = []
            self.allocator.swap(moving, free)

    @invariant()
    def no_two_requests_share_a_sequence(self) -> None:
        sequences = [one.slot.sequence for one in self.held.values()]
        assert len(set(sequences)) == len(sequences)
        assert sorted(sequences) == [slot.sequence for slot in self.allocator.taken]

    @invariant()
    def the_cache_never_overflows(self) -> None:
        assert sum(one.need for one in self.held.values()) <= self.layout.cells


TestSlotAllocator = SlotAllocatorMachine.TestCase
TestSlotAllocator.settings = settings(max_examples=200, stateful_step_count=40)


@pytest.mark.parametrize("layout", [StreamsLayout(2, 1000), UnifiedLayout(2, 100, 100)])
def test_a_released_slot_is_free_again(layout: KvLayout) -> None:
    allocator = SlotAllocator(layout)
    for number in range(50):
        allocator.release(take(allocator, str(number), [number, *SYSTEM]))

    assert allocator.taken == []
