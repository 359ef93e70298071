"""The prompts in the cache of a context, and those saved outside it. Knows no model.

A request starts with what is known of its prompt. What is in another sequence is copied, and what
had to leave the cache is saved for a while.
"""

import numpy as np
from numpy.typing import NDArray

from service.engine.decoding.kv_layout import KvLayout, SequenceCache, Slot
from service.engine.decoding.kv_slots import Assignment, SlotAllocator
from service.engine.decoding.prefix_reuse import Cached, Wanted
from service.engine.decoding.saved_states import SavedState, SavedStates
from service.engine.files.cache_size import saved_tokens

# The service has four system prompts, and OpenAI clients bring their own.
SAVED_SYSTEM_PROMPTS = 8
# Each also keeps its logits, which are 4 bytes for each token of the vocabulary.
SAVED_PROMPTS = 64


class PromptCache:
    """`can_cut` says whether a sequence of the cache can be cut to any of its prefixes."""

    def __init__(self, layout: KvLayout, cache: SequenceCache, *, can_cut: bool) -> None:
        self._layout = layout
        self._cache = cache
        self._can_cut = can_cut
        self._slots = SlotAllocator(layout, can_cut=can_cut)
        self._prompts = SavedStates(SAVED_PROMPTS, saved_tokens(layout.cells))
        self._system_prompts = SavedStates(SAVED_SYSTEM_PROMPTS, layout.cells)

    @property
    def waiting(self) -> int:
        return self._slots.waiting

    def enqueue(self, key: str) -> None:
        self._slots.enqueue(key)

    def dequeue(self, key: str) -> None:
        self._slots.dequeue(key)

    def take(self, key: str, wanted: Wanted, need: int) -> Slot | None:
        """The slot of a request, with as much of its prompt as is known; None while it must wait.

        `need` is the most tokens that the request can put in the cache.
        """
        if not self._slots.has_place(key, need):
            return None
        saved, share = self._best_saved(wanted)
        known = Cached() if saved is None else saved.cached.cut(share)
        assignment = self._slots.assign(wanted, need, known)
        for lost in assignment.lost:
            self._save(lost.sequence, lost.cached, self._prompts)
        for sequence in assignment.evicted:
            self._cache.keep(sequence, 0)
        slot = assignment.slot
        if assignment.other is not None:
            self._exchange(slot, assignment.other)
        if not self._fill(assignment, saved):
            slot.cached = Cached()
        return slot

    def note_piece(self, slot: Slot, prompt: list[int], end: int, *, is_system: bool) -> None:
        """A piece of the prompt was decoded, which ends at `end`; `is_system`: as the system prompt does."""
        slot.cached = slot.cached.grown(prompt, end)
        if is_system and slot.cached.is_in_pieces:
            self._save(slot.sequence, slot.cached, self._system_prompts)

    def note_prompt(self, slot: Slot, logits: NDArray[np.float32]) -> None:
        """The whole prompt was decoded, and its last token has this row."""
        logits.flags.writeable = False
        slot.cached = slot.cached.completed(logits)
        if not self._can_cut:
            # After the answer there is no way back to the end of the prompt.
            self._save(slot.sequence, slot.cached, self._prompts)

    def release(self, slot: Slot, answer: list[int]) -> None:
        """The request is over; keep its prompt, and these tokens of its answer."""
        if answer:
            slot.cached = slot.cached.answered(answer)
        if not self._cache.keep(slot.sequence, len(slot.cached.tokens)):
            slot.cached = Cached()
        self._slots.release(slot)

    def close_gap(self) -> None:
        """Move a sequence next to the others where only neighbours share a batch."""
        gap = None if self._slots.waiting else self._slots.gap()
        if gap is not None:
            self._exchange(*gap)

    def _best_saved(self, wanted: Wanted) -> tuple[SavedState | None, int]:
        found = [
            states.best(wanted, can_cut=self._can_cut)
            for states in (self._system_prompts, self._prompts)
        ]
        return max(found, key=lambda one: one[1])

    def _save(self, sequence: int, cached: Cached, states: SavedStates) -> None:
        states.put(cached, lambda: self._cache.save(sequence))

    def _exchange(self, full: Slot, other: Slot) -> None:
        """Exchange the sequences of two slots and all they have; `other` has no request."""
        one, two = full.sequence, other.sequence
        state = self._cache.save(one)
        others = self._cache.save(two) if other.cached.tokens else None
        self._cache.keep(one, 0)
        self._cache.keep(two, 0)
        self._cache.restore(two, state)
        if others is not None:
            self._cache.restore(one, others)
        self._slots.swap(full, other)

    def _fill(self, assignment: Assignment, saved: SavedState | None) -> bool:
        """Put into the slot's sequence what it starts with; False if it could not be cut off."""
        slot, source = assignment.slot, assignment.source
        tokens = len(slot.cached.tokens)
        if source is slot:
            return self._cache.keep(slot.sequence, tokens)
        if source is not None:
            return self._layout.copy(self._cache, source.sequence, slot.sequence, tokens)
        assert saved is not None
        self._cache.keep(slot.sequence, 0)
        self._cache.restore(slot.sequence, saved.state)
        is_whole = tokens == len(saved.cached.tokens)
        return is_whole or self._cache.keep(slot.sequence, tokens)
