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

KV_FULL = 1


@dataclass(frozen=True, slots=True)
class Slice:
    """Consecutive tokens of one sequence; `wants_output` for the last of them, or for all."""

    sequence: int
    position: int
    tokens: Sequence[int]
    wants_output: bool = False
    wants_all: bool = False


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
        *,
        tokens: int,
        batch: int,
        threads: int,
        adapter: tuple[AdapterFile, float] | None = None,
        embeds: bool = False,
    ) -> None:
        """`tokens` is the size of the cache, `batch` the most tokens of one decode."""
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = tokens
        params.n_batch = params.n_ubatch = batch
        params.n_seq_max = 1
        params.n_outputs_max = batch if embeds else 1
        params.n_threads = params.n_threads_batch = threads
        params.embeddings = embeds
        params.no_perf = True
        self._weights = weights
        self._embeds = embeds
        self._context: Any = llama_cpp.llama_init_from_model(weights.handle, params)
        if not self._context:
            raise ModelUnavailable(f"There is not enough memory for a context of {tokens} tokens.")
        self._batch = llama_cpp.llama_batch_init(batch, 0, 1)
        if adapter is not None:
            self._apply_adapter(*adapter)

    def _apply_adapter(self, adapter: AdapterFile, scale: float) -> None:
        handles = (llama_cpp.llama_adapter_lora_p_ctypes * 1)(adapter.handle)
        scales = (ctypes.c_float * 1)(scale)
        if llama_cpp.llama_set_adapters_lora(self._context, handles, 1, scales) != 0:
            raise ModelUnavailable("llama.cpp refused the adapter.")

    def decode(self, slices: Sequence[Slice]) -> list[NDArray[np.float32] | None]:
        """For each slice the row it wants (logits or embedding), as copies; else None.

        Raises:
            PromptTooLong: the cache is full.
            EngineError: the decode failed.
        """
        outputs = self._fill(slices)
        code = llama_cpp.llama_decode(self._context, self._batch)
        if code == KV_FULL:
            raise PromptTooLong("The model's context is full.")
        if code != 0:
            raise EngineError(f"llama.cpp failed to decode (code {code}).")
        return [self._rows(indices) if indices else None for indices in outputs]

    def _fill(self, slices: Sequence[Slice]) -> list[list[int]]:
        batch, index = self._batch, 0
        outputs: list[list[int]] = []
        for part in slices:
            wanted: list[int] = []
            for offset, token in enumerate(part.tokens):
                is_last = offset == len(part.tokens) - 1
                wants = part.wants_all or (part.wants_output and is_last)
                batch.token[index] = token
                batch.pos[index] = part.position + offset
                batch.n_seq_id[index] = 1
                batch.seq_id[index][0] = part.sequence
                batch.logits[index] = wants
                if wants:
                    wanted.append(index)
                index += 1
            outputs.append(wanted)
        batch.n_tokens = index
        return outputs

    def _rows(self, indices: Sequence[int]) -> NDArray[np.float32]:
        """Copies, because the next decode writes over llama.cpp's own rows."""
        if self._embeds:
            read, width = llama_cpp.llama_get_embeddings_ith, self._weights.embedding_size
        else:
            read, width = llama_cpp.llama_get_logits_ith, self._weights.vocabulary_size
        rows = [np.ctypeslib.as_array(read(self._context, i), shape=(width,)) for i in indices]
        return np.array(rows[0]) if len(rows) == 1 else np.stack(rows)

    def keep(self, sequence: int, tokens: int) -> None:
        """Forget everything of a sequence after its first `tokens`."""
        memory = llama_cpp.llama_get_memory(self._context)
        if not llama_cpp.llama_memory_seq_rm(memory, sequence, tokens, -1):
            # Recurrent and sliding-window caches cannot be cut in the middle.
            raise EngineError("The model's cache cannot be shortened.")

    def close(self) -> None:
        if self._context:
            llama_cpp.llama_batch_free(self._batch)
            llama_cpp.llama_free(self._context)
            self._context = None
