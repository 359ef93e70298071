"""Turns messages into prompt tokens; no text in a message can become a control token."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

from service.engine.decoding.prefix_reuse import common_prefix
from service.engine.llama import render_chat
from service.engine.types import Message
from service.errors import ModelUnavailable

# Of Gemma 4, which llama.cpp's C function does not know:
# https://github.com/ggml-org/llama.cpp/blob/master/models/templates/google-gemma-4-31B-it.jinja
GEMMA4_MARK = "<|turn>"
GEMMA4_TURN = "<|turn>{role}\n{content}<turn|>\n"
GEMMA4_ANSWER = "<|turn>model\n"
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
class PromptTokens:
    """The first `system_tokens` contain the leading system messages and nothing of later ones."""

    tokens: list[int]
    system_tokens: int


class ChatTokeniser:
    """Takes control tokens only from the template; the messages are plain text.

    The plain text between two control tokens is tokenised as a whole, as in training.
    """

    def __init__(
        self, vocabulary: ChatVocabulary, template: str | None, answer_prefix: str | None = None
    ) -> None:
        """`answer_prefix` is put before every answer, such as the empty thoughts of a model that thinks.

        Raises: ModelUnavailable if llama.cpp does not know the template.
        """
        found = template or vocabulary.chat_template
        if found is None:
            raise ModelUnavailable(
                "The model file has no chat template. Name one as `chat_template` in the catalog."
            )
        self._template = found
        self._answer_prefix = answer_prefix or ""
        self._vocabulary = vocabulary
        texts = sorted(vocabulary.control_texts, key=len, reverse=True)
        self._control = re.compile(f"({'|'.join(map(re.escape, texts))})") if texts else None
        self.prompt((Message("user", ""),))

    def prompt(self, messages: Sequence[Message]) -> PromptTokens:
        marked = [replace(one, content=MARK.format(i)) for i, one in enumerate(messages)]
        first_turn = next((i for i, one in enumerate(messages) if one.role != "system"), None)
        building = _Building(self._vocabulary)
        rendered = _rendered(self._template, marked) + self._answer_prefix
        for piece in self._pieces(rendered, messages):
            if piece.is_control:
                building.add_control(piece.text)
            else:
                if piece.message is not None and piece.message == first_turn:
                    building.end_system()
                is_system = piece.message is not None and messages[piece.message].role == "system"
                building.add_plain(piece.text, is_system=is_system)
        return building.finish()

    @cached_property
    def turn_end(self) -> int:
        """The token that ends an assistant's message.

        Raises:
            ModelUnavailable: the template has none.
        """
        messages = (Message("user", ""), Message("assistant", MARK.format(0)))
        after = _rendered(self._template, messages).rpartition(messages[1].content)[2]
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


class _Building:
    """The prompt so far. `_plain` is what follows the last control token, not yet tokenised."""

    def __init__(self, vocabulary: ChatVocabulary) -> None:
        self._vocabulary = vocabulary
        self._tokens: list[int] = []
        self._plain = ""
        self._has_system = False
        self._system_tokens = 0
        self._system_text = ""

    def add_plain(self, text: str, *, is_system: bool) -> None:
        self._plain += text
        self._has_system = self._has_system or is_system

    def add_control(self, text: str) -> None:
        self._tokenise_plain()
        self._tokens += self._vocabulary.tokenise(text, special=True)

    def end_system(self) -> None:
        self._system_tokens = len(self._tokens)
        # Templates without a system turn, such as Gemma's, put the system message into the user's.
        self._system_text = self._plain if self._has_system else ""

    def finish(self) -> PromptTokens:
        self._tokenise_plain()
        tokens, system = self._tokens, self._system_tokens
        leading = self._vocabulary.leading_tokens
        if tokens[: len(leading)] != leading:
            tokens, system = leading + tokens, system and len(leading) + system
        return PromptTokens(tokens, system)

    def _tokenise_plain(self) -> None:
        if self._plain:
            tokens = self._vocabulary.tokenise(self._plain)
            if self._system_text:
                # A token may have the end of one message and the start of the next.
                alone = self._vocabulary.tokenise(self._system_text)
                self._system_tokens += common_prefix(alone, tokens)
            self._tokens += tokens
        self._plain, self._system_text, self._has_system = "", "", False


def _rendered(template: str, messages: Sequence[Message]) -> str:
    if GEMMA4_MARK not in template:
        return render_chat(template, messages)
    turns = [
        GEMMA4_TURN.format(
            role="model" if one.role == "assistant" else one.role, content=one.content
        )
        for one in messages
    ]
    return "".join(turns) + GEMMA4_ANSWER


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of the rendered prompt; `message` is the index of the message it is the content of."""

    text: str
    is_control: bool = False
    message: int | None = None
