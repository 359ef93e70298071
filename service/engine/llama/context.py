"""The cache and the compute buffers of a model, and what is decoded in them."""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
from numpy.typing import NDArray

from service.engine.llama.weights import Library, Weights
from service.errors import EngineError, ModelUnavailable, PromptTooLong

CACHE_FULL = 1
Rows = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Slice:
    """Consecutive tokens of one sequence; `wants_output` for the last of them, or for all."""

    sequence: int
    position: int
    tokens: Sequence[int]
    wants_output: bool = False
    wants_all: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """How a cache is laid out.

    `streams` gives each sequence `tokens` of its own; else all share one pool of `cells`. Streams
    attend faster on a CPU, where the shared pool is scanned whole for every token; the pool needs
    less memory when few requests are long. `batch` is the most tokens of one decode.
    """

    tokens: int
    sequences: int
    batch: int
    streams: bool = False
    cells: int = 0

    @property
    def total(self) -> int:
        return self.sequences * self.tokens if self.streams else max(self.cells, self.tokens)


class AdapterFile:
    """A LoRA adapter for some weights, which free it when they are freed."""

    def __init__(self, library: Library, weights: Weights, path: Path) -> None:
        library.last_error = ""
        self.handle: Any = llama_cpp.llama_adapter_lora_init(weights.handle, bytes(path))
        if not self.handle:
            reason = library.last_error or "llama.cpp gave no reason"
            raise ModelUnavailable(f"The adapter {path} does not fit its model: {reason}.")


class Context:
    """The cache and compute buffers of one model, with its adapter fixed for good."""

    def __init__(
        self,
        weights: Weights,
        shape: Shape,
        *,
        threads: int,
        adapter: tuple[AdapterFile, float] | None = None,
        embeds: bool = False,
    ) -> None:
        self.shape = shape
        self._weights = weights
        self._embeds = embeds
        self._context: Any = llama_cpp.llama_init_from_model(
            weights.handle, _params(shape, threads, embeds)
        )
        if not self._context:
            raise ModelUnavailable(
                f"There is not enough memory for a cache of {shape.total} tokens; lower `slots`, "
                "`context` or `cache_tokens` in the catalog."
            )
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._batch = _Batch(shape.batch)
        if adapter is not None:
            self._apply_adapter(*adapter)

    def _apply_adapter(self, adapter: AdapterFile, scale: float) -> None:
        handles = (llama_cpp.llama_adapter_lora_p_ctypes * 1)(adapter.handle)
        scales = (ctypes.c_float * 1)(scale)
        if llama_cpp.llama_set_adapters_lora(self._context, handles, 1, scales) != 0:
            raise ModelUnavailable("llama.cpp refused the adapter.")

    def decode(self, slices: Sequence[Slice]) -> list[Rows | None]:
        """For each slice the rows it wants (logits or embeddings) of shape (rows, width), else None.

        The rows are llama.cpp's own memory: they hold until the next decode. Slices come in the
        order of their sequences, for streams of consecutive sequences are decoded together.

        Raises:
            PromptTooLong: the cache is full.
            EngineError: the decode failed.
        """
        counts = self._batch.fill(slices)
        code = llama_cpp.llama_decode(self._context, self._batch.handle)
        if code == CACHE_FULL:
            raise PromptTooLong("The model's cache is full.")
        if code != 0:
            raise EngineError(f"llama.cpp failed to decode (code {code}).")
        wanted = sum(counts)
        if not wanted:
            return [None] * len(slices)
        # Reading all of them once also puts them in the order of the batch.
        if self._embeds:
            read, width = llama_cpp.llama_get_embeddings, self._weights.embedding_size
        else:
            read, width = llama_cpp.llama_get_logits, self._weights.vocabulary_size
        rows = np.ctypeslib.as_array(read(self._context), shape=(wanted, width))
        result: list[Rows | None] = []
        start = 0
        for count in counts:
            result.append(rows[start : start + count] if count else None)
            start += count
        return result

    def keep(self, sequence: int, tokens: int) -> None:
        """Forget everything of a sequence after its first `tokens`."""
        if not llama_cpp.llama_memory_seq_rm(self._memory, sequence, tokens, -1):
            # Recurrent and sliding-window caches cannot be cut in the middle.
            raise EngineError("The model's cache cannot be shortened.")

    def copy(self, source: int, target: int, tokens: int) -> None:
        """Make the first `tokens` of `source` all that `target` has."""
        self.keep(target, 0)
        if self.shape.streams:
            # Between streams llama.cpp copies whole buffers; a state has only what is used.
            self.restore(target, self.save(source))
            self.keep(target, tokens)
        else:
            llama_cpp.llama_memory_seq_cp(self._memory, source, target, 0, tokens)

    def save(self, sequence: int) -> NDArray[np.uint8]:
        """Everything the cache holds of a sequence, for `restore`."""
        size = llama_cpp.llama_state_seq_get_size(self._context, sequence)
        state = np.empty(size, dtype=np.uint8)
        data = state.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
        if llama_cpp.llama_state_seq_get_data(self._context, data, size, sequence) != size:
            raise EngineError("llama.cpp could not save a sequence.")
        return state

    def restore(self, sequence: int, state: NDArray[np.uint8]) -> None:
        data = state.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
        if not llama_cpp.llama_state_seq_set_data(self._context, data, state.size, sequence):
            raise EngineError("llama.cpp could not restore a sequence.")

    def close(self) -> None:
        if self._context:
            self._batch.close()
            llama_cpp.llama_free(self._context)
            self._context = None


def _params(shape: Shape, threads: int, embeds: bool) -> Any:
    params = llama_cpp.llama_context_default_params()
    params.n_ctx = shape.total
    params.n_batch = params.n_ubatch = shape.batch
    params.n_seq_max = shape.sequences
    params.kv_unified = not shape.streams
    # Else llama.cpp reserves a row of logits for every token of a batch.
    params.n_outputs_max = shape.batch if embeds else shape.sequences
    params.n_threads = params.n_threads_batch = threads
    params.embeddings = embeds
    params.no_perf = True
    return params


class _Batch:
    """llama.cpp's batch with numpy's view of its arrays, so that a prompt is one assignment."""

    def __init__(self, size: int) -> None:
        self.handle = llama_cpp.llama_batch_init(size, 0, 1)
        self._tokens = np.ctypeslib.as_array(self.handle.token, shape=(size,))
        self._positions = np.ctypeslib.as_array(self.handle.pos, shape=(size,))
        self._wanted = np.ctypeslib.as_array(self.handle.logits, shape=(size,))
        np.ctypeslib.as_array(self.handle.n_seq_id, shape=(size,))[:] = 1
        # Each token points to a cell with its sequence; here the cells are one array.
        self._sequences = np.zeros(size, dtype=np.int32)
        address, step = self._sequences.ctypes.data, self._sequences.itemsize
        cell = ctypes.POINTER(ctypes.c_int32)
        self._pointers = (cell * size)(
            *(ctypes.cast(address + index * step, cell) for index in range(size))
        )
        # A cast copies the address; the field itself would follow the next assignment.
        self._own = ctypes.cast(self.handle.seq_id, type(self.handle.seq_id))
        self.handle.seq_id = ctypes.cast(self._pointers, type(self._own))

    def fill(self, slices: Sequence[Slice]) -> list[int]:
        """How many rows each slice will get."""
        start = 0
        counts: list[int] = []
        for part in slices:
            end = start + len(part.tokens)
            self._tokens[start:end] = part.tokens
            self._positions[start:end] = range(part.position, part.position + end - start)
            self._sequences[start:end] = part.sequence
            self._wanted[start:end] = part.wants_all
            self._wanted[end - 1] |= part.wants_output
            counts.append(end - start if part.wants_all else int(part.wants_output))
            start = end
        self.handle.n_tokens = start
        return counts

    def close(self) -> None:
        # llama.cpp frees what it allocated, not what was put in its place.
        self.handle.seq_id = self._own
        llama_cpp.llama_batch_free(self.handle)
