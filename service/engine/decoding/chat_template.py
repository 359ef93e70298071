"""Turns messages into prompt tokens; no text in a message can become a control token."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

from service.engine.llama import render_chat
from service.engine.types import Message
from service.errors import ModelUnavailable

# Placeholders in private-use characters, because messages must not pass through the template.
MARK = "\ue000{}\ue001"
MARKED = re.compile("\ue000(\\d+)\ue001")


class ChatVocabulary(Protocol):
    """What a prompt needs of a vocabulary: that of a GGUF, or of a tokenizer used in training."""

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
    """The first `system_tokens` contain the leading system messages and nothing of later ones."""

    tokens: list[int]
    system_tokens: int


class ChatTokeniser:
    """Takes control tokens only from the template; the messages are plain text.

    The plain text between two control tokens is tokenised as a whole, as in training.
    """

    def __init__(self, vocabulary: ChatVocabulary, template: str | None) -> None:
        """Raises ModelUnavailable if llama.cpp does not know the template."""
        found = template or vocabulary.chat_template
        if found is None:
            raise ModelUnavailable(
                "The model file has no chat template. Name one as `chat_template` in the catalog."
            )
        self._template = found
        self._vocabulary = vocabulary
        texts = sorted(vocabulary.control_texts, key=len, reverse=True)
        self._control = re.compile(f"({'|'.join(map(re.escape, texts))})") if texts else None
        self.prompt((Message("user", ""),))

    def prompt(self, messages: Sequence[Message]) -> ChatPrompt:
        marked = [replace(one, content=MARK.format(i)) for i, one in enumerate(messages)]
        first_turn = next((i for i, one in enumerate(messages) if one.role != "system"), None)
        tokens: list[int] = []
        plain, system = "", 0
        for piece in self._pieces(render_chat(self._template, marked), messages):
            if piece.message is not None and piece.message == first_turn:
                system = len(tokens)
            if piece.is_control:
                tokens += self._vocabulary.tokenise(plain) if plain else []
                tokens += self._vocabulary.tokenise(piece.text, special=True)
                plain = ""
            else:
                plain += piece.text
        tokens += self._vocabulary.tokenise(plain) if plain else []
        leading = self._vocabulary.leading_tokens
        if tokens[: len(leading)] != leading:
            tokens, system = leading + tokens, system and len(leading) + system
        return ChatPrompt(tokens, system)

    @cached_property
    def turn_end(self) -> int:
        """The token that ends an assistant's message.

        Raises:
            ModelUnavailable: the template has none.
        """
        messages = (Message("user", ""), Message("assistant", MARK.format(0)))
        after = render_chat(self._template, messages).rpartition(messages[1].content)[2]
        for token in self._vocabulary.tokenise(after, special=True):
            if self._vocabulary.is_end(token):
                return token
        raise ModelUnavailable("The model's chat template has no token that ends an answer.")

    def _pieces(self, rendered: str, messages: Sequence[Message]) -> Iterator["_Piece"]:
        for index, part in enumerate(MARKED.split(rendered)):
            if index % 2:
                yield _Piece(messages[int(part)].content, message=int(part))
            elif self._control is None:
                yield _Piece(part)
            else:
                for number, piece in enumerate(self._control.split(part)):
                    yield _Piece(piece, is_control=bool(number % 2))


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of the rendered prompt; `message` is the index of the message it is the content of."""

    text: str
    is_control: bool = False
    message: int | None = None
