"""Embeds a text as 256 numbers: the mean of its word vectors. Needs only numpy and one file.

Texts on the same subject get similar vectors even if they share no word. The vectors are those of
WordLlama, made smaller by `ideapool-train word-vectors`; models/word-vectors.md has the figures.
"""

import re
from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from service.analysis.checked_files import read_checked
from service.errors import ModelUnavailable
from service.messages import Text
from service.settings import RESOURCES

Matrix = NDArray[np.float32]
FILE = RESOURCES / "models" / "word-vectors.npz"
FILE_SHA256 = "29d7191f1b88a93b33a821eb630b4ac3506a3ddb87921f05a5b1e1e9ba40c4f8"
# Each number has four bits, from -7 to 7, and is multiplied by the scale of its row.
LARGEST = 7
KEPT_TEXTS = 20_000
KEPT_WORDS = 50_000
_WORD = re.compile(r"[^\W_]+")
WORD_START = "\u2581"
# Frequent words, but for those that any text has.
_TELLING = slice(2000, 4000)


class Table:
    """The vectors of word pieces, the most frequent first. Frequent words are one piece; others are
    made of several.
    """

    def __init__(self, pieces: Sequence[str], packed: NDArray[np.uint8], scale: Matrix) -> None:
        self._row = {piece: row for row, piece in enumerate(pieces)}
        self._packed = packed
        self._scale = scale

    @classmethod
    def load(cls, path: Path = FILE, file_sha256: str = FILE_SHA256) -> "Table":
        """Raises: ModelUnavailable if the file is missing or its hash is wrong."""
        try:
            with np.load(read_checked(path, file_sha256), allow_pickle=False) as file:
                pieces = bytes(file["pieces"]).decode().split("\n")
                return cls(pieces, file["packed"], file["scale"].astype(np.float32)[:, None])
        except (OSError, ValueError, KeyError) as error:
            raise ModelUnavailable(
                Text(
                    "The word vectors %(path)s cannot be read (%(error)s). Restore the file: it is "
                    "needed to find ideas with a similar meaning.",
                    path=path,
                    error=error,
                )
            ) from error

    @property
    def size(self) -> int:
        return 2 * int(self._packed.shape[1])

    def sum_of(self, word: str) -> tuple[Matrix, int]:
        """The sum of the vectors of a word's pieces, and the number of pieces."""
        rows = [self._row[piece] for piece in self.pieces(word) if piece in self._row]
        return self._vectors(rows).sum(axis=0), len(rows)

    def axes(self, count: int) -> NDArray[np.float64]:
        """The directions in which words differ most. They depend on the table alone.

        Shape: (256, count).
        """
        values = self._vectors(list(range(*_TELLING.indices(len(self._row))))).astype(np.float64)
        values /= np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)
        values -= values.mean(axis=0)
        # `eigh` has the largest last.
        found = np.linalg.eigh(values.T @ values)[1][:, : -count - 1 : -1]
        # Libraries choose the signs differently.
        signs = np.sign(found[np.abs(found).argmax(axis=0), np.arange(count)])
        axes: NDArray[np.float64] = found * signs
        return axes

    def _vectors(self, rows: Sequence[int]) -> Matrix:
        packed = self._packed[list(rows)]
        values = np.empty((len(rows), self.size), np.float32)
        values[:, 0::2] = (packed >> 4).astype(np.float32) - LARGEST
        values[:, 1::2] = (packed & 15).astype(np.float32) - LARGEST
        scaled: Matrix = values * self._scale[list(rows)]
        return scaled

    def pieces(self, word: str) -> list[str]:
        """Byte pair encoding: join neighbouring pieces while the result is in the table, the most
        frequent result first.
        """
        parts = list(WORD_START + word)
        while len(parts) > 1:
            joined = [one + other for one, other in pairwise(parts)]
            ranks = [self._row.get(piece, len(self._row)) for piece in joined]
            place = min(range(len(ranks)), key=ranks.__getitem__)
            if joined[place] not in self._row:
                break
            parts[place : place + 2] = [joined[place]]
        return parts


class WordVectors:
    """Reads the table when it is first needed, and caches the vectors of words."""

    def __init__(self, path: Path = FILE, file_sha256: str = FILE_SHA256) -> None:
        self._path = path
        self._sha256 = file_sha256
        self._table: Table | None = None
        self._words: dict[str, tuple[Matrix, int]] = {}
        self._texts: OrderedDict[str, Matrix] = OrderedDict()
        self._axes: NDArray[np.float64] | None = None
        self._lock = Lock()

    def embed(self, texts: Sequence[str], *, ignore: str = "") -> Matrix:
        """A row of length 1 for each text, or of zeros if the text has no known word.

        Shape: (texts, 256). Words of `ignore` do not count, unless a text has no others.

        Raises: ModelUnavailable
        """
        ignored = frozenset(_words_of(ignore))
        with self._lock:
            table = self._loaded()
            rows = [self._row(table, text, ignored) for text in texts]
            return np.stack(rows) if rows else np.zeros((0, table.size), np.float32)

    def plane(self) -> NDArray[np.float64]:
        """Two directions that show meanings on a map, the same ones for all texts.

        Shape: (256, 2).

        Raises: ModelUnavailable
        """
        with self._lock:
            if self._axes is None:
                self._axes = self._loaded().axes(2)
            return self._axes

    def _loaded(self) -> Table:
        if self._table is None:
            self._table = Table.load(self._path, self._sha256)
        return self._table

    def _row(self, table: Table, text: str, ignored: frozenset[str]) -> Matrix:
        if ignored:
            return self._mean(table, text, ignored)
        row = self._texts.pop(text, None)
        if row is None:
            row = self._mean(table, text, ignored)
        self._texts[text] = row
        if len(self._texts) > KEPT_TEXTS:
            self._texts.popitem(last=False)
        return row

    def _mean(self, table: Table, text: str, ignored: frozenset[str]) -> Matrix:
        words = _words_of(text)
        kept = [word for word in words if word not in ignored] or words
        total, pieces = np.zeros(table.size, np.float32), 0
        for word in kept:
            vector, count = self._word(table, word)
            total += vector
            pieces += count
        length = float(np.linalg.norm(total))
        return total / length if pieces and length > 0 else total

    def _word(self, table: Table, word: str) -> tuple[Matrix, int]:
        if word not in self._words:
            if len(self._words) >= KEPT_WORDS:
                self._words.clear()
            self._words[word] = table.sum_of(word)
        return self._words[word]


def _words_of(text: str) -> list[str]:
    return _WORD.findall(text.casefold())
