"""Writes random models of a few hundred kilobytes, one for each architecture of the catalog.

They have the tensors, the kind of tokeniser and the turns of the real models, with fixed seeds.
Which tensors a model has is what llama.cpp's `src/models/<architecture>.cpp` asks for.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from gguf import TokenType
from numpy.typing import NDArray

Tensors = dict[str, NDArray[Any]]
WIDTH, FEED_FORWARD, LAYERS, HEADS, KV_HEADS, HEAD_WIDTH = 64, 96, 4, 4, 2, 16
TRAINED_CONTEXT = 1024
WINDOW = 24
WORDS = ("th", "in", "er", "an", "on", "re", "at", "en", "ou", "it")
PRINTABLE = [chr(code) for code in range(0x20, 0x7F)]

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA3 = (
    "{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n"
    "{{ m.content | trim }}<|eot_id|>{% endfor %}"
)
PHI = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}<|assistant|>"
GEMMA3 = (
    "{% for m in messages %}<start_of_turn>{{ m.role }}\n{{ m.content | trim }}<end_of_turn>\n"
    "{% endfor %}"
)
GEMMA4 = "{% for m in messages %}<|turn>{{ m.role }}\n{{ m.content | trim }}<turn|>\n{% endfor %}"


@dataclass(frozen=True, slots=True)
class TinyModel:
    """`end` ends a turn; `extra` adds to the tensors and the metadata that all models have."""

    architecture: str
    tokenizer: str
    pre: str
    template: str
    controls: tuple[str, ...]
    end: str
    extra: Callable[[gguf.GGUFWriter, np.random.Generator], Tensors]
    starts_with: str | None = None


def write_tiny_model(path: Path, tiny: TinyModel) -> Path:
    writer = gguf.GGUFWriter(path, tiny.architecture)
    tokens = _add_vocabulary(writer, tiny)
    _add_sizes(writer)
    random = np.random.default_rng(7)
    common = {
        "token_embd.weight": _matrix(random, len(tokens), WIDTH, scale=1.0),
        "output_norm.weight": _ones(WIDTH),
        "output.weight": _output(random, tokens),
    }
    for name, values in (common | tiny.extra(writer, random)).items():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_sizes(writer: gguf.GGUFWriter) -> None:
    writer.add_context_length(TRAINED_CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_head_count(HEADS)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(10000.0)


def _add_vocabulary(writer: gguf.GGUFWriter, tiny: TinyModel) -> list[str]:
    """Adds the tokens, which it returns: control tokens, bytes, characters and a few pairs."""
    controls = [(text, TokenType.CONTROL) for text in tiny.controls]
    byte_tokens = [(f"<0x{code:02X}>", TokenType.BYTE) for code in range(256)]
    pairs = [(word, TokenType.NORMAL) for word in WORDS]
    if tiny.tokenizer == "gpt2":
        # The tokens of bytes are characters here: https://github.com/openai/gpt-2 (encoder.py)
        listed = [*controls, *((char, TokenType.NORMAL) for char in _byte_characters()), *pairs]
        # Thinking models have these as ordinary words of their own.
        listed += [(tag, TokenType.USER_DEFINED) for tag in ("<think>", "</think>")]
    else:
        chars = [(char, TokenType.NORMAL) for char in ("\u2581", "\n", *PRINTABLE[1:])]
        listed = [("<unk>", TokenType.UNKNOWN), *controls, *byte_tokens, *chars, *pairs]
    tokens = [text for text, _ in listed]
    writer.add_tokenizer_model(tiny.tokenizer)
    writer.add_tokenizer_pre(tiny.pre)
    writer.add_token_list(tokens)
    writer.add_token_types([kind for _, kind in listed])
    if tiny.tokenizer == "llama":
        writer.add_token_scores([-float(index) for index in range(len(tokens))])
        writer.add_add_space_prefix(False)
    else:
        writer.add_token_merges([f"{word[0]} {word[1]}" for word in WORDS])
    writer.add_eos_token_id(tokens.index(tiny.end))
    writer.add_add_bos_token(tiny.starts_with is not None)
    if tiny.starts_with is not None:
        writer.add_bos_token_id(tokens.index(tiny.starts_with))
    writer.add_chat_template(tiny.template)
    return tokens


def _byte_characters() -> Iterator[str]:
    shown = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    hidden = 0
    for code in range(256):
        if code in shown:
            yield chr(code)
        else:
            yield chr(256 + hidden)
            hidden += 1


def _matrix(
    random: np.random.Generator, rows: int, columns: int, *, scale: float | None = None
) -> NDArray[np.float16]:
    factor = 2 * columns**-0.5 if scale is None else scale
    return (random.standard_normal((rows, columns)) * factor).astype(np.float16)


def _output(random: np.random.Generator, tokens: list[str]) -> NDArray[np.float16]:
    """Only printable characters have a chance, so that answers are texts and have their full length."""
    output = _matrix(random, len(tokens), WIDTH, scale=0.5)
    output[[token not in (*PRINTABLE, *WORDS) for token in tokens]] = 0
    return output


def _ones(size: int) -> NDArray[np.float32]:
    return np.ones(size, dtype=np.float32)


def _attention(
    random: np.random.Generator,
    layer: int,
    *,
    kv_heads: int = KV_HEADS,
    head: int = HEAD_WIDTH,
    gated: bool = False,
    normed: bool = False,
) -> Tensors:
    prefix = f"blk.{layer}"
    queries = HEADS * head
    tensors: Tensors = {
        f"{prefix}.attn_q.weight": _matrix(random, queries * (2 if gated else 1), WIDTH),
        f"{prefix}.attn_k.weight": _matrix(random, kv_heads * head, WIDTH),
        f"{prefix}.attn_v.weight": _matrix(random, kv_heads * head, WIDTH),
        f"{prefix}.attn_output.weight": _matrix(random, WIDTH, queries),
    }
    if normed:
        tensors |= {f"{prefix}.attn_{one}_norm.weight": _ones(head) for one in "qk"}
    return tensors


def _block(random: np.random.Generator, layer: int, *norms: str) -> Tensors:
    """The norms and the feed-forward part of a layer."""
    prefix = f"blk.{layer}"
    return {
        **{f"{prefix}.{norm}.weight": _ones(WIDTH) for norm in ("attn_norm", *norms)},
        f"{prefix}.ffn_gate.weight": _matrix(random, FEED_FORWARD, WIDTH),
        f"{prefix}.ffn_up.weight": _matrix(random, FEED_FORWARD, WIDTH),
        f"{prefix}.ffn_down.weight": _matrix(random, WIDTH, FEED_FORWARD),
    }


def _llama(writer: gguf.GGUFWriter, random: np.random.Generator) -> Tensors:
    writer.add_head_count_kv(KV_HEADS)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_rope_dimension_count(HEAD_WIDTH)
    tensors: Tensors = {}
    for layer in range(LAYERS):
        tensors |= _block(random, layer, "ffn_norm") | _attention(random, layer)
    return tensors


def _qwen2(writer: gguf.GGUFWriter, random: np.random.Generator) -> Tensors:
    tensors = _llama(writer, random)
    for layer in range(LAYERS):
        for one, heads in (("q", HEADS), ("k", KV_HEADS), ("v", KV_HEADS)):
            bias = 0.1 * random.standard_normal(heads * HEAD_WIDTH)
            tensors[f"blk.{layer}.attn_{one}.bias"] = bias.astype(np.float32)
    return tensors


def _qwen3(writer: gguf.GGUFWriter, random: np.random.Generator) -> Tensors:
    """Its heads are wider than the model's width divided by their number, as in the real ones."""
    head = 2 * HEAD_WIDTH
    writer.add_head_count_kv(KV_HEADS)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_feed_forward_length(FEED_FORWARD)
    tensors: Tensors = {}
    for layer in range(LAYERS):
        tensors |= _block(random, layer, "ffn_norm")
        tensors |= _attention(random, layer, head=head, normed=True)
    return tensors


def _qwen35(writer: gguf.GGUFWriter, random: np.random.Generator) -> Tensors:
    """Gated delta nets, with attention in every second layer."""
    state, groups, value_heads, kernel = 16, 2, 4, 4
    values, keys = value_heads * state, groups * state
    writer.add_head_count_kv(KV_HEADS)
    writer.add_key_length(HEAD_WIDTH)
    writer.add_value_length(HEAD_WIDTH)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_rope_dimension_count(8)
    writer.add_rope_dimension_sections([2, 1, 1, 0])
    writer.add_ssm_conv_kernel(kernel)
    writer.add_ssm_inner_size(values)
    writer.add_ssm_state_size(state)
    writer.add_ssm_time_step_rank(value_heads)
    writer.add_ssm_group_count(groups)
    writer.add_full_attention_interval(2)
    tensors: Tensors = {}
    for layer in range(LAYERS):
        tensors |= _block(random, layer, "post_attention_norm")
        if layer % 2:
            tensors |= _attention(random, layer, gated=True, normed=True)
            continue
        prefix = f"blk.{layer}"
        tensors |= {
            f"{prefix}.attn_qkv.weight": _matrix(random, 2 * keys + values, WIDTH),
            f"{prefix}.attn_gate.weight": _matrix(random, values, WIDTH),
            f"{prefix}.ssm_conv1d.weight": _matrix(random, 2 * keys + values, kernel).astype(
                np.float32
            ),
            f"{prefix}.ssm_dt.bias": random.standard_normal(value_heads).astype(np.float32),
            f"{prefix}.ssm_a": -np.exp(random.standard_normal(value_heads)).astype(np.float32),
            f"{prefix}.ssm_beta.weight": _matrix(random, value_heads, WIDTH),
            f"{prefix}.ssm_alpha.weight": _matrix(random, value_heads, WIDTH),
            f"{prefix}.ssm_norm.weight": _ones(state),
            f"{prefix}.ssm_out.weight": _matrix(random, WIDTH, values),
        }
    return tensors


def _gemma3(writer: gguf.GGUFWriter, random: np.random.Generator) -> Tensors:
    """A sliding window in three of four layers."""
    writer.add_head_count_kv(1)
    writer.add_key_length(HEAD_WIDTH)
    writer.add_value_length(HEAD_WIDTH)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_sliding_window(WINDOW)
    writer.add_sliding_window_pattern(LAYERS)
    norms = ("post_attention_norm", "ffn_norm", "post_ffw_norm")
    tensors: Tensors = {}
    for layer in range(LAYERS):
        tensors |= _block(random, layer, *norms)
        tensors |= _attention(random, layer, kv_heads=1, normed=True)
    return tensors


def _gemma4(writer: gguf.GGUFWriter, random: np.random.Generator) -> Tensors:
    """Embeddings for each layer; the last two layers use the keys and values of earlier ones."""
    per_layer, is_window = 8, [True, False, True, False]
    writer.add_head_count_kv(1)
    writer.add_key_length(2 * HEAD_WIDTH)
    writer.add_value_length(2 * HEAD_WIDTH)
    writer.add_key_length_swa(HEAD_WIDTH)
    writer.add_value_length_swa(HEAD_WIDTH)
    writer.add_rope_dimension_count(2 * HEAD_WIDTH)
    writer.add_rope_dimension_count_swa(HEAD_WIDTH)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_sliding_window(WINDOW)
    writer.add_sliding_window_pattern(is_window)
    writer.add_shared_kv_layers(2)
    writer.add_embedding_length_per_layer_input(per_layer)
    writer.add_final_logit_softcapping(30.0)
    vocabulary = len(GEMMA4_MODEL.controls) + 1 + 256 + 1 + len(PRINTABLE) + len(WORDS)
    norms = ("post_attention_norm", "ffn_norm", "post_ffw_norm", "post_norm")
    tensors: Tensors = {
        "per_layer_token_embd.weight": _matrix(random, vocabulary, per_layer * LAYERS),
        "per_layer_model_proj.weight": _matrix(random, per_layer * LAYERS, WIDTH),
        "per_layer_proj_norm.weight": _ones(per_layer),
        "rope_freqs.weight": _ones(HEAD_WIDTH),
    }
    for layer in range(LAYERS):
        head = HEAD_WIDTH if is_window[layer] else 2 * HEAD_WIDTH
        tensors |= _block(random, layer, *norms)
        tensors |= _attention(random, layer, kv_heads=1, head=head, normed=True)
        tensors |= {
            f"blk.{layer}.inp_gate.weight": _matrix(random, per_layer, WIDTH),
            f"blk.{layer}.proj.weight": _matrix(random, WIDTH, per_layer),
            f"blk.{layer}.layer_output_scale.weight": _ones(1),
        }
    return tensors


def _phi3(writer: gguf.GGUFWriter, random: np.random.Generator) -> Tensors:
    """One matrix for queries, keys and values, and one for both halves of the feed-forward part."""
    tensors = _llama(writer, random)
    fused: Tensors = {}
    for layer in range(LAYERS):
        prefix = f"blk.{layer}"
        qkv = [tensors.pop(f"{prefix}.attn_{one}.weight") for one in "qkv"]
        halves = [tensors.pop(f"{prefix}.ffn_{one}.weight") for one in ("gate", "up")]
        fused[f"{prefix}.attn_qkv.weight"] = np.concatenate(qkv)
        fused[f"{prefix}.ffn_up.weight"] = np.concatenate(halves)
    return tensors | fused


CHATML_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
LLAMA3_TOKENS = ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
PHI_TOKENS = ("<|endoftext|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>")
GEMMA3_TOKENS = ("<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>")
GEMMA4_TOKENS = ("<pad>", "<eos>", "<bos>", "<|turn>", "<turn|>", "<|channel>", "<channel|>")
GEMMA4_MODEL = TinyModel(
    "gemma4", "gemma4", "gemma4", GEMMA4, GEMMA4_TOKENS, "<turn|>", _gemma4, "<bos>"
)
TINY_MODELS: Mapping[str, TinyModel] = {
    one.architecture: one
    for one in (
        TinyModel(
            "llama",
            "gpt2",
            "llama-bpe",
            LLAMA3,
            LLAMA3_TOKENS,
            "<|eot_id|>",
            _llama,
            "<|begin_of_text|>",
        ),
        TinyModel("smollm3", "gpt2", "llama-bpe", CHATML, CHATML_TOKENS, "<|im_end|>", _llama),
        TinyModel("qwen2", "gpt2", "qwen2", CHATML, CHATML_TOKENS, "<|im_end|>", _qwen2),
        TinyModel("qwen3", "gpt2", "qwen2", CHATML, CHATML_TOKENS, "<|im_end|>", _qwen3),
        TinyModel("qwen35", "gpt2", "qwen35", CHATML, CHATML_TOKENS, "<|im_end|>", _qwen35),
        TinyModel(
            "gemma3",
            "llama",
            "default",
            GEMMA3,
            GEMMA3_TOKENS,
            "<end_of_turn>",
            _gemma3,
            "<bos>",
        ),
        GEMMA4_MODEL,
        TinyModel("phi3", "gpt2", "gpt-4o", PHI, PHI_TOKENS, "<|end|>", _phi3),
    )
}
