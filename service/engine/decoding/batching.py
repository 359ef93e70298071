"""What a context decodes next: its running answers side by side, or a piece of a prompt. Pure.

Every decode carries one token of each running answer, or one piece of the prompt that came first:
a prompt is finished before the next is begun, because the first tokens of all would else come as
late as the last one's. How many pieces go between two tokens of the answers depends on how many
wait on either side, as each delay is felt by all of them.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

# Time for prompts between two tokens of the answers, as a multiple of what a token takes, where
# as many wait for their first token as for the next.
PROMPT_SHARE = 2.0
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Part(Generic[Key]):
    """`is_answer`: the next token of a running answer; else a piece of a prompt."""

    key: Key
    is_answer: bool


class Batcher(Generic[Key]):
    def __init__(self) -> None:
        self._allowance_s = 0.0
        self._token_s = 0.0
        self._was_prompt = False

    def next(self, parts: Sequence[Part[Key]], waiting: int = 0) -> list[Key]:
        """What to decode together, of `parts` in the order they came; `waiting` follow later."""
        answers = [part.key for part in parts if part.is_answer]
        prompts = [part.key for part in parts if not part.is_answer]
        if prompts and (not answers or self._allowance_s > 0):
            self._was_prompt = True
            return prompts[:1]
        self._was_prompt = False
        share = PROMPT_SHARE * (len(prompts) + waiting) / max(1, len(answers))
        # At least one piece follows each token: nobody waits for others' long answers.
        self._allowance_s = max(share * self._token_s, 1e-9)
        return answers

    def took(self, seconds: float) -> None:
        """How long the decode of the last `next` took."""
        if self._was_prompt:
            self._allowance_s -= seconds
        else:
            self._token_s = seconds
