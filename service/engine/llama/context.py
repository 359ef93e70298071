"""A llama.cpp context: the KV cache and the compute buffers of a model, and decoding in them."""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from service.engine.llama.c_api import c_api
from service.engine.llama.library import Library
from service.engine.llama.model import LlamaModel
from service.errors import EngineError, ModelUnavailable, PromptTooLong

CACHE_FULL = 1
Rows = NDArray[np.float32]


Outputs = Literal["none", "last", "all"]
"""The tokens of a chunk for which rows of logits or embeddings are wanted."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive tokens of one sequence; `position` is that of the first."""

    sequence: int
    position: int
    tokens: Sequence[int]
    outputs: Outputs = "none"


@dataclass(frozen=True, slots=True)
class ContextSize:
    """The size and layout of a context.

    The cache has `cells` tokens for `sequences` sequences: one pool if it `is_unified`, else an
    equal stream for each. Streams attend faster on a CPU, where a pool is scanned whole for every
    token; a pool needs less memory when few requests are long. `batch` is the most tokens of one
    decode.
    """

    cells: int
    sequences: int
    batch: int
    is_unified: bool


class AdapterFile:
    """A LoRA adapter for a model; it is freed with the model."""

    def __init__(self, library: Library, model: LlamaModel, path: Path) -> None:
        library.last_error = ""
        self.handle: Any = c_api().llama_adapter_lora_init(model.handle, bytes(path))
        if not self.handle:
            reason = library.last_error or "llama.cpp gives no reason"
            raise ModelUnavailable(f"The adapter {path} does not fit its model: {reason}.")


class Context:
    """The cache and compute buffers of one model, always with the same adapter."""

    def __init__(
        self,
        model: LlamaModel,
        size: ContextSize,
        *,
        threads: int,
        adapter: tuple[AdapterFile, float] | None = None,
        embeds: bool = False,
    ) -> None:
        self.size = size
        self._model = model
        self._embeds = embeds
        self._context: Any = c_api().llama_init_from_model(
            model.handle, _params(size, threads, embeds)
        )
        if not self._context:
            raise ModelUnavailable(
                f"There is not enough memory for a cache of {size.cells} tokens. Lower `slots`, "
                "`context` or `cache_tokens` in the catalog."
            )
        self._memory = c_api().llama_get_memory(self._context)
        self._batch = _Batch(size.batch)
        if adapter is not None:
            self._apply_adapter(*adapter)

    def _apply_adapter(self, adapter: AdapterFile, scale: float) -> None:
        handles = (ctypes.c_void_p * 1)(adapter.handle)
        scales = (ctypes.c_float * 1)(scale)
        if c_api().llama_set_adapters_lora(self._context, handles, 1, scales) != 0:
            raise ModelUnavailable("llama.cpp refused the adapter.")

    def decode(self, chunks: Sequence[Chunk]) -> list[Rows | None]:
        """Decode one batch; returns each chunk's rows of logits or embeddings, or None.

        Rows have the shape (outputs, width). They are llama.cpp's own memory and valid only until
        the next decode. Chunks must be in the order of their sequences, because only streams of
        consecutive sequences are decoded together.

        Raises:
            PromptTooLong: the cache is full.
            EngineError: the decode failed.
        """
        counts = self._batch.fill(chunks)
        code = c_api().llama_decode(self._context, self._batch.handle)
        if code == CACHE_FULL:
            raise PromptTooLong("The model's cache is full.")
        if code != 0:
            raise EngineError(f"llama.cpp failed to decode (code {code}).")
        wanted = sum(counts)
        if not wanted:
            return [None] * len(chunks)
        # Reading all rows at once also puts them in the order of the batch.
        if self._embeds:
            read, width = c_api().llama_get_embeddings, self._model.embedding_size
        else:
            read, width = c_api().llama_get_logits, self._model.vocabulary_size
        rows = np.ctypeslib.as_array(read(self._context), shape=(wanted, width))
        result: list[Rows | None] = []
        start = 0
        for count in counts:
            result.append(rows[start : start + count] if count else None)
            start += count
        return result

    def keep(self, sequence: int, tokens: int) -> bool:
        """Forget all but the first `tokens` of a sequence.

        False if the cache cannot be cut there; the sequence is empty then.
        """
        is_possible = tokens == 0 or self._model.can_rewind
        if is_possible and c_api().llama_memory_seq_rm(self._memory, sequence, tokens, -1):
            return True
        c_api().llama_memory_seq_rm(self._memory, sequence, 0, -1)
        return False

    def share(self, source: int, target: int, tokens: int) -> None:
        """Add the first `tokens` of `source` to `target` without a copy; for unified caches."""
        c_api().llama_memory_seq_cp(self._memory, source, target, 0, tokens)

    def save(self, sequence: int) -> NDArray[np.uint8]:
        """The state of a sequence in the cache, for `restore`."""
        size = c_api().llama_state_seq_get_size(self._context, sequence)
        state = np.empty(size, dtype=np.uint8)
        data = state.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
        if c_api().llama_state_seq_get_data(self._context, data, size, sequence) != size:
            raise EngineError("llama.cpp could not save a sequence.")
        return state

    def restore(self, sequence: int, state: NDArray[np.uint8]) -> None:
        data = state.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
        if not c_api().llama_state_seq_set_data(self._context, data, state.size, sequence):
            raise EngineError("llama.cpp could not restore a sequence.")

    def close(self) -> None:
        if self._context:
            self._batch.close()
            c_api().llama_free(self._context)
            self._context = None


def _params(size: ContextSize, threads: int, embeds: bool) -> Any:
    params = c_api().llama_context_default_params()
    params.n_ctx = size.cells
    params.n_batch = params.n_ubatch = size.batch
    params.n_seq_max = size.sequences
    params.kv_unified = size.is_unified
    # llama.cpp calls the alternative slow for several sequences, and with eight of them the windows
    # of Gemma 3 take as much.
    params.swa_full = True
    # By default llama.cpp reserves a row of logits for every token of a batch.
    params.n_outputs_max = size.batch if embeds else size.sequences
    params.n_threads = params.n_threads_batch = threads
    params.embeddings = embeds
    params.no_perf = True
    return params


class _Batch:
    """llama.cpp's batch as numpy arrays, so that a whole prompt is one assignment."""

    def __init__(self, size: int) -> None:
        self.handle = c_api().llama_batch_init(size, 0, 1)
        self._tokens = np.ctypeslib.as_array(self.handle.token, shape=(size,))
        self._positions = np.ctypeslib.as_array(self.handle.pos, shape=(size,))
        self._wanted = np.ctypeslib.as_array(self.handle.logits, shape=(size,))
        np.ctypeslib.as_array(self.handle.n_seq_id, shape=(size,))[:] = 1
        # Each token has a pointer to its sequence number; here these numbers are one array.
        self._sequences = np.zeros(size, dtype=np.int32)
        address, step = self._sequences.ctypes.data, self._sequences.itemsize
        cell = ctypes.POINTER(ctypes.c_int32)
        self._pointers = (cell * size)(
            *(ctypes.cast(address + index * step, cell) for index in range(size))
        )
        # A cast copies the address; the field itself would change with the next line.
        self._own = ctypes.cast(self.handle.seq_id, type(self.handle.seq_id))
        self.handle.seq_id = ctypes.cast(self._pointers, type(self._own))

    def fill(self, chunks: Sequence[Chunk]) -> list[int]:
        """Fill the batch; returns how many rows each chunk will get."""
        start = 0
        counts: list[int] = []
        for chunk in chunks:
            end = start + len(chunk.tokens)
            self._tokens[start:end] = chunk.tokens
            self._positions[start:end] = range(chunk.position, chunk.position + end - start)
            self._sequences[start:end] = chunk.sequence
            self._wanted[start:end] = chunk.outputs == "all"
            self._wanted[end - 1] = chunk.outputs != "none"
            counts.append(int(self._wanted[start:end].sum()))
            start = end
        self.handle.n_tokens = start
        return counts

    def close(self) -> None:
        # llama.cpp must free the array that it allocated, not ours.
        self.handle.seq_id = self._own
        c_api().llama_batch_free(self.handle)
