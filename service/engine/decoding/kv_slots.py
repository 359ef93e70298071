"""Which slot of a KV cache a request gets, and which cached prefix it can start from. Pure.

A request gets a slot when it is first in the queue, a slot is free, and the cache has room for its
prompt and its longest answer, so that it never runs out of room later. Prompts of finished
requests stay in the cache until their room is needed.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from service.engine.decoding.kv_layout import KvLayout, Slot
from service.engine.decoding.prefix_reuse import Cached, Wanted


@dataclass(frozen=True, slots=True)
class Lost:
    """What a sequence had when its room was needed."""

    sequence: int
    cached: Cached


@dataclass(frozen=True, slots=True)
class Assignment:
    """The slot of a request, and what it starts with, to be put there in this order.

    What is `lost` can still be saved. Then the `evicted` sequences are emptied, and the slot swaps
    its sequence with that of `other`. It starts with tokens of `source`: another slot, itself, or
    None if they are saved outside the cache.
    """

    slot: Slot
    source: Slot | None
    lost: tuple[Lost, ...]
    evicted: tuple[int, ...]
    other: Slot | None = None


class SlotAllocator:
    """With `can_cut`, a sequence can be cut to any of its prefixes; else none is taken from a slot."""

    def __init__(self, layout: KvLayout, *, can_cut: bool = True) -> None:
        self._layout = layout
        self._can_cut = can_cut
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

    def has_place(self, key: str, need: int) -> bool:
        """Whether the key is first in the queue and there is room.

        `need` is the most tokens that the request can put in the cache.
        """
        if self._queue[:1] != [key] or not self._layout.has_room(self._slots, need):
            return False
        return bool(self._layout.usable(self._slots))

    def assign(self, wanted: Wanted, need: int, saved: Cached) -> Assignment:
        """The slot of the first in the queue, for which `has_place` has just said yes.

        `saved` is what the prompt could start with from outside the cache. The slot's `cached` is
        what it is to start with.
        """
        self._queue.pop(0)
        search = _Search(self._layout.usable(self._slots), self._shares(wanted))
        slot, source, other = self._choose(search, need)
        start = source.cached.cut(search.share(source))
        is_saved = len(saved.tokens) > len(start.tokens)
        if is_saved:
            slot, start, other = search.best_slot, saved, None
        lost = [Lost(slot.sequence, slot.cached)] if search.loses(slot) else []
        slot.is_taken, slot.reserved, slot.cached = True, need, start
        self._touch(slot)
        evicted = self._layout.evict(self._slots, keep=source)
        lost += [Lost(one.sequence, one.cached) for one in evicted]
        for one in evicted:
            one.cached = Cached()
        return Assignment(
            slot,
            None if is_saved else source,
            self._worth_saving(lost),
            tuple(one.sequence for one in evicted),
            other,
        )

    def release(self, slot: Slot) -> None:
        """The request is over; what it has cached stays for reuse."""
        slot.is_taken = False
        slot.reserved = len(slot.cached.tokens)
        self._touch(slot)

    def gap(self) -> tuple[Slot, Slot] | None:
        """A taken slot and the free one it should move to, so that batches stay whole."""
        return self._layout.gap(self._slots)

    def swap(self, one: Slot, other: Slot) -> None:
        """Exchange the sequences of two slots; requests keep their slot objects."""
        first, second = one.sequence, other.sequence
        one.sequence, other.sequence = second, first
        self._slots[second], self._slots[first] = one, other

    def _choose(self, search: "_Search", need: int) -> tuple[Slot, Slot, Slot | None]:
        """The slot, the source of its start, and the slot with which it swaps its sequence."""
        slot, source = search.best_slot, search.best_source(self._slots)
        if search.can_be_taken_over(source):
            # A free slot that is not beside the running requests moves there.
            return source, source, None if search.is_usable(source) else search.emptiest_slot
        if search.share(slot) == search.share(source):
            return slot, slot, None
        if not self._can_stay(source, need):
            # Its room is needed as well, so the request takes over the source's own slot.
            return source, source, None
        return slot, source, None

    def _shares(self, wanted: Wanted) -> dict[int, int]:
        if not self._can_cut:
            return {one.sequence: 0 for one in self._slots}
        return {one.sequence: one.cached.share(wanted) for one in self._slots}

    def _can_stay(self, slot: Slot, need: int) -> bool:
        tokens = need + len(slot.cached.tokens)
        return slot.is_taken or self._layout.has_room(self._slots, tokens)

    def _worth_saving(self, lost: Iterable[Lost]) -> tuple[Lost, ...]:
        """Whole prompts that no other slot has."""
        return tuple(
            one for one in lost if one.cached.logits is not None and not self._has(one.cached)
        )

    def _has(self, cached: Cached) -> bool:
        size = len(cached.tokens)
        return any(one.cached.tokens[:size] == cached.tokens for one in self._slots)

    def _touch(self, slot: Slot) -> None:
        self._clock += 1
        slot.used_at = self._clock


@dataclass(frozen=True, slots=True)
class _Search:
    """The slots that a request may take, and how much of each sequence it can start with."""

    usable: list[Slot]
    shares: dict[int, int]

    def share(self, slot: Slot) -> int:
        return self.shares[slot.sequence]

    def is_usable(self, slot: Slot) -> bool:
        return any(one is slot for one in self.usable)

    def loses(self, slot: Slot) -> bool:
        """Whether the slot has a prompt that the request does not start with."""
        return slot.cached.essence > self.share(slot)

    def can_be_taken_over(self, slot: Slot) -> bool:
        return not slot.is_taken and self.share(slot) > 0 and not self.loses(slot)

    @property
    def best_slot(self) -> Slot:
        """The slot that loses least, and among equals the least recently used."""
        return min(self.usable, key=lambda one: (self.loses(one), one.used_at))

    @property
    def emptiest_slot(self) -> Slot:
        return min(self.usable, key=lambda one: len(one.cached.tokens))

    def best_source(self, slots: list[Slot]) -> Slot:
        """The slot that has most of the prompt, at best one that can be taken over as it is."""
        return max(
            slots, key=lambda one: (self.share(one), self.can_be_taken_over(one), one.used_at)
        )
