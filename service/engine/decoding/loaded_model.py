"""A loaded model: its weights, its contexts, and the slots of their caches."""

from collections import OrderedDict
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.engine.decoding.chat_template import ChatTokeniser, PromptTokens
from service.engine.decoding.foreign_grammars import ForeignGrammars
from service.engine.decoding.kv_layout import KvLayout, Slot, UnifiedLayout
from service.engine.decoding.kv_slots import Assignment, SlotAllocator
from service.engine.files.cache_size import CacheSize
from service.engine.llama import (
    AdapterFile,
    Chunk,
    Context,
    ContextSize,
    LlamaModel,
    Outputs,
    Rows,
)
from service.errors import PromptTooLong
from service.messages import Text

# Tokens of a prefill chunk. A cancelled request has to wait for the end of its chunk. Decoding the
# same chunks gives the same numbers to the last bit, so prefixes are reused by whole chunks only,
# and a seed gives the same text whether or not the cache was warm.
CPU_CHUNK, SMALL_MODEL_CPU_CHUNK, GPU_CHUNK = 32, 64, 512
SMALL_MODEL_PARAMETERS = 200_000_000
# System prompts saved outside the cache. The service has four, and OpenAI clients bring their own.
SAVED_PREFIXES = 8


@dataclass(frozen=True, slots=True)
class PendingDecode:
    """The tokens that a request wants decoded next.

    `is_answer` is True for the next token of a running answer, False for a part of a prompt.
    """

    context: Context
    slot: Slot
    position: int
    tokens: Sequence[int]
    outputs: Outputs = "none"
    is_answer: bool = False

    def chunk(self) -> Chunk:
        """Call this just before decoding: until then the slot may move to another sequence."""
        return Chunk(self.slot.sequence, self.position, self.tokens, self.outputs)


Steps = Generator[PendingDecode | None, Rows | None, None]
"""A request as a coroutine. It yields what to decode next and is sent the rows; None waits."""


def prefill_chunk_tokens(parameters: int, gpu_layers: int) -> int:
    """Tokens that are decoded in about a tenth of a second, or few where even those take longer."""
    if gpu_layers:
        return GPU_CHUNK
    return SMALL_MODEL_CPU_CHUNK if parameters < SMALL_MODEL_PARAMETERS else CPU_CHUNK


class LoadedModel:
    def __init__(
        self,
        weights: LlamaModel,
        layout: KvLayout,
        cache_size: CacheSize,
        *,
        threads: int,
        chat: ChatTokeniser,
        adapter: tuple[AdapterFile, float] | None = None,
    ) -> None:
        self.weights = weights
        self.chat = chat
        self.context_tokens = layout.tokens
        self.chunk_tokens = prefill_chunk_tokens(weights.parameters, weights.gpu_layers)
        self.cache_bytes = cache_size.total(layout.cells, layout.sequences)
        self._layout = layout
        self._threads = threads
        self._adapter = adapter
        # A batch has a prefill chunk, or one token of each sequence.
        batch = max(self.chunk_tokens, layout.sequences)
        size = ContextSize(layout.cells, layout.sequences, batch, layout.is_unified)
        self.context = Context(weights, size, threads=threads, adapter=adapter)
        self.slots = SlotAllocator(layout)
        self.foreign_grammars = ForeignGrammars(weights.path)
        self._prefilling: Slot | None = None
        self._saved_prefixes: OrderedDict[tuple[int, ...], NDArray[np.uint8]] = OrderedDict()
        self._embedding_context: Context | None = None
        self._embedding_slots = SlotAllocator(UnifiedLayout(1, layout.tokens, cells=layout.tokens))

    @property
    def embedding_context(self) -> Context:
        """Made when it is first needed, because most models never embed."""
        if self._embedding_context is None:
            size = ContextSize(self.context_tokens, 1, self.chunk_tokens, is_unified=True)
            self._embedding_context = Context(
                self.weights, size, threads=self._threads, adapter=self._adapter, embeds=True
            )
        return self._embedding_context

    def check_fit(self, tokens: int, answer: int) -> None:
        """Raises PromptTooLong unless prompt and answer fit the context together."""
        if tokens + answer > self.context_tokens:
            raise PromptTooLong(
                Text(
                    "The prompt has %(tokens)s tokens and the answer may have %(answer)s. "
                    "Together they must not exceed the model's context of %(room)s tokens.",
                    tokens=tokens,
                    answer=answer,
                    room=self.context_tokens,
                )
            )

    def acquire_slot(
        self, key: str, prompt: PromptTokens, answer: int, *, reuses_prefix: bool = True
    ) -> Generator[None, Rows | None, tuple[Slot, int]]:
        """Wait for a slot; returns it, and how many tokens of the prompt it has cached.

        Only one prompt is prefilled at a time, so that the next one can reuse its prefix.
        """
        chunk_ends = self._chunk_ends(prompt) if reuses_prefix else []
        self.slots.enqueue(key)
        try:
            need = len(prompt.tokens) + answer
            while True:
                if self._prefilling is None:
                    assignment = self.slots.assign(key, prompt.tokens, need, chunk_ends)
                    if assignment is not None:
                        break
                yield
        finally:
            self.slots.dequeue(key)
        self._prefilling = assignment.slot
        return assignment.slot, self._fill_from_cache(assignment, prompt, chunk_ends)

    def release_slot(self, slot: Slot) -> None:
        """Forget the answer, and keep the prompt in the cache for reuse."""
        self._end_prefill(slot)
        if not self.context.keep(slot.sequence, len(slot.prompt)):
            slot.prompt = []
        self.slots.release(slot)

    def acquire_embedding_slot(self, key: str) -> Generator[None, Rows | None, Slot]:
        """Wait for the embedding context, which takes one text at a time."""
        self._embedding_slots.enqueue(key)
        try:
            while (assignment := self._embedding_slots.assign(key, [], 0, [])) is None:
                yield
        finally:
            self._embedding_slots.dequeue(key)
        return assignment.slot

    def release_embedding_slot(self, slot: Slot) -> None:
        self._embedding_slots.release(slot)

    def prefill(
        self, slot: Slot, prompt: PromptTokens, start: int, *, is_reusable: bool = True
    ) -> Generator[PendingDecode | None, Rows | None, Rows]:
        """Decode `prompt` from its token `start` on; returns the row of the last token.

        The first `start` tokens must be in the cache. Other requests may reuse a prompt that
        `is_reusable`.
        """
        tokens = prompt.tokens
        row: Rows | None = None
        for end in [end for end in self._chunk_ends(prompt) if end > start] + [len(tokens)]:
            outputs: Outputs = "last" if end == len(tokens) else "none"
            row = yield PendingDecode(self.context, slot, start, tokens[start:end], outputs)
            start = end
            if is_reusable:
                self._note_cached(slot, tokens[:end])
                if end == prompt.system_tokens:
                    self._save_prefix(tokens[:end], slot)
        assert row is not None
        self._end_prefill(slot)
        return row

    def _note_cached(self, slot: Slot, tokens: list[int]) -> None:
        # Where a sequence cannot be cut, no other request can take its start from a slot. System
        # prompts are reused all the same, because they are saved when they end.
        if self.weights.can_rewind:
            slot.prompt = tokens

    def _end_prefill(self, slot: Slot) -> None:
        if self._prefilling is slot:
            self._prefilling = None

    def close_gap(self) -> None:
        """Move a sequence next to the others where only neighbours share a batch."""
        gap = None if self.slots.waiting else self.slots.gap()
        if gap is not None:
            moving, free = gap
            self.context.keep(free.sequence, 0)
            self.context.restore(free.sequence, self.context.save(moving.sequence))
            self.context.keep(moving.sequence, 0)
            free.prompt = []
            self.slots.swap(moving, free)

    def close(self) -> None:
        self.foreign_grammars.close()
        self.context.close()
        if self._embedding_context is not None:
            self._embedding_context.close()

    def _chunk_ends(self, prompt: PromptTokens) -> list[int]:
        """Where prefill chunks end: after the system prompt, and after each chunk of tokens."""
        last = len(prompt.tokens) - 1
        system = min(prompt.system_tokens, last)
        return [
            *range(self.chunk_tokens, system, self.chunk_tokens),
            *range(system or self.chunk_tokens, last + 1, self.chunk_tokens),
        ]

    def _fill_from_cache(
        self, assignment: Assignment, prompt: PromptTokens, chunk_ends: list[int]
    ) -> int:
        """Put the known start of a prompt into the slot's sequence; returns its length."""
        sequence, shared = assignment.slot.sequence, assignment.shared
        for evicted in assignment.evicted:
            if evicted != sequence:
                self.context.keep(evicted, 0)
        system = tuple(prompt.tokens[: prompt.system_tokens])
        is_saved = prompt.system_tokens in chunk_ends and system in self._saved_prefixes
        if shared < prompt.system_tokens and is_saved:
            self._saved_prefixes.move_to_end(system)
            self.context.keep(sequence, 0)
            self.context.restore(sequence, self._saved_prefixes[system])
            self._note_cached(assignment.slot, list(system))
            return prompt.system_tokens
        if assignment.source == sequence:
            is_kept = self.context.keep(sequence, shared)
        else:
            is_kept = self._layout.copy(self.context, assignment.source, sequence, shared)
        if not is_kept:
            assignment.slot.prompt = []
        return shared if is_kept else 0

    def _save_prefix(self, tokens: list[int], slot: Slot) -> None:
        self._saved_prefixes[tuple(tokens)] = self.context.save(slot.sequence)
        if len(self._saved_prefixes) > SAVED_PREFIXES:
            self._saved_prefixes.popitem(last=False)
