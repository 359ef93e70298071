"""Decides what a context decodes next: the running answers together, or a chunk of a prompt. Pure.

A batch has one token of each running answer, or one prefill chunk of the oldest prompt. A prompt
is finished before the next one begins, because otherwise all first tokens would be as late as the
last. How many chunks are decoded between two tokens of the answers depends on how many requests
wait on either side, because all of them feel the delay.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

# The time for prefill between two tokens of the answers, as a multiple of a token's time, when as
# many requests wait for their first token as for their next one.
PREFILL_SHARE = 2.0
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Candidate(Generic[Key]):
    """The next token of a running answer if `is_answer`, else the next chunk of a prompt."""

    key: Key
    is_answer: bool


class Batcher(Generic[Key]):
    def __init__(self) -> None:
        self._allowance_s = 0.0
        self._token_s = 0.0
        self._was_prefill = False

    def next(self, candidates: Sequence[Candidate[Key]], waiting: int = 0) -> list[Key]:
        """The keys to decode together, given the candidates in order of arrival.

        `waiting` is how many more requests wait for a slot.
        """
        answers = [one.key for one in candidates if one.is_answer]
        prompts = [one.key for one in candidates if not one.is_answer]
        if prompts and (not answers or self._allowance_s > 0):
            self._was_prefill = True
            return prompts[:1]
        self._was_prefill = False
        share = PREFILL_SHARE * (len(prompts) + waiting) / max(1, len(answers))
        # At least one chunk follows each token, so that no prompt waits for the end of long answers.
        self._allowance_s = max(share * self._token_s, 1e-9)
        return answers

    def record(self, seconds: float) -> None:
        """Note how long it took to decode what `next` returned last."""
        if self._was_prefill:
            self._allowance_s -= seconds
        else:
            self._token_s = seconds
