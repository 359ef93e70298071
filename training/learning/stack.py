"""Several LoRA adapters side by side on one frozen base: one pass of the model for all of them.

The rows of a batch come in as many equal parts as there are adapters, one part for each. Adapters
may differ in rank, scale and weights. Knows no data and no schedule.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from peft.tuners.lora import Linear as PeftLinear
from torch import nn
from torch.nn import functional

from training.config import LoraConfig
from training.learning.base import Base
from training.learning.trainer import new_adapter

ADAPTER = "default"


@dataclass(frozen=True, slots=True)
class Slot:
    """Where one layer's matrices lie in the vector of an adapter."""

    name: str
    inputs: int
    outputs: int
    start: int


class StackedLinear(nn.Module):
    """A frozen layer, and for each adapter what PEFT's layer would add to it."""

    def __init__(
        self,
        base: nn.Linear,
        down: nn.Parameter,
        up: nn.Parameter,
        scale: torch.Tensor,
        dropout: float,
    ) -> None:
        super().__init__()
        self.base, self.down, self.up, self.scale, self.dropout = base, down, up, scale, dropout

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.base(x)
        parts = x.to(self.down.dtype).reshape(len(self.scale), -1, x.shape[-1])
        parts = functional.dropout(parts, self.dropout, self.training)
        low = torch.bmm(parts, self.down.transpose(1, 2))
        added = torch.bmm(low, self.up.transpose(1, 2)) * self.scale
        return (result + added.view_as(result)).to(result.dtype)


class Stack:
    """All weights in one matrix, a row for each adapter, so that a step is a few operations.

    A smaller rank is filled up with zeros, which stay zeros: neither side of them gets a gradient.
    """

    def __init__(self, base: Base, configs: Sequence[LoraConfig], seeds: Sequence[int]) -> None:
        """Begins each adapter as PEFT does for its seed; the base has them in it from now on."""
        self.configs = tuple(configs)
        self._base, self._seeds = base, tuple(seeds)
        self._parameters: list[nn.Parameter] = []
        self.rank = max(config.r for config in configs)
        self.slots: list[Slot] = []
        for number, (config, seed) in enumerate(zip(configs, seeds, strict=True)):
            model = new_adapter(base, config, seed)
            layers = dict(_peft_layers(model))
            if number == 0:
                self._lay_out(layers, base.model.device)
            self._copy_in(number, layers)
            model.unload()
        self._install()

    def __len__(self) -> int:
        return len(self.configs)

    def take_gradients(self) -> None:
        """What the backward passes since the last time came to, as `gradients`."""
        views = [one for slot in self.slots for one in self._matrices(self.gradients, slot)]
        found = [one.grad for one in self._parameters if one.grad is not None]
        torch._foreach_copy_(views, found)
        for parameter in self._parameters:
            parameter.grad = None

    def save(self, number: int, weights: torch.Tensor, folder: str) -> None:
        """Writes one row of weights in PEFT's form; only once the stack is out of the base."""
        model = new_adapter(self._base, self.configs[number], self._seeds[number])
        rank = self.configs[number].r
        layers = dict(_peft_layers(model))
        for slot in self.slots:
            down, up = self._matrices(weights[None], slot)
            layers[slot.name].lora_A[ADAPTER].weight.data.copy_(down[0, :rank])
            layers[slot.name].lora_B[ADAPTER].weight.data.copy_(up[0, :, :rank])
        model.save_pretrained(folder)
        model.unload()

    def remove(self) -> None:
        for slot in self.slots:
            layer = self._base.model.get_submodule(slot.name)
            self._base.model.set_submodule(slot.name, layer.base)

    def _lay_out(self, layers: dict[str, Any], device: torch.device) -> None:
        start = 0
        for name, layer in layers.items():
            self.slots.append(Slot(name, layer.in_features, layer.out_features, start))
            start += self.rank * (layer.in_features + layer.out_features)
        shape = (len(self), start)
        self.weights = torch.zeros(shape, dtype=torch.float32, device=device)
        self.gradients = torch.zeros_like(self.weights)
        self.scale = torch.zeros((len(self), 1, 1), device=device)

    def _copy_in(self, number: int, layers: dict[str, Any]) -> None:
        rank = self.configs[number].r
        for slot in self.slots:
            layer = layers[slot.name]
            down, up = self._matrices(self.weights, slot)
            down[number, :rank] = layer.lora_A[ADAPTER].weight.data
            up[number, :, :rank] = layer.lora_B[ADAPTER].weight.data
            self.scale[number] = layer.scaling[ADAPTER]

    def _install(self) -> None:
        for slot in self.slots:
            down, up = map(nn.Parameter, self._matrices(self.weights, slot))
            self._parameters += [down, up]
            layer = self._base.model.get_submodule(slot.name)
            stacked = StackedLinear(layer, down, up, self.scale, self.configs[0].dropout)
            self._base.model.set_submodule(slot.name, stacked)

    def _matrices(self, weights: torch.Tensor, slot: Slot) -> tuple[torch.Tensor, torch.Tensor]:
        middle = slot.start + self.rank * slot.inputs
        end = middle + self.rank * slot.outputs
        down = weights[:, slot.start : middle].view(-1, self.rank, slot.inputs)
        return down, weights[:, middle:end].view(-1, slot.outputs, self.rank)


def _peft_layers(model: Any) -> Iterator[tuple[str, Any]]:
    for name, module in model.get_base_model().named_modules():
        if isinstance(module, PeftLinear):
            yield name, module
