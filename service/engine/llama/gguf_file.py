"""The metadata of a GGUF file and the place of every tensor in it. Loads no tensor."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from service.engine.llama.c_api import c_api
from service.engine.llama.structures import (
    GGUF_TYPE_FLOAT32,
    GGUF_TYPE_STRING,
    GGUF_TYPE_UINT16,
    GgufInitParams,
)
from service.errors import ModelUnavailable

MAX_DIMENSIONS = 4


@dataclass(frozen=True, slots=True)
class Tensor:
    """`kind` is the ggml type; `shape` has numpy's order, columns last, and at least two dimensions.

    `offset` counts from the start of the file.
    """

    name: str
    kind: int
    shape: tuple[int, ...]
    offset: int
    size_bytes: int

    @property
    def columns(self) -> int:
        return self.shape[-1]

    @property
    def elements(self) -> int:
        return functools.reduce(int.__mul__, self.shape)

    @property
    def rows(self) -> int:
        return self.elements // self.columns


@dataclass(frozen=True, slots=True)
class GgufFile:
    """`metadata` has every key; values that are not text, float32 or uint16 are None."""

    path: Path
    tensors: dict[str, Tensor]
    metadata: dict[str, str | float | None]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises ModelUnavailable if the file is not GGUF, or shorter than its header says."""
        gguf = c_api()
        handle = gguf.gguf_init_from_file(bytes(path), GgufInitParams(True, None))
        if not handle:
            raise ModelUnavailable(f"{path} is not a GGUF file that llama.cpp can read.")
        try:
            tensors = {one.name: one for one in _tensors(gguf, handle)}
            metadata = dict(_metadata(gguf, handle))
        finally:
            gguf.gguf_free(handle)
        end = max((one.offset + one.size_bytes for one in tensors.values()), default=0)
        if path.stat().st_size < end:
            raise ModelUnavailable(f"{path} is cut off: its tensors end at byte {end}.")
        return cls(path, tensors, metadata)


def _metadata(gguf: Any, handle: int) -> Iterator[tuple[str, str | float | None]]:
    for index in range(gguf.gguf_get_n_kv(handle)):
        key = gguf.gguf_get_key(handle, index).decode("utf-8", "replace")
        kind = gguf.gguf_get_kv_type(handle, index)
        if kind == GGUF_TYPE_STRING:
            yield key, gguf.gguf_get_val_str(handle, index).decode("utf-8", "replace")
        elif kind == GGUF_TYPE_FLOAT32:
            yield key, gguf.gguf_get_val_f32(handle, index)
        elif kind == GGUF_TYPE_UINT16:
            yield key, gguf.gguf_get_val_u16(handle, index)
        else:
            yield key, None


def _tensors(gguf: Any, handle: int) -> Iterator[Tensor]:
    start = gguf.gguf_get_data_offset(handle)
    for index in range(gguf.gguf_get_n_tensors(handle)):
        sizes = gguf.gguf_get_tensor_ne(handle, index)[:MAX_DIMENSIONS]
        while len(sizes) > 2 and sizes[-1] == 1:
            sizes.pop()
        yield Tensor(
            gguf.gguf_get_tensor_name(handle, index).decode("utf-8", "replace"),
            gguf.gguf_get_tensor_type(handle, index),
            tuple(reversed(sizes)),
            start + gguf.gguf_get_tensor_offset(handle, index),
            gguf.gguf_get_tensor_size(handle, index),
        )
