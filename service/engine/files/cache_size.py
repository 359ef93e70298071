"""How much memory a model needs besides its weights, from the metadata of its file. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.engine.files.gguf_header import Metadata
from service.errors import ModelUnavailable
from service.messages import Text

CACHE_VALUE_BYTES, STATE_VALUE_BYTES = 2, 4
CELLS_PER_SAVED_TOKEN = 4
# Files of Qwen3.5 may leave it out: https://github.com/ggml-org/llama.cpp (src/models/qwen35.cpp)
QWEN_INTERVAL = 4


@dataclass(frozen=True, slots=True)
class CacheSize:
    """`token_bytes` are the keys and values of one token over all layers, in 16 bits each.

    `sequence_bytes` are the running states of one sequence in the layers that have no attention.
    """

    token_bytes: int
    sequence_bytes: int = 0

    def total(self, cells: int, sequences: int) -> int:
        """Of a whole cache, with the prompts that are saved outside it."""
        return (cells + saved_tokens(cells)) * self.token_bytes + sequences * self.sequence_bytes


def saved_tokens(cells: int) -> int:
    """How many tokens of prompts are saved outside a cache of so many cells."""
    return cells // CELLS_PER_SAVED_TOKEN


def cache_size(metadata: Metadata) -> CacheSize:
    """Raises ModelUnavailable if the file does not say how many layers and heads the model has."""
    shape = _Shape(metadata)
    layers = range(shape.number("block_count") - shape.number("nextn_predict_layers", 0))
    recurrent = [layer for layer in layers if shape.is_recurrent(layer)]
    # The last layers may use the keys and values of earlier ones.
    own = len(layers) - shape.number("attention.shared_kv_layers", 0)
    values = sum(shape.cached_values(layer) for layer in layers[:own] if layer not in recurrent)
    states = len(recurrent) * shape.state_values if recurrent else 0
    return CacheSize(CACHE_VALUE_BYTES * values, STATE_VALUE_BYTES * states)


class _Shape:
    """Numbers of a model, whose keys start with the name of its architecture."""

    def __init__(self, metadata: Metadata) -> None:
        self._metadata = metadata
        self._prefix = f"{metadata.get('general.architecture')}."

    def number(self, key: str, default: int | None = None, *, layer: int = 0) -> int:
        """The number of a key, or of a layer where each has its own."""
        found = self._metadata.get(self._prefix + key, default)
        if isinstance(found, Sequence) and not isinstance(found, str):
            found = found[layer] if layer < len(found) else None
        if not isinstance(found, int | float):
            raise ModelUnavailable(
                Text("The GGUF file does not say %(key)s of its model.", key=self._prefix + key)
            )
        return int(found)

    def is_recurrent(self, layer: int) -> bool:
        if self._prefix + "ssm.conv_kernel" not in self._metadata:
            return False
        if self._prefix + "attention.recurrent_layers" in self._metadata:
            return bool(self.number("attention.recurrent_layers", layer=layer))
        # In other architectures, the layers without keys are the recurrent ones.
        usual = QWEN_INTERVAL if self._prefix.startswith("qwen3") else 1
        interval = self.number("full_attention_interval", usual)
        return self.kv_heads(layer) == 0 or (layer + 1) % interval != 0

    def kv_heads(self, layer: int) -> int:
        heads = self.number("attention.head_count", layer=layer)
        return self.number("attention.head_count_kv", heads, layer=layer)

    def cached_values(self, layer: int) -> int:
        heads = self.number("attention.head_count", layer=layer)
        even = self.number("embedding_length") // max(1, heads)
        return self.kv_heads(layer) * sum(
            self._head_width(one, layer, even) for one in ("key", "value")
        )

    def _head_width(self, one: str, layer: int, even: int) -> int:
        key = f"attention.{one}_length"
        has_window = isinstance(self._pattern, Sequence) and bool(self._pattern[layer])
        if has_window and f"{self._prefix}{key}_swa" in self._metadata:
            return self.number(f"{key}_swa")
        return self.number(key, even)

    @property
    def _pattern(self) -> object:
        return self._metadata.get(self._prefix + "attention.sliding_window_pattern")

    @property
    def state_values(self) -> int:
        """Of one layer: the last inputs of its convolution, and the state itself."""
        inner, state = self.number("ssm.inner_size"), self.number("ssm.state_size")
        inputs = inner + 2 * self.number("ssm.group_count", 0) * state
        return (self.number("ssm.conv_kernel") - 1) * inputs + inner * state
