"""Converts weights to and from llama.cpp's quantised types, for a file or for rows of a tensor.

llama.cpp ends the process when a file is damaged, so this must run in a process of its own.
"""

import ctypes
import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.engine.llama.c_api import c_api
from service.engine.llama.gguf_file import Tensor
from service.engine.llama.library import set_log_listener
from service.engine.llama.structures import (
    GGML_LOG_ERROR,
    GGML_TYPE_F32,
    LLAMA_FTYPE_MOSTLY_F16,
    LLAMA_FTYPE_MOSTLY_Q4_0,
    LLAMA_FTYPE_MOSTLY_Q4_K_M,
    LLAMA_FTYPE_MOSTLY_Q8_0,
)
from service.engine.types import Quantisation
from service.errors import ModelUnavailable

Floats = NDArray[np.float32]

FILE_TYPES: dict[Quantisation, int] = {
    "f16": LLAMA_FTYPE_MOSTLY_F16,
    "q4_0": LLAMA_FTYPE_MOSTLY_Q4_0,
    "q4_k_m": LLAMA_FTYPE_MOSTLY_Q4_K_M,
    "q8_0": LLAMA_FTYPE_MOSTLY_Q8_0,
}
PLAIN = frozenset({"f32", "f16", "bf16"})
# The number of weights that share one evenly spaced grid, by type.
GRIDS = dict.fromkeys(("q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "q4_K", "q5_K"), 32) | dict.fromkeys(
    ("q2_K", "q3_K", "q6_K"), 16
)
BUFFER_BYTES = 256 * 1024 * 1024
STEP = re.compile(r"\[\s*(\d+)/\s*(\d+)\]")
NEW_SIZE = re.compile(r"quant size\s*=\s*([\d.]+) MiB")


class Quantiser:
    """llama.cpp's own quantiser; its progress is read from its log."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._on_step: Callable[[int, int], None] | None = None
        self._last_error = ""
        self._new_mib = 0.0
        self._callback = set_log_listener(self, self._log)

    def _log(self, level: int, text: bytes, _: ctypes.c_void_p) -> None:
        line = text.decode("utf-8", "replace")
        if level == GGML_LOG_ERROR:
            self._last_error = line.strip()
        elif step := STEP.match(line):
            if self._on_step is not None:
                self._on_step(int(step[1]), int(step[2]))
        elif size := NEW_SIZE.search(line):
            self._new_mib = float(size[1])

    def size_bytes(self, source: Path, kind: Quantisation) -> int:
        """The bytes of all tensors in the file that `write` would make."""
        self._on_step = None
        self._run(source, Path(os.devnull), kind, is_dry=True)
        return int(self._new_mib * 1024 * 1024)

    def write(
        self, source: Path, target: Path, kind: Quantisation, on_step: Callable[[int, int], None]
    ) -> None:
        """Quantise `source` into `target`.

        `on_step` is called with the number of each tensor as it starts, and with their count.

        Raises:
            ModelUnavailable: llama.cpp cannot quantise the file.
        """
        self._on_step = on_step
        self._run(source, target, kind, is_dry=False)

    def _run(self, source: Path, target: Path, kind: Quantisation, *, is_dry: bool) -> None:
        params = c_api().llama_model_quantize_default_params()
        params.ftype = FILE_TYPES[kind]
        params.nthread = self._threads
        params.allow_requantize = True
        params.max_buf_size = BUFFER_BYTES
        params.dry_run = is_dry
        self._last_error = ""
        if c_api().llama_model_quantize(bytes(source), bytes(target), ctypes.byref(params)):
            reason = self._last_error or "llama.cpp gives no reason"
            raise ModelUnavailable(f"llama.cpp cannot quantise {source} to {kind}: {reason}.")


def type_name(tensor: Tensor) -> str:
    name: bytes = c_api().ggml_get_type_traits(tensor.kind).contents.name
    return name.decode()


def steps(tensor: Tensor, floats: Floats) -> Floats:
    """For each weight, the distance between neighbouring values of its quantisation grid.

    It is the smallest difference between two weights of the same grid, and infinite where all
    weights of a grid are equal.
    """
    width = GRIDS[type_name(tensor)]
    groups = np.sort(floats.reshape(-1, width), axis=1)
    gaps = np.diff(groups, axis=1)
    # Values that differ only by rounding are the same grid value.
    gaps[gaps <= 1e-3 * (groups[:, -1:] - groups[:, :1])] = np.inf
    return np.repeat(gaps.min(axis=1), width).reshape(floats.shape)


def to_floats(tensor: Tensor, blocks: bytes, rows: int) -> Floats:
    """The rows as float32. Raises ModelUnavailable if the tensor's type is not one of weights."""
    traits = c_api().ggml_get_type_traits(tensor.kind).contents
    floats = np.empty((rows, tensor.columns), dtype=np.float32)
    if tensor.kind == GGML_TYPE_F32:
        floats[:] = np.frombuffer(blocks, dtype=np.float32).reshape(floats.shape)
    elif traits.to_float:
        traits.to_float(blocks, floats.ctypes.data, floats.size)
    else:
        raise ModelUnavailable(
            f"{tensor.name} has the type {type_name(tensor)}, which is not one of weights."
        )
    return floats


def to_blocks(tensor: Tensor, floats: Floats) -> bytes:
    """Rows converted to the tensor's type, which must be in `PLAIN` or `GRIDS`."""
    floats = np.ascontiguousarray(floats)
    rows, columns = floats.shape
    blocks = ctypes.create_string_buffer(rows * (tensor.size_bytes // tensor.rows))
    c_api().ggml_quantize_chunk(tensor.kind, floats.ctypes.data, blocks, 0, rows, columns, None)
    return blocks.raw
