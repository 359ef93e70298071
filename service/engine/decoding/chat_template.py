"""Messages -> prompt tokens, so that no message can act as a control token of the model."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

from service.engine.llama import render_chat
from service.engine.types import Message
from service.errors import ModelUnavailable

# Private-use characters: no template has them, and messages never pass through the template.
MARK = "\ue000{}\ue001"
MARKED = re.compile("\ue000(\\d+)\ue001")


class ChatVocabulary(Protocol):
    """What a chat is made of: a GGUF has it, and so has the tokenizer a model is trained with."""

    @property
    def chat_template(self) -> str | None: ...

    @property
    def control_texts(self) -> tuple[str, ...]: ...

    @property
    def leading_tokens(self) -> list[int]: ...

    def is_end(self, token: int) -> bool: ...

    def tokenise(self, text: str, *, special: bool = False) -> list[int]: ...


@dataclass(frozen=True, slots=True)
class ChatPrompt:
    """`fixed` tokens at the start come before anything but the leading system messages' text."""

    tokens: list[int]
    fixed: int


class ChatTokeniser:
    """Control tokens come from the template alone; what people wrote is plain text.

    Plain text is cut as a whole from one control token to the next, as it is in training.
    """

    def __init__(self, vocabulary: ChatVocabulary, template: str | None) -> None:
        """Raises ModelUnavailable if llama.cpp does not know the template."""
        found = template or vocabulary.chat_template
        if found is None:
            raise ModelUnavailable(
                "The model file has no chat template; name one as `chat_template` in the catalog."
            )
        self._template = found
        self._vocabulary = vocabulary
        texts = sorted(vocabulary.control_texts, key=len, reverse=True)
        self._control = re.compile(f"({'|'.join(map(re.escape, texts))})") if texts else None
        self.prompt((Message("user", ""),))

    def prompt(self, messages: Sequence[Message]) -> ChatPrompt:
        marked = [replace(one, content=MARK.format(i)) for i, one in enumerate(messages)]
        spoken = next((i for i, one in enumerate(messages) if one.role != "system"), None)
        tokens: list[int] = []
        plain, fixed = "", 0
        for piece in self._pieces(render_chat(self._template, marked), messages):
            if piece.message is not None and piece.message == spoken:
                fixed = len(tokens)
            if piece.is_control:
                tokens += self._vocabulary.tokenise(plain) if plain else []
                tokens += self._vocabulary.tokenise(piece.text, special=True)
                plain = ""
            else:
                plain += piece.text
        tokens += self._vocabulary.tokenise(plain) if plain else []
        leading = self._vocabulary.leading_tokens
        if tokens[: len(leading)] != leading:
            tokens, fixed = leading + tokens, fixed and len(leading) + fixed
        return ChatPrompt(tokens, fixed)

    @cached_property
    def turn_end(self) -> int:
        """The token after an assistant's message.

        Raises: ModelUnavailable if the template has none there.
        """
        messages = (Message("user", ""), Message("assistant", MARK.format(0)))
        after = render_chat(self._template, messages).rpartition(messages[1].content)[2]
        for token in self._vocabulary.tokenise(after, special=True):
            if self._vocabulary.is_end(token):
                return token
        raise ModelUnavailable("The model's chat template ends an answer with no token.")

    def _pieces(self, rendered: str, messages: Sequence[Message]) -> Iterator["_Piece"]:
        for index, part in enumerate(MARKED.split(rendered)):
            if index % 2:
                yield _Piece(messages[int(part)].content, message=int(part))
            elif self._control is None:
                yield _Piece(part)
            else:
                for turn, piece in enumerate(self._control.split(part)):
                    yield _Piece(piece, is_control=bool(turn % 2))


@dataclass(frozen=True, slots=True)
class _Piece:
    """`message` is the number of the message whose content it is."""

    text: str
    is_control: bool = False
    message: int | None = None
