"""Small GGUF files, made for a test."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from numpy.typing import NDArray

from service.engine.llama.gguf_file import Tensor
from service.engine.llama.quantise import to_blocks

Floats = NDArray[np.float32]
WIDTH = 256


def write_gguf(
    path: Path,
    tensors: Mapping[str, NDArray[Any]],
    *,
    kind: gguf.GGMLQuantizationType = gguf.GGMLQuantizationType.F32,
    architecture: str = "llama",
    texts: Mapping[str, str] | None = None,
    alpha: float | None = None,
) -> Path:
    """Tensors of two dimensions become `kind`; the rest stays in the type that it has."""
    writer = gguf.GGUFWriter(path, architecture)
    for key, text in (texts or {}).items():
        writer.add_string(key, text)
    if alpha is not None:
        writer.add_float32("adapter.lora.alpha", alpha)
    else:
        # What llama.cpp asks of a file before it re-quantises it.
        writer.add_block_count(1)
        writer.add_context_length(64)
        writer.add_embedding_length(WIDTH)
        writer.add_feed_forward_length(WIDTH)
        writer.add_head_count(4)
        writer.add_layer_norm_rms_eps(1e-5)
    for name, values in tensors.items():
        if values.ndim < 2 or values.dtype != np.float32:
            writer.add_tensor(name, values)
        else:
            writer.add_tensor(name, blocks_of(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def blocks_of(values: Floats, kind: gguf.GGMLQuantizationType) -> NDArray[np.uint8]:
    """Rows of the type as bytes, which is how `GGUFWriter` wants them."""
    rows = values.reshape(-1, values.shape[-1])
    width, size = gguf.GGML_QUANT_SIZES[kind]
    total = rows.size // width * size
    blocks = to_blocks(Tensor("", kind, rows.shape, 0, total), rows)
    return np.frombuffer(blocks, dtype=np.uint8).reshape(*values.shape[:-1], -1)


def write_adapter(
    path: Path,
    pairs: Mapping[str, tuple[Floats, Floats]],
    *,
    alpha: float = 0.0,
    architecture: str = "llama",
    texts: Mapping[str, str] | None = None,
) -> Path:
    """`pairs` are A and B of each tensor, as llama.cpp names them."""
    tensors = {
        f"{name}.lora_{side}": values
        for name, pair in pairs.items()
        for side, values in zip("ab", pair, strict=True)
    }
    about = {"general.type": "adapter", "adapter.type": "lora", **(texts or {})}
    return write_gguf(path, tensors, architecture=architecture, texts=about, alpha=alpha)
