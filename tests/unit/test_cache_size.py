"""The memory of a cache, from metadata as the files of real models have it."""

import pytest

from service.engine.files.cache_size import CacheSize, cache_size
from service.engine.files.gguf_header import Metadata
from service.errors import ModelUnavailable

QWEN2: Metadata = {
    "general.architecture": "qwen2",
    "qwen2.block_count": 28,
    "qwen2.embedding_length": 1536,
    "qwen2.attention.head_count": 12,
    "qwen2.attention.head_count_kv": 2,
}
QWEN3: Metadata = {
    "general.architecture": "qwen3",
    "qwen3.block_count": 36,
    "qwen3.embedding_length": 2560,
    "qwen3.attention.head_count": 32,
    "qwen3.attention.head_count_kv": 8,
    "qwen3.attention.key_length": 128,
    "qwen3.attention.value_length": 128,
}
QWEN35: Metadata = {
    "general.architecture": "qwen35",
    "qwen35.block_count": 25,
    "qwen35.nextn_predict_layers": 1,
    "qwen35.embedding_length": 2048,
    "qwen35.attention.head_count": 8,
    "qwen35.attention.head_count_kv": 2,
    "qwen35.attention.key_length": 256,
    "qwen35.attention.value_length": 256,
    "qwen35.full_attention_interval": 4,
    "qwen35.ssm.conv_kernel": 4,
    "qwen35.ssm.inner_size": 2048,
    "qwen35.ssm.state_size": 128,
    "qwen35.ssm.group_count": 16,
}
JAMBA: Metadata = {
    "general.architecture": "jamba",
    "jamba.block_count": 3,
    "jamba.embedding_length": 512,
    "jamba.attention.head_count": 4,
    "jamba.attention.head_count_kv": (0, 2, 0),
    "jamba.ssm.conv_kernel": 4,
    "jamba.ssm.inner_size": 1024,
    "jamba.ssm.state_size": 16,
}
GEMMA4: Metadata = {
    "general.architecture": "gemma4",
    "gemma4.block_count": 10,
    "gemma4.embedding_length": 1536,
    "gemma4.attention.head_count": 8,
    "gemma4.attention.head_count_kv": 1,
    "gemma4.attention.key_length": 512,
    "gemma4.attention.value_length": 512,
    "gemma4.attention.key_length_swa": 256,
    "gemma4.attention.value_length_swa": 256,
    "gemma4.attention.sliding_window_pattern": (True, True, True, True, False) * 2,
    "gemma4.attention.shared_kv_layers": 5,
}


def test_heads_share_the_width_of_the_model() -> None:
    assert cache_size(QWEN2) == CacheSize(28 * 2 * (128 + 128) * 2)


def test_the_width_of_a_head_may_be_told() -> None:
    assert cache_size(QWEN3) == CacheSize(36 * 8 * (128 + 128) * 2)


def test_layers_without_attention_have_a_state_for_each_sequence() -> None:
    state = (4 - 1) * (2048 + 2 * 16 * 128) + 2048 * 128

    assert cache_size(QWEN35) == CacheSize(6 * 2 * (256 + 256) * 2, 18 * state * 4)


def test_a_file_of_qwen_may_leave_out_which_layers_have_attention() -> None:
    without = {key: value for key, value in QWEN35.items() if "interval" not in key}

    assert cache_size(without) == cache_size(QWEN35)


def test_elsewhere_layers_without_keys_are_the_recurrent_ones() -> None:
    size = cache_size(JAMBA)

    assert size == CacheSize(2 * (128 + 128) * 2, 2 * ((4 - 1) * 1024 + 1024 * 16) * 4)


def test_layers_with_a_window_may_have_narrower_heads_and_the_last_ones_no_keys() -> None:
    assert cache_size(GEMMA4) == CacheSize((4 * (256 + 256) + (512 + 512)) * 2)


def test_layers_may_have_heads_of_their_own_number() -> None:
    counts = {**QWEN2, "qwen2.block_count": 2, "qwen2.attention.head_count_kv": (1, 3)}

    assert cache_size(counts) == CacheSize((1 + 3) * (128 + 128) * 2)


def test_the_whole_cache_has_cells_and_sequences() -> None:
    assert CacheSize(10, 1000).total(cells=8, sequences=2) == 2100


def test_a_file_that_does_not_tell_is_refused() -> None:
    without = {key: value for key, value in QWEN2.items() if "block_count" not in key}

    with pytest.raises(ModelUnavailable, match=r"qwen2\.block_count"):
        cache_size(without)
