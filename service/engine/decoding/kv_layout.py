"""The two layouts of a KV cache: a stream for each sequence, or one unified pool of cells.

Pure: it works on slots and, for copies, on anything that has the operations of a cache.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from service.engine.decoding.prefix_reuse import Cached


@dataclass(slots=True)
class Slot:
    """Room for one request: a sequence of the cache.

    `cached` is what another request may reuse, and `reserved` is how many tokens the slot's
    request may put in the cache.
    """

    sequence: int
    cached: Cached = field(default_factory=Cached)
    reserved: int = 0
    is_taken: bool = False
    used_at: int = 0


class SequenceCache(Protocol):
    """The operations of a llama.cpp context on the sequences of its cache."""

    def keep(self, sequence: int, tokens: int) -> bool: ...

    def share(self, source: int, target: int, tokens: int) -> None: ...

    def save(self, sequence: int) -> NDArray[np.uint8]: ...

    def restore(self, sequence: int, state: NDArray[np.uint8]) -> None: ...


class KvLayout(Protocol):
    """What the two layouts do differently. `slots` are all slots, in the order of sequences."""

    @property
    def sequences(self) -> int: ...

    @property
    def tokens(self) -> int:
        """The most tokens of one sequence."""

    @property
    def cells(self) -> int:
        """Tokens that the whole cache holds."""

    @property
    def is_unified(self) -> bool: ...

    def usable(self, slots: Sequence[Slot]) -> list[Slot]:
        """The free slots that the next request may take."""

    def has_room(self, slots: Sequence[Slot], tokens: int) -> bool:
        """Whether `tokens` more can be reserved."""

    def evict(self, slots: Sequence[Slot], keep: Slot) -> list[Slot]:
        """The idle slots to empty so that all reservations fit, `keep` last."""

    def gap(self, slots: Sequence[Slot]) -> tuple[Slot, Slot] | None:
        """A taken slot and the free one it should move to, so that batches stay whole."""

    def copy(self, cache: SequenceCache, source: int, target: int, tokens: int) -> bool:
        """Replace all that `target` has by the first `tokens` of `source`.

        False if the cache cannot cut them off; `target` is empty then.
        """


@dataclass(frozen=True, slots=True)
class StreamsLayout:
    """Each sequence has `tokens` cells of its own, so there is always room in a free slot.

    llama.cpp decodes streams in one batch only while their sequence numbers have no gap
    (`llama_batch_allocr::split_equal`), so neighbouring slots are taken.
    """

    sequences: int
    tokens: int

    is_unified = False

    @property
    def cells(self) -> int:
        return self.sequences * self.tokens

    def usable(self, slots: Sequence[Slot]) -> list[Slot]:
        free = [slot for slot in slots if not slot.is_taken]
        taken = [slot.sequence for slot in slots if slot.is_taken]
        if not taken:
            return free
        inside = [slot for slot in free if taken[0] < slot.sequence < taken[-1]]
        beside = [slot for slot in free if slot.sequence in (taken[0] - 1, taken[-1] + 1)]
        return inside or beside

    def has_room(self, slots: Sequence[Slot], tokens: int) -> bool:  # noqa: ARG002
        return True

    def evict(self, slots: Sequence[Slot], keep: Slot) -> list[Slot]:  # noqa: ARG002
        return []

    def gap(self, slots: Sequence[Slot]) -> tuple[Slot, Slot] | None:
        taken = [slot.sequence for slot in slots if slot.is_taken]
        if not taken or taken[-1] - taken[0] == len(taken) - 1:
            return None
        hole = next(one for one in range(taken[0], taken[-1]) if one not in taken)
        return slots[taken[-1]], slots[hole]

    def copy(self, cache: SequenceCache, source: int, target: int, tokens: int) -> bool:
        # llama.cpp copies whole streams; a saved state has only the cells in use.
        cache.keep(target, 0)
        cache.restore(target, cache.save(source))
        return cache.keep(target, tokens)


@dataclass(frozen=True, slots=True)
class UnifiedLayout:
    """All sequences share one pool of `cells`; a prefix that two of them share is stored once."""

    sequences: int
    tokens: int
    cells: int

    is_unified = True

    def usable(self, slots: Sequence[Slot]) -> list[Slot]:
        return [slot for slot in slots if not slot.is_taken]

    def has_room(self, slots: Sequence[Slot], tokens: int) -> bool:
        return _reserved(slots) + tokens <= self.cells

    def evict(self, slots: Sequence[Slot], keep: Slot) -> list[Slot]:
        idle = [slot for slot in slots if not slot.is_taken and slot.cached.tokens]
        idle.sort(key=lambda slot: (slot is keep, slot.used_at))
        excess = _reserved(slots) + sum(len(slot.cached.tokens) for slot in idle) - self.cells
        evicted: list[Slot] = []
        while excess > 0 and idle:
            evicted.append(idle.pop(0))
            excess -= len(evicted[-1].cached.tokens)
        return evicted

    def gap(self, slots: Sequence[Slot]) -> tuple[Slot, Slot] | None:  # noqa: ARG002
        return None

    def copy(self, cache: SequenceCache, source: int, target: int, tokens: int) -> bool:
        cache.keep(target, 0)
        cache.share(source, target, tokens)
        return True


def _reserved(slots: Sequence[Slot]) -> int:
    return sum(slot.reserved for slot in slots if slot.is_taken)
