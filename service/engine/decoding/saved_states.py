"""States of sequences that are kept outside the cache, for prompts that come again. Pure."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.engine.decoding.prefix_reuse import Cached, Wanted

State = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class SavedState:
    cached: Cached
    state: State


class SavedStates:
    """At most `entries` states of `tokens` in all; the least recently used one is dropped first."""

    def __init__(self, entries: int, tokens: int) -> None:
        self._most_entries = entries
        self._most_tokens = tokens
        self._states: OrderedDict[tuple[int, ...], SavedState] = OrderedDict()

    def best(self, wanted: Wanted, *, can_cut: bool) -> tuple[SavedState | None, int]:
        """The state that a prompt can start with most tokens of, and how many these are.

        Without `can_cut`, a state can be used only as a whole.
        """
        best, most = None, 0
        for key, saved in list(self._states.items()):
            share = saved.cached.share(wanted)
            is_whole = share == len(saved.cached.tokens)
            if is_whole:
                self._states.move_to_end(key)
            if (is_whole or can_cut) and share > most:
                best, most = saved, share
        return best, most

    def put(self, cached: Cached, save: Callable[[], State]) -> None:
        """Call `save` and keep the state, unless it is there already or too large."""
        key = tuple(cached.tokens)
        if len(key) > self._most_tokens:
            return
        if key in self._states:
            self._states.move_to_end(key)
            return
        self._drop_outgrown(key)
        self._states[key] = SavedState(cached, save())
        while len(self._states) > self._most_entries or self._tokens > self._most_tokens:
            self._states.popitem(last=False)

    def _drop_outgrown(self, key: tuple[int, ...]) -> None:
        """A chat that has gone on replaces what it was before."""
        for old, saved in list(self._states.items()):
            if saved.cached.prompt and key[: len(old)] == old:
                del self._states[old]

    @property
    def _tokens(self) -> int:
        return sum(map(len, self._states))
