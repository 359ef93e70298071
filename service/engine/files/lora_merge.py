"""Merges a LoRA adapter into the weights of its base, in place and row by row.

Every tensor keeps its position, size and type, so what the adapter does not change stays the same
byte for byte. Each thread has one slab of rows in memory at a time.
"""

import os
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from service.engine.llama.gguf_file import GgufFile, Tensor
from service.engine.llama.quantise import (
    GRIDS,
    PLAIN,
    Floats,
    steps,
    to_blocks,
    to_floats,
    type_name,
)
from service.errors import ModelUnavailable

SLAB_BYTES = 4 * 1024 * 1024
EMBEDDINGS, OUTPUT = "token_embd.weight", "output.weight"
ALORA = "adapter.alora.invocation_tokens"
OnTensor = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class TensorUpdate:
    """The change of one tensor: `left @ right` for every block of `left.shape[1]` rows."""

    source: Tensor
    target: Tensor
    left: Floats
    right: Floats

    def rows(self, start: int, stop: int) -> Floats:
        """The change of some rows, which must be in one block."""
        block, first = divmod(start, self.left.shape[1])
        product: Floats = self.left[block, first : first + stop - start] @ self.right[block]
        return product

    def slabs(self) -> Iterator[tuple[int, int]]:
        height = self.left.shape[1]
        step = max(1, SLAB_BYTES // (4 * self.source.columns))
        for block in range(0, self.source.rows, height):
            for start in range(block, block + height, step):
                yield start, min(start + step, block + height)


class MergeableAdapter:
    """An adapter file that has been checked against its base."""

    def __init__(self, adapter: GgufFile, base: GgufFile, scale: float) -> None:
        """Raises ModelUnavailable if the adapter cannot be merged; the error says why."""
        self._adapter = adapter
        self._base = base
        self._scale = scale
        self._refuse_other_kinds()
        names = [name for name in adapter.tensors if not name.endswith("_norm.weight")]
        self.changes = sorted({name.rpartition(".lora_")[0] for name in names})
        for name in self.changes:
            self._check(name)

    @classmethod
    def of(cls, path: Path, base: GgufFile, scale: float) -> Self:
        return cls(GgufFile.read(path), base, scale)

    def _refuse_other_kinds(self) -> None:
        about = self._adapter.metadata
        if about.get("general.type") != "adapter" or about.get("adapter.type") != "lora":
            raise self._refusal("it is not a LoRA adapter in GGUF form")
        ours, theirs = (
            one.metadata.get("general.architecture") for one in (self._base, self._adapter)
        )
        if ours != theirs:
            raise self._refusal(f"it is for the architecture {theirs}, and the base is {ours}")
        if ALORA in about:
            raise self._refusal(
                "it is active only after certain tokens. Set IDEAPOOL_ADAPTERS=shared"
            )

    def _check(self, name: str) -> None:
        base = self._base.tensors.get(name)
        sides = [self._adapter.tensors.get(f"{name}.lora_{side}") for side in "ab"]
        a, b = sides
        if a is None or b is None:
            raise self._refusal(f"its tensors for {name or 'an unnamed tensor'} are not a pair")
        if base is None:
            raise self._refusal(f"the base has no tensor {name}")
        if name == EMBEDDINGS and OUTPUT not in self._base.tensors:
            raise self._refusal("it changes the embeddings, which this base also uses as output")
        if name.removesuffix("weight") + "scale" in self._base.tensors:
            raise self._refusal(f"the base scales the results of {name}")
        fits = a.shape[:-2] == b.shape[:-2] == base.shape[:-2] and (
            (a.shape[-2], b.shape[-2], a.shape[-1]) == (*base.shape[-2:], b.shape[-1])
            if name == EMBEDDINGS
            else (b.shape[-2], a.shape[-1], b.shape[-1]) == (*base.shape[-2:], a.shape[-2])
        )
        if not fits:
            raise self._refusal(f"its tensors for {name} do not have the shape of the base's")

    def _refusal(self, reason: str) -> ModelUnavailable:
        return ModelUnavailable(
            f"The adapter {self._adapter.path} cannot be merged into {self._base.path}: {reason}."
        )

    def update(self, name: str, target: Tensor) -> TensorUpdate:
        a, b = (self._read(f"{name}.lora_{side}") for side in "ab")
        # The pair for the embeddings is transposed: their rows are looked up, not multiplied.
        left, right = (a, np.swapaxes(b, 1, 2)) if name == EMBEDDINGS else (b, a)
        alpha = self._adapter.metadata.get("adapter.lora.alpha")
        strength = self._scale * (float(alpha) / b.shape[2] if alpha else 1.0)
        return TensorUpdate(self._base.tensors[name], target, left * np.float32(strength), right)

    def _read(self, name: str) -> Floats:
        tensor = self._adapter.tensors[name]
        with self._adapter.path.open("rb") as file:
            blocks = os.pread(file.fileno(), tensor.size_bytes, tensor.offset)
        return to_floats(tensor, blocks, tensor.rows).reshape(-1, *tensor.shape[-2:])

    def merge_into(self, path: Path, threads: int, on_step: OnTensor) -> None:
        """Write base + adapter into `path`, a file with the same tensors, maybe of other types.

        `on_step` is called with the number of each tensor as it starts, and with their count.
        """
        targets = GgufFile.read(path).tensors
        for name in self.changes:
            kind = type_name(targets[name])
            if kind not in PLAIN | GRIDS.keys():
                raise self._refusal(
                    f"{name} has the type {kind}. Set `quantise` in the catalog, or "
                    "IDEAPOOL_ADAPTERS=shared"
                )
        with (
            self._base.path.open("rb") as source,
            path.open("r+b") as target,
            ThreadPoolExecutor(threads) as pool,
        ):
            for number, name in enumerate(self.changes, 1):
                on_step(number, len(self.changes))
                update = self.update(name, targets[name])

                def work(slab: tuple[int, int], update: TensorUpdate = update) -> bool:
                    return _add(update, slab, source.fileno(), target.fileno())

                if not all(pool.map(work, update.slabs())):
                    raise self._refusal(f"its numbers for {name} are not finite")


def _add(update: TensorUpdate, slab: tuple[int, int], source: int, target: int) -> bool:
    """Read, change and write one slab; returns False if the change is not finite."""
    start, stop = slab
    change = update.rows(start, stop)
    if not np.isfinite(change).all():
        return False
    # Unchanged rows keep every bit.
    if not change.any():
        return True
    stride = update.source.size_bytes // update.source.rows
    blocks = os.pread(source, (stop - start) * stride, update.source.offset + start * stride)
    floats = to_floats(update.source, blocks, stop - start)
    if update.source.kind == update.target.kind and type_name(update.target) in GRIDS:
        change = _in_steps(update, floats, change, start)
    floats += change
    stride = update.target.size_bytes // update.target.rows
    os.pwrite(target, to_blocks(update.target, floats), update.target.offset + start * stride)
    return True


def _in_steps(update: TensorUpdate, floats: Floats, change: Floats, seed: int) -> Floats:
    """The change rounded to whole steps of the quantisation grid, randomly up or down.

    The rounding is right on average. Weights that were read from a quantised file are grid values,
    and plain rounding would lose nearly all of an adapter's changes, which are smaller than half a
    step.
    """
    step = steps(update.source, floats)
    is_flat = np.isinf(step)
    step[is_flat] = 1.0
    chance = np.random.default_rng([zlib.crc32(update.source.name.encode()), seed])
    moves = np.floor(change / step + chance.random(step.shape, dtype=np.float32)) * step
    return np.where(is_flat, change, moves)
