"""A bare `llama_decode` loop: what the model and the machine give when nothing is around them.

Sequences in a cache of their own each, numbered without gaps, the most likely token taken with
numpy: the ceiling for any server that decodes on the same library with the same threads.
"""

import ctypes
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
from numpy.typing import NDArray

from benchmarks.workload import SYSTEM, user_text

BATCH = 512


_SILENCE: Any = llama_cpp.llama_log_callback(lambda _level, _text, _data: None)


class Model:
    def __init__(self, path: Path) -> None:
        llama_cpp.llama_log_set(_SILENCE, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
        params = llama_cpp.llama_model_default_params()
        params.n_gpu_layers = 0
        # Read, not mapped: kernels that want another layout then replace the weights and do not
        # add to them.
        params.load_mode = llama_cpp.LLAMA_LOAD_MODE_NONE
        self.handle: Any = llama_cpp.llama_model_load_from_file(bytes(path), params)
        if not self.handle:
            raise SystemExit(f"llama.cpp cannot open {path}.")
        self.vocabulary: Any = llama_cpp.llama_model_get_vocab(self.handle)
        self.vocabulary_size = llama_cpp.llama_vocab_n_tokens(self.vocabulary)

    def tokens(self, text: str) -> list[int]:
        raw = text.encode()
        buffer = (llama_cpp.llama_token * (len(raw) + 8))()
        count = llama_cpp.llama_tokenize(
            self.vocabulary, raw, len(raw), buffer, len(buffer), False, True
        )
        return list(buffer[:count])

    @property
    def kind(self) -> str:
        """The quantisation by its short name, as in q4_0."""
        buffer = ctypes.create_string_buffer(128)
        llama_cpp.llama_model_desc(self.handle, buffer, len(buffer))
        described = buffer.value.decode().lower()
        return described.replace(" - medium", "_m").replace(" - small", "_s").split()[-1]

    def close(self) -> None:
        llama_cpp.llama_model_free(self.handle)


@contextmanager
def opened(path: Path) -> Iterator[Model]:
    model = Model(path)
    try:
        yield model
    finally:
        model.close()


class Sequences:
    """`count` sequences of `depth` tokens at most, and their steps."""

    def __init__(self, model: Model, count: int, depth: int, threads: int) -> None:
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = count * depth
        params.n_batch = params.n_ubatch = BATCH
        params.n_seq_max = count
        params.n_outputs_max = BATCH if count == 1 else count
        params.n_threads = params.n_threads_batch = threads
        params.kv_unified = False
        params.no_perf = True
        self._model = model
        self._context: Any = llama_cpp.llama_init_from_model(model.handle, params)
        if not self._context:
            raise SystemExit(f"There is not enough memory for {count} times {depth} tokens.")
        self._batch = llama_cpp.llama_batch_init(BATCH, 0, 1)
        self.lengths = [0] * count

    def read(self, sequence: int, tokens: Sequence[int]) -> int:
        """Prefill; the most likely token after it."""
        for start in range(0, len(tokens), BATCH):
            piece = tokens[start : start + BATCH]
            self._decode([(token, sequence) for token in piece], last_only=True)
        return int(self._row(-1).argmax())

    def step(self, tokens: Sequence[int]) -> list[int]:
        """One token for each of the first sequences; the most likely ones after them."""
        self._decode([(token, sequence) for sequence, token in enumerate(tokens)])
        return [int(self._row(index).argmax()) for index in range(len(tokens))]

    def rows(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        """The logits after every one of these tokens of the first sequence."""
        self._decode([(token, 0) for token in tokens])
        return np.stack([self._row(index) for index in range(len(tokens))])

    def shorten(self, sequence: int, length: int) -> None:
        memory = llama_cpp.llama_get_memory(self._context)
        llama_cpp.llama_memory_seq_rm(memory, sequence, length, -1)
        self.lengths[sequence] = length

    def close(self) -> None:
        llama_cpp.llama_batch_free(self._batch)
        llama_cpp.llama_free(self._context)

    def _decode(self, items: Sequence[tuple[int, int]], *, last_only: bool = False) -> None:
        batch = self._batch
        for index, (token, sequence) in enumerate(items):
            batch.token[index] = token
            batch.pos[index] = self.lengths[sequence]
            batch.n_seq_id[index] = 1
            batch.seq_id[index][0] = sequence
            batch.logits[index] = not last_only or index == len(items) - 1
            self.lengths[sequence] += 1
        batch.n_tokens = len(items)
        code = llama_cpp.llama_decode(self._context, batch)
        if code != 0:
            raise SystemExit(f"llama_decode failed with {code}.")

    def _row(self, index: int) -> NDArray[np.float32]:
        pointer = llama_cpp.llama_get_logits_ith(self._context, index)
        return np.ctypeslib.as_array(pointer, shape=(self._model.vocabulary_size,))


def chat_parts(model: Model, number: int) -> tuple[list[int], list[int]]:
    """The tokens all chats begin with, and those of this one."""
    return (
        model.tokens(f"<|im_start|>system\n{SYSTEM}<|im_end|>\n"),
        model.tokens(f"<|im_start|>user\n{user_text(number)}<|im_end|>\n<|im_start|>assistant\n"),
    )


def ceiling(
    model: Model, count: int, *, threads: int, max_tokens: int, seconds: float
) -> tuple[float, float]:
    """Tokens a second of `count` sequences, with the reading of their prompts and without.

    The work of a server with a warm cache: the system prompt is read once per sequence, before the
    clock runs; then in turns every sequence reads a text of its own and writes `max_tokens`.
    """
    sequences = Sequences(model, count, 1024, threads)
    head = chat_parts(model, 0)[0]
    for sequence in range(count):
        sequences.read(sequence, head)
    written, decoding, number = 0, 0.0, count * 1000
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        tokens = []
        for sequence in range(count):
            number += 1
            sequences.shorten(sequence, len(head))
            tokens.append(sequences.read(sequence, chat_parts(model, number)[1]))
        read_at = time.perf_counter()
        # The first token came with the prompt.
        for _ in range(max_tokens - 1):
            tokens = sequences.step(tokens)
        decoding += time.perf_counter() - read_at
        written += count * max_tokens
    elapsed = time.perf_counter() - began
    sequences.close()
    return written / elapsed, written * (1 - 1 / max_tokens) / decoding


def quantise(source: Path, target: Path, file_type: int, threads: int) -> None:
    """Written beside the target first, so that an interrupted one is not taken for a whole one."""
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype = file_type
    params.allow_requantize = True
    params.nthread = threads
    llama_cpp.llama_log_set(_SILENCE, ctypes.c_void_p(0))
    partial = target.with_suffix(f".{os.getpid()}.part")
    code = llama_cpp.llama_model_quantize(bytes(source), bytes(partial), ctypes.byref(params))
    if code != 0:
        partial.unlink(missing_ok=True)
        raise SystemExit(f"llama.cpp cannot quantise {source} (code {code}).")
    partial.replace(target)
