"""Compares short texts of one language by the pieces of their words, weighted by how rare they are.

For languages that the sentence encoder does not know. Pieces of three to five letters find compound
and inflected words (TF-IDF over character n-grams within words; Manning, Raghavan and Schütze,
Introduction to Information Retrieval, 2008, chapter 6).
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

LENGTHS = (3, 4, 5)
# A whole word says more than its pieces.
WHOLE_WORD = 2
_WORD = re.compile(r"\w+")


class PieceIndex(NamedTuple):
    """Which texts have a piece. `hashes` are those of the pieces, ascending; the texts of the piece i
    are `texts[starts[i]:starts[i + 1]]`, with `weights`. `size` is the number of texts.
    """

    hashes: NDArray[np.uint32]
    starts: NDArray[np.int32]
    texts: NDArray[np.uint16]
    weights: NDArray[np.float16]
    size: int

    @classmethod
    def build(cls, texts: Sequence[str]) -> "PieceIndex":
        counts = [pieces(text) for text in texts]
        found: Counter[int] = Counter()
        for one in counts:
            found.update(one.keys())
        hashes = np.array(sorted(found), np.uint32)
        frequencies = np.array([found[int(one)] for one in hashes])
        rarity = dict(zip(hashes.tolist(), _rarity(frequencies, len(texts)).tolist(), strict=True))
        rows: dict[int, list[tuple[int, float]]] = {int(one): [] for one in hashes}
        for place, one in enumerate(counts):
            weights = {piece: _weight(count) * rarity[piece] for piece, count in one.items()}
            length = math.hypot(*weights.values())
            for piece, weight in weights.items():
                rows[piece].append((place, weight / length))
        postings = [posting for piece in hashes.tolist() for posting in rows[piece]]
        return cls(
            hashes,
            np.cumsum([0, *frequencies], dtype=np.int32),
            np.array([place for place, _ in postings], np.uint16),
            np.array([weight for _, weight in postings], np.float16),
            len(texts),
        )

    @classmethod
    def unpack(cls, arrays: Mapping[str, NDArray[Any]], language: str) -> "PieceIndex":
        parts = {
            name: arrays[f"{language}_{name}"] for name in ("hashes", "starts", "texts", "weights")
        }
        return cls(**parts, size=int(arrays[f"{language}_size"]))

    def pack(self, language: str) -> dict[str, NDArray[Any]]:
        return {f"{language}_{name}": np.asarray(value) for name, value in self._asdict().items()}

    def likeness(self, text: str) -> NDArray[np.float32]:
        """The cosine of each of the texts to `text`. Shape: (texts,)."""
        counts = pieces(text)
        asked = np.array(sorted(counts), np.uint32)
        places = np.searchsorted(self.hashes, asked)
        is_known = np.zeros(len(asked), bool)
        inside = places < len(self.hashes)
        is_known[inside] = self.hashes[places[inside]] == asked[inside]
        frequencies = np.zeros(len(asked), np.int64)
        frequencies[is_known] = np.diff(self.starts)[places[is_known]]
        rarity = _rarity(frequencies, self.size)
        weights = np.array([_weight(counts[int(one)]) for one in asked]) * rarity
        likeness = np.zeros(self.size, np.float32)
        for place, weight in zip(places[is_known], weights[is_known], strict=True):
            part = slice(self.starts[place], self.starts[place + 1])
            likeness[self.texts[part]] += weight * self.weights[part].astype(np.float32)
        return likeness / max(float(np.linalg.norm(weights)), 1e-9)


def pieces(text: str) -> Counter[int]:
    """How often each piece occurs, by its hash."""
    found: Counter[int] = Counter()
    for word in _WORD.findall(text.lower()):
        marked = f"<{word}>"
        for length in LENGTHS:
            for begin in range(len(marked) - length + 1):
                found[crc32(marked[begin : begin + length].encode())] += 1
        found[crc32(marked.encode())] += WHOLE_WORD
    return found


def _weight(count: int) -> float:
    return 1 + math.log(count)


def _rarity(frequencies: NDArray[np.int64], size: int) -> NDArray[np.float64]:
    return np.log(size / (1 + frequencies)).clip(min=0.01)
