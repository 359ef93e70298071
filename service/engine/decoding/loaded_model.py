"""A loaded model: its weights, its contexts, and the slots of their caches."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np

from service.engine.decoding.chat_template import ChatTokeniser, PromptTokens
from service.engine.decoding.foreign_grammars import ForeignGrammars
from service.engine.decoding.kv_layout import KvLayout, Slot, UnifiedLayout
from service.engine.decoding.kv_slots import SlotAllocator
from service.engine.decoding.prefix_reuse import Cached, Reuse, Wanted
from service.engine.decoding.prompt_cache import PromptCache
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
# same chunks gives the same numbers to the last bit, so repeatable requests reuse whole chunks only,
# and a seed gives the same text whether or not the cache was warm.
CPU_CHUNK, SMALL_MODEL_CPU_CHUNK, GPU_CHUNK = 32, 64, 512
SMALL_MODEL_PARAMETERS = 200_000_000


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
        self._threads = threads
        self._adapter = adapter
        # A batch has a prefill chunk, or one token of each sequence.
        batch = max(self.chunk_tokens, layout.sequences)
        size = ContextSize(layout.cells, layout.sequences, batch, layout.is_unified)
        self.context = Context(weights, size, threads=threads, adapter=adapter)
        self.prompts = PromptCache(layout, self.context, can_cut=weights.can_rewind)
        self.foreign_grammars = ForeignGrammars(weights.path)
        self._prefilling: Slot | None = None
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
        self, key: str, prompt: PromptTokens, answer: int, *, reuse: Reuse = "pieces"
    ) -> Generator[None, Rows | None, tuple[Slot, int]]:
        """Wait for a slot; returns it, and how many tokens of the prompt it has cached.

        Only one prompt is prefilled at a time, so that the next one can reuse its prefix.
        """
        wanted = Wanted(prompt.tokens, self._piece_ends(prompt), reuse)
        need = len(prompt.tokens) + answer
        self.prompts.enqueue(key)
        try:
            while self._prefilling or (slot := self.prompts.take(key, wanted, need)) is None:
                yield
        finally:
            self.prompts.dequeue(key)
        self._prefilling = slot
        return slot, len(slot.cached.tokens)

    def release_slot(self, slot: Slot, answer: Sequence[int] = ()) -> None:
        """Keep the prompt in the cache for reuse, and these decoded tokens of the answer."""
        self._end_prefill(slot)
        self.prompts.release(slot, list(answer))

    def acquire_embedding_slot(self, key: str) -> Generator[None, Rows | None, Slot]:
        """Wait for the embedding context, which takes one text at a time."""
        self._embedding_slots.enqueue(key)
        try:
            while not self._embedding_slots.has_place(key, 0):
                yield
            return self._embedding_slots.assign(Wanted([], ()), 0, Cached()).slot
        finally:
            self._embedding_slots.dequeue(key)

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
        if start == len(tokens):
            self._end_prefill(slot)
            assert slot.cached.logits is not None
            return slot.cached.logits[np.newaxis]
        row: Rows | None = None
        for end in self._ends_after(start, prompt, is_in_pieces=slot.cached.is_in_pieces):
            outputs: Outputs = "last" if end == len(tokens) else "none"
            row = yield PendingDecode(self.context, slot, start, tokens[start:end], outputs)
            start = end
            if is_reusable:
                is_system = end == prompt.system_tokens
                self.prompts.note_piece(slot, tokens, end, is_system=is_system)
        assert row is not None
        if is_reusable:
            self.prompts.note_prompt(slot, row[0].copy())
        self._end_prefill(slot)
        return row

    def _end_prefill(self, slot: Slot) -> None:
        if self._prefilling is slot:
            self._prefilling = None

    def close(self) -> None:
        self.foreign_grammars.close()
        self.context.close()
        if self._embedding_context is not None:
            self._embedding_context.close()

    def _piece_ends(self, prompt: PromptTokens) -> tuple[int, ...]:
        """Where pieces end: after the system prompt, after each chunk of tokens, and at the end."""
        last = len(prompt.tokens) - 1
        system = min(prompt.system_tokens, last)
        return (
            *range(self.chunk_tokens, system, self.chunk_tokens),
            *range(system or self.chunk_tokens, last + 1, self.chunk_tokens),
            last + 1,
        )

    def _ends_after(self, start: int, prompt: PromptTokens, *, is_in_pieces: bool) -> Sequence[int]:
        if is_in_pieces:
            return [end for end in self._piece_ends(prompt) if end > start]
        size = len(prompt.tokens)
        return [*range(start + self.chunk_tokens, size, self.chunk_tokens), size]
