"""What a sequence of the cache holds, and how much of it a prompt can start from. Pure.

llama.cpp's numbers depend on the pieces in which tokens are decoded. So a request that must be
repeatable starts only from tokens that were decoded in the pieces its own prompt has.
"""

from dataclasses import dataclass, field
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

# Not both kinds at once: a list never equals a tuple.
Numbers = TypeVar("Numbers", list[int], tuple[int, ...])
Reuse = Literal["nothing", "pieces", "everything"]
"""What a request may start from: `pieces` are those that its own prompt would be decoded in."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A prompt and the ends of the pieces that it is decoded in; the last one is its own end."""

    tokens: list[int]
    ends: tuple[int, ...]
    reuse: Reuse = "pieces"


@dataclass(frozen=True, slots=True, eq=False)
class Cached:
    """The tokens of a sequence that other requests may reuse.

    The first of them were decoded in pieces that end at `ends`. The others are an answer, or
    followed one. `logits` is the row of the last token of a whole prompt, the first `prompt`
    tokens; without it `prompt` is 0.
    """

    tokens: list[int] = field(default_factory=list)
    ends: tuple[int, ...] = ()
    prompt: int = 0
    logits: NDArray[np.float32] | None = None

    @property
    def is_in_pieces(self) -> bool:
        """Whether all tokens were decoded in the pieces of a prompt."""
        return self._last_end == len(self.tokens)

    @property
    def essence(self) -> int:
        """The tokens without an answer that nobody has gone on from yet."""
        return self.prompt or len(self.tokens)

    @property
    def _last_end(self) -> int:
        return self.ends[-1] if self.ends else 0

    def share(self, wanted: Wanted) -> int:
        """With how many of its tokens a prompt can start.

        Those of a whole prompt only if its logits are known, because the first token of the answer
        is sampled from them.
        """
        if wanted.reuse == "nothing":
            return 0
        length, whole = common_prefix(self.tokens, wanted.tokens), len(wanted.tokens)
        same_ends = wanted.ends[: common_prefix(self.ends, wanted.ends)]
        is_whole = length == whole == self.prompt
        if is_whole and (same_ends == wanted.ends or wanted.reuse == "everything"):
            return whole
        # A prompt that differs within the pieces starts with pieces, so that others can reuse it.
        if wanted.reuse == "everything" and self.ends and length >= self._last_end:
            return min(length, whole - 1)
        return max((end for end in same_ends if end <= length and end < whole), default=0)

    def cut(self, length: int) -> "Cached":
        """The first so many tokens."""
        ends = tuple(end for end in self.ends if end <= length)
        tokens = self.tokens[:length]
        if self.prompt > length:
            return Cached(tokens, ends)
        return Cached(tokens, ends, self.prompt, self.logits)

    def grown(self, prompt: list[int], end: int) -> "Cached":
        """After one more piece of a prompt, which ends at `end`."""
        ends = (*self.ends, end) if self.is_in_pieces else self.ends
        return Cached(prompt[:end], ends, self.prompt, self.logits)

    def completed(self, logits: NDArray[np.float32]) -> "Cached":
        """After the last piece of a prompt."""
        return Cached(self.tokens, self.ends, len(self.tokens), logits)

    def answered(self, answer: list[int]) -> "Cached":
        return Cached([*self.tokens, *answer], self.ends, self.prompt, self.logits)


def common_prefix(one: Numbers, other: Numbers) -> int:
    """How many numbers at the start the two have in common."""
    same, most = 0, min(len(one), len(other))
    # Comparing slices is so much faster than comparing numbers that a search by halves pays.
    while same < most:
        middle = (same + most + 1) // 2
        if one[same:middle] == other[same:middle]:
            same = middle
        else:
            most = middle - 1
    return same
