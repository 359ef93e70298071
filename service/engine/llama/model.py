"""A llama.cpp model: the weights of a GGUF file in memory, its vocabulary and chat template."""

import ctypes
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from service.engine.llama.c_api import c_api
from service.engine.llama.library import Library
from service.engine.llama.structures import LLAMA_LOAD_MODE_NONE, ChatMessage, ProgressCallback
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
        is_vocabulary_only: bool = False,
    ) -> None:
        """`on_progress` is called with 0 to 1; it stops the loading by returning False.

        With `is_vocabulary_only`, the weights are not loaded.

        Raises:
            ModelUnavailable: llama.cpp cannot load the file.
        """
        params = c_api().llama_model_default_params()
        params.n_gpu_layers = gpu_layers if gpu_layers >= 0 else ALL_LAYERS
        report = on_progress or (lambda _: True)
        callback = ProgressCallback(lambda share, _: report(share))
        params.progress_callback = callback
        # Kernels for blocked quantisations copy the weights, and the mapped file would stay
        # resident beside the copy.
        params.load_mode = LLAMA_LOAD_MODE_NONE
        params.vocab_only = is_vocabulary_only
        library.last_error = ""
        self._model: Any = c_api().llama_model_load_from_file(bytes(path), params)
        if not self._model:
            reason = library.last_error or "the loading was stopped"
            raise ModelUnavailable(f"llama.cpp cannot load {path}: {reason}.")
        self._vocab: Any = c_api().llama_model_get_vocab(self._model)
        self._pieces: dict[int, bytes] = {}
        self.gpu_layers = gpu_layers
        self.path = path

    @property
    def handle(self) -> Any:
        return self._model

    @property
    def vocabulary(self) -> Any:
        return self._vocab

    @cached_property
    def vocabulary_size(self) -> int:
        return int(c_api().llama_vocab_n_tokens(self._vocab))

    @cached_property
    def embedding_size(self) -> int:
        return int(c_api().llama_model_n_embd(self._model))

    @cached_property
    def trained_context(self) -> int:
        return int(c_api().llama_model_n_ctx_train(self._model))

    @cached_property
    def parameters(self) -> int:
        return int(c_api().llama_model_n_params(self._model))

    @cached_property
    def can_rewind(self) -> bool:
        """Whether a cached sequence can be cut to any of its prefixes.

        The running state of a recurrent layer is that of the last token. In a layer with a sliding
        window, llama.cpp overwrites the cells before the window of the last token
        (`llama_kv_cache::find_slot`) and leaves them out of a saved sequence, but says that a cut
        worked.
        """
        return not (
            c_api().llama_model_is_recurrent(self._model)
            or c_api().llama_model_is_hybrid(self._model)
            or c_api().llama_model_n_swa(self._model)
        )

    @cached_property
    def size_bytes(self) -> int:
        return int(c_api().llama_model_size(self._model))

    @cached_property
    def leading_tokens(self) -> list[int]:
        """The tokens that every prompt must start with: BOS, or none."""
        if not c_api().llama_vocab_get_add_bos(self._vocab):
            return []
        return [int(c_api().llama_vocab_bos(self._vocab))]

    @cached_property
    def control_texts(self) -> tuple[str, ...]:
        """The texts of the control tokens, such as the end of a turn."""
        texts = []
        for token in range(self.vocabulary_size):
            if c_api().llama_vocab_is_control(self._vocab, token):
                texts.append(self.piece(token, special=True).decode("utf-8", "replace"))
        return tuple(text for text in texts if text)

    @property
    def chat_template(self) -> str | None:
        template = c_api().llama_model_chat_template(self._model, None)
        return template.decode("utf-8", "replace") if template else None

    def is_end(self, token: int) -> bool:
        return bool(c_api().llama_vocab_is_eog(self._vocab, token))

    def tokenise(self, text: str, *, special: bool = False) -> list[int]:
        """The tokens of a text. With `special`, texts of control tokens become those tokens."""
        data = text.encode("utf-8", "replace")
        size = len(data) + 8
        tokens = (ctypes.c_int32 * size)()
        count = c_api().llama_tokenize(self._vocab, data, len(data), tokens, size, False, special)
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
            count = c_api().llama_token_to_piece(self._vocab, token, buffer, size, 0, special)
            if count >= 0:
                break
            size = -count
        piece = buffer.raw[:count]
        if not special:
            self._pieces[token] = piece
        return piece

    def close(self) -> None:
        if self._model:
            c_api().llama_model_free(self._model)
            self._model = None


def render_chat(template: str, messages: Sequence[Message]) -> str:
    """The prompt for an assistant's next turn.

    Raises:
        ModelUnavailable: llama.cpp does not know the template.
    """
    encoded = [(one.role.encode(), one.content.encode("utf-8")) for one in messages]
    chat = (ChatMessage * len(encoded))(*(ChatMessage(role, content) for role, content in encoded))
    size = 256 + 2 * sum(len(role) + len(content) + 64 for role, content in encoded)
    while True:
        buffer = ctypes.create_string_buffer(size)
        count = c_api().llama_chat_apply_template(
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
