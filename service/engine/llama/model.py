"""A llama.cpp model: the weights of a GGUF file in memory, its vocabulary and chat template."""

import ctypes
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import llama_cpp

from service.engine.llama.library import Library
from service.engine.types import Message
from service.errors import EngineError, ModelUnavailable

ALL_LAYERS = 999


class LlamaModel:
    """The weights and the vocabulary of a GGUF file, in memory."""

    def __init__(
        self,
        library: Library,
        path: Path,
        *,
        gpu_layers: int = 0,
        on_progress: Callable[[float], bool] | None = None,
    ) -> None:
        """`on_progress` is called with 0 to 1; it stops the loading by returning False.

        Raises:
            ModelUnavailable: llama.cpp cannot load the file.
        """
        params = llama_cpp.llama_model_default_params()
        params.n_gpu_layers = gpu_layers if gpu_layers >= 0 else ALL_LAYERS
        report = on_progress or (lambda _: True)
        callback = llama_cpp.llama_progress_callback(lambda share, _: report(share))
        params.progress_callback = callback
        # Kernels for blocked quantisations copy the weights, and the mapped file would stay
        # resident beside the copy.
        params.load_mode = llama_cpp.LLAMA_LOAD_MODE_NONE
        library.last_error = ""
        self._model: Any = llama_cpp.llama_model_load_from_file(bytes(path), params)
        if not self._model:
            reason = library.last_error or "the loading was stopped"
            raise ModelUnavailable(f"llama.cpp cannot load {path}: {reason}.")
        self._vocab: Any = llama_cpp.llama_model_get_vocab(self._model)
        self._pieces: dict[int, bytes] = {}

    @property
    def handle(self) -> Any:
        return self._model

    @property
    def vocabulary(self) -> Any:
        return self._vocab

    @cached_property
    def vocabulary_size(self) -> int:
        return int(llama_cpp.llama_vocab_n_tokens(self._vocab))

    @cached_property
    def embedding_size(self) -> int:
        return int(llama_cpp.llama_model_n_embd(self._model))

    @cached_property
    def trained_context(self) -> int:
        return int(llama_cpp.llama_model_n_ctx_train(self._model))

    @cached_property
    def parameters(self) -> int:
        return int(llama_cpp.llama_model_n_params(self._model))

    @cached_property
    def size_bytes(self) -> int:
        return int(llama_cpp.llama_model_size(self._model))

    @cached_property
    def cache_bytes_per_token(self) -> int:
        """Bytes of the keys and values of one token over all layers, in 16 bits each."""
        heads = llama_cpp.llama_model_n_head(self._model)
        width = self.embedding_size // heads * llama_cpp.llama_model_n_head_kv(self._model)
        return int(2 * 2 * width * llama_cpp.llama_model_n_layer(self._model))

    @cached_property
    def leading_tokens(self) -> list[int]:
        """The tokens that every prompt must start with: BOS, or none."""
        if not llama_cpp.llama_vocab_get_add_bos(self._vocab):
            return []
        return [int(llama_cpp.llama_vocab_bos(self._vocab))]

    @cached_property
    def control_texts(self) -> tuple[str, ...]:
        """The texts of the control tokens, such as the end of a turn."""
        texts = []
        for token in range(self.vocabulary_size):
            if llama_cpp.llama_vocab_is_control(self._vocab, token):
                texts.append(self.piece(token, special=True).decode("utf-8", "replace"))
        return tuple(text for text in texts if text)

    @property
    def chat_template(self) -> str | None:
        template = llama_cpp.llama_model_chat_template(self._model, None)
        return template.decode("utf-8", "replace") if template else None

    def is_end(self, token: int) -> bool:
        return bool(llama_cpp.llama_vocab_is_eog(self._vocab, token))

    def tokenise(self, text: str, *, special: bool = False) -> list[int]:
        """The tokens of a text. With `special`, texts of control tokens become those tokens."""
        data = text.encode("utf-8", "replace")
        size = len(data) + 8
        tokens = (llama_cpp.llama_token * size)()
        count = llama_cpp.llama_tokenize(self._vocab, data, len(data), tokens, size, False, special)
        if count < 0:
            raise EngineError("The text could not be tokenised.")
        return list(tokens[:count])

    def piece(self, token: int, *, special: bool = False) -> bytes:
        """The bytes of a token; those of a control token are empty unless `special`."""
        cached = None if special else self._pieces.get(token)
        if cached is not None:
            return cached
        size = 64
        while True:
            buffer = ctypes.create_string_buffer(size)
            count = llama_cpp.llama_token_to_piece(self._vocab, token, buffer, size, 0, special)
            if count >= 0:
                break
            size = -count
        piece = buffer.raw[:count]
        if not special:
            self._pieces[token] = piece
        return piece

    def close(self) -> None:
        if self._model:
            llama_cpp.llama_model_free(self._model)
            self._model = None


def render_chat(template: str, messages: Sequence[Message]) -> str:
    """The prompt for an assistant's next turn.

    Raises:
        ModelUnavailable: llama.cpp does not know the template.
    """
    encoded = [(one.role.encode(), one.content.encode("utf-8")) for one in messages]
    chat = (llama_cpp.llama_chat_message * len(encoded))(
        *(llama_cpp.llama_chat_message(role, content) for role, content in encoded)
    )
    size = 256 + 2 * sum(len(role) + len(content) + 64 for role, content in encoded)
    while True:
        buffer = ctypes.create_string_buffer(size)
        count = llama_cpp.llama_chat_apply_template(
            template.encode("utf-8"), chat, len(encoded), True, buffer, size
        )
        if count < 0:
            raise ModelUnavailable(
                "llama.cpp does not know the model's chat template; name one it knows as "
                "`chat_template` in the catalog, for example chatml, llama3 or mistral-v7."
            )
        if count <= size:
            return buffer.raw[:count].decode("utf-8")
        size = count
