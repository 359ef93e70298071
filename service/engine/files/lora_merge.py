"""A LoRA adapter added into its base's weights, row by row; knows files and arithmetic only.

Every tensor keeps its place, size and type, so what the adapter leaves alone stays as it is, byte
for byte. One slab of rows per thread is in memory at a time.
"""

import os
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from service.engine.llama.layout import Layout, Tensor
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
Report = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Delta:
    """What is added to a tensor: `left @ right` for every block of `left.shape[1]` rows."""

    source: Tensor
    target: Tensor
    left: Floats
    right: Floats

    def rows(self, start: int, stop: int) -> Floats:
        """Rows that lie in one block."""
        block, first = divmod(start, self.left.shape[1])
        product: Floats = self.left[block, first : first + stop - start] @ self.right[block]
        return product

    def slabs(self) -> Iterator[tuple[int, int]]:
        height = self.left.shape[1]
        step = max(1, SLAB_BYTES // (4 * self.source.columns))
        for block in range(0, self.source.rows, height):
            for start in range(block, block + height, step):
                yield start, min(start + step, block + height)


class Adapter:
    """An adapter file that fits its base."""

    def __init__(self, adapter: Layout, base: Layout, scale: float) -> None:
        """Raises ModelUnavailable, in words, if it cannot be merged."""
        self._adapter = adapter
        self._base = base
        self._scale = scale
        self._refuse_other_kinds()
        names = [name for name in adapter.tensors if not name.endswith("_norm.weight")]
        self.changes = sorted({name.rpartition(".lora_")[0] for name in names})
        for name in self.changes:
            self._check(name)

    @classmethod
    def of(cls, path: Path, base: Layout, scale: float) -> Self:
        return cls(Layout.of(path), base, scale)

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
            raise self._refusal("it acts only after certain tokens; set IDEAPOOL_ADAPTERS=shared")

    def _check(self, name: str) -> None:
        base = self._base.tensors.get(name)
        sides = [self._adapter.tensors.get(f"{name}.lora_{side}") for side in "ab"]
        a, b = sides
        if a is None or b is None:
            raise self._refusal(f"its tensors for {name or 'something without a name'} are no pair")
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

    def delta(self, name: str, target: Tensor) -> Delta:
        a, b = (self._read(f"{name}.lora_{side}") for side in "ab")
        # The embeddings' pair is the other way round: their rows are looked up, not multiplied.
        left, right = (a, np.swapaxes(b, 1, 2)) if name == EMBEDDINGS else (b, a)
        alpha = self._adapter.metadata.get("adapter.lora.alpha")
        strength = self._scale * (float(alpha) / b.shape[2] if alpha else 1.0)
        return Delta(self._base.tensors[name], target, left * np.float32(strength), right)

    def _read(self, name: str) -> Floats:
        tensor = self._adapter.tensors[name]
        with self._adapter.path.open("rb") as file:
            blocks = os.pread(file.fileno(), tensor.size_bytes, tensor.offset)
        return to_floats(tensor, blocks, tensor.rows).reshape(-1, *tensor.shape[-2:])

    def add_into(self, path: Path, threads: int, on_step: Report) -> None:
        """Write base + adapter into `path`, a file with the base's tensors in types of its own.

        `on_step` gets the number of the tensor that is begun, and how many there are.
        """
        targets = Layout.of(path).tensors
        for name in self.changes:
            kind = type_name(targets[name])
            if kind not in PLAIN | GRIDS.keys():
                raise self._refusal(
                    f"{name} has the type {kind}; set `quantise` in the catalog, or "
                    "IDEAPOOL_ADAPTERS=shared"
                )
        with (
            self._base.path.open("rb") as source,
            path.open("r+b") as target,
            ThreadPoolExecutor(threads) as pool,
        ):
            for number, name in enumerate(self.changes, 1):
                on_step(number, len(self.changes))
                delta = self.delta(name, targets[name])

                def work(slab: tuple[int, int], delta: Delta = delta) -> bool:
                    return _add(delta, slab, source.fileno(), target.fileno())

                if not all(pool.map(work, delta.slabs())):
                    raise self._refusal(f"its numbers for {name} are not finite")


def _add(delta: Delta, slab: tuple[int, int], source: int, target: int) -> bool:
    """One slab, read, changed and written; False if the change is not finite."""
    start, stop = slab
    change = delta.rows(start, stop)
    if not np.isfinite(change).all():
        return False
    # What is not changed keeps every bit.
    if not change.any():
        return True
    stride = delta.source.size_bytes // delta.source.rows
    blocks = os.pread(source, (stop - start) * stride, delta.source.offset + start * stride)
    floats = to_floats(delta.source, blocks, stop - start)
    if delta.source.kind == delta.target.kind and type_name(delta.target) in GRIDS:
        change = _in_steps(delta, floats, change, start)
    floats += change
    stride = delta.target.size_bytes // delta.target.rows
    os.pwrite(target, to_blocks(delta.target, floats), delta.target.offset + start * stride)
    return True


def _in_steps(delta: Delta, floats: Floats, change: Floats, seed: int) -> Floats:
    """The change in whole steps of the weights' grid, up or down by chance, right on average.

    Weights that were read from a grid lie on it. Nearly all of a change that is smaller than half
    a step, as an adapter's are, would be rounded away.
    """
    step = steps(delta.source, floats)
    is_flat = np.isinf(step)
    step[is_flat] = 1.0
    chance = np.random.default_rng([zlib.crc32(delta.source.name.encode()), seed])
    moves = np.floor(change / step + chance.random(step.shape, dtype=np.float32)) * step
    return np.where(is_flat, change, moves)
