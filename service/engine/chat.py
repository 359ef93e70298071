"""Messages -> prompt tokens, so that no message can act as a control token of the model."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from service.engine.llama import Weights, render_chat
from service.engine.types import Message
from service.errors import ModelUnavailable

# Private-use characters: no template has them, and messages never pass through the template.
MARK = "\ue000{}\ue001"
MARKED = re.compile("\ue000(\\d+)\ue001")


class ChatTokeniser:
    """Control tokens come from the template alone; what people wrote is plain text.

    Plain text is cut as a whole from one control token to the next, as it is in training.
    """

    def __init__(self, weights: Weights, template: str | None) -> None:
        """Raises ModelUnavailable if llama.cpp does not know the template."""
        found = template or weights.chat_template
        if found is None:
            raise ModelUnavailable(
                "The model file has no chat template; name one as `chat_template` in the catalog."
            )
        self._template = found
        self._weights = weights
        texts = sorted(weights.control_texts, key=len, reverse=True)
        self._control = re.compile(f"({'|'.join(map(re.escape, texts))})") if texts else None
        self.tokens((Message("user", ""),))

    def tokens(self, messages: Sequence[Message]) -> list[int]:
        marked = [replace(one, content=MARK.format(i)) for i, one in enumerate(messages)]
        tokens: list[int] = []
        plain = ""
        for text, is_control in self._pieces(render_chat(self._template, marked), messages):
            if is_control:
                tokens += self._weights.tokenise(plain) if plain else []
                tokens += self._weights.tokenise(text, special=True)
                plain = ""
            else:
                plain += text
        tokens += self._weights.tokenise(plain) if plain else []
        leading = self._weights.leading_tokens
        return tokens if tokens[: len(leading)] == leading else leading + tokens

    def _pieces(self, rendered: str, messages: Sequence[Message]) -> Iterator[tuple[str, bool]]:
        for index, part in enumerate(MARKED.split(rendered)):
            if index % 2:
                yield messages[int(part)].content, False
            elif self._control is None:
                yield part, False
            else:
                for turn, piece in enumerate(self._control.split(part)):
                    yield piece, bool(turn % 2)
