"""Which slot of a KV cache a request gets, and which cached prefix it can start from. Pure.

A request gets a slot when it is first in the queue, a slot is free, and the cache has room for its
prompt and its longest answer, so that it never runs out of room later. Prompts of finished
requests stay in the cache until their room is needed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from service.engine.decoding.kv_layout import KvLayout, Slot


@dataclass(frozen=True, slots=True)
class Assignment:
    """Empty the `evicted` sequences, then start with the first `shared` tokens of `source`."""

    slot: Slot
    source: int
    shared: int
    evicted: tuple[int, ...]


class SlotAllocator:
    def __init__(self, layout: KvLayout) -> None:
        self._layout = layout
        self._slots = [Slot(sequence) for sequence in range(layout.sequences)]
        self._queue: list[str] = []
        self._clock = 0

    def enqueue(self, key: str) -> None:
        self._queue.append(key)

    def dequeue(self, key: str) -> None:
        """Stop waiting; unknown keys are ignored."""
        if key in self._queue:
            self._queue.remove(key)

    @property
    def waiting(self) -> int:
        return len(self._queue)

    @property
    def taken(self) -> list[Slot]:
        return [slot for slot in self._slots if slot.is_taken]

    def assign(
        self, key: str, prompt: list[int], need: int, chunk_ends: Sequence[int]
    ) -> Assignment | None:
        """None until the key is first in the queue and there is room.

        `need` is the most tokens that the request can put in the cache. A prefix is shared only up
        to one of `chunk_ends`, so that a prompt is decoded in the same chunks whether or not its
        start was cached. None of them is the prompt's end: the last token is always decoded,
        because the first token of the answer is sampled from it.
        """
        usable = self._layout.usable(self._slots)
        if not usable or self._queue[:1] != [key] or not self._has_room(need):
            return None
        self._queue.pop(0)
        shared_by = {one.sequence: _shared(one, prompt, chunk_ends) for one in self._slots}
        source = max(self._slots, key=lambda one: (shared_by[one.sequence], one.used_at))
        # The slot that loses least, and among equals the least recently used.
        slot = min(usable, key=lambda one: (len(one.prompt) > shared_by[one.sequence], one.used_at))
        if shared_by[slot.sequence] == shared_by[source.sequence]:
            source = slot
        elif not self._can_stay(source, need):
            # Its room is needed as well, so the request takes over the source's own slot.
            slot = source
        shared = shared_by[source.sequence]
        slot.is_taken, slot.reserved, slot.prompt = True, need, prompt[:shared]
        self._touch(slot)
        evicted = self._layout.evict(self._slots, keep=source)
        return Assignment(slot, source.sequence, shared, evicted)

    def release(self, slot: Slot) -> None:
        """The request is over; its prompt stays in the cache for reuse."""
        slot.is_taken = False
        slot.reserved = len(slot.prompt)
        self._touch(slot)

    def gap(self) -> tuple[Slot, Slot] | None:
        """A taken slot and the free one it should move to, so that batches stay whole."""
        return self._layout.gap(self._slots)

    def swap(self, one: Slot, other: Slot) -> None:
        """Exchange the sequences of two slots; requests keep their slot objects."""
        first, second = one.sequence, other.sequence
        one.sequence, other.sequence = second, first
        self._slots[second], self._slots[first] = one, other

    def _has_room(self, tokens: int) -> bool:
        return self._layout.has_room(self._slots, tokens)

    def _can_stay(self, slot: Slot, need: int) -> bool:
        return slot.is_taken or self._has_room(need + len(slot.prompt))

    def _touch(self, slot: Slot) -> None:
        self._clock += 1
        slot.used_at = self._clock


def _shared(slot: Slot, prompt: list[int], chunk_ends: Sequence[int]) -> int:
    length = common_prefix(slot.prompt, prompt)
    return max((end for end in chunk_ends if end <= length), default=0)


def common_prefix(one: Sequence[int], other: Sequence[int]) -> int:
    """The number of tokens at the start that two sequences have in common."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(one), len(other)))
