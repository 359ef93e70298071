"""Embeds a sentence as 384 numbers by its meaning. Needs only numpy and one file.

The model is all-MiniLM-L6-v2, a BERT of six layers, made smaller by `ideapool-train
sentence-encoder`; models/sentence-encoder.md has the figures. It reads English. Whether two topics
ask for the same it tells better than a mean of word vectors, at a hundred times the cost.
"""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.analysis.checked_files import read_checked
from service.errors import ModelUnavailable
from service.messages import Text
from service.settings import RESOURCES

Matrix = NDArray[np.float32]
FILE = RESOURCES / "models" / "sentence-encoder.npz"
FILE_SHA256 = "9e4a029cd923108cf809db08528846b685f8407237eca6553f51e4ff4fb1faf4"
SIZE = 384
MOST_PIECES_A_WORD = 1.5
KEPT_TEXTS = 16
LAYERS = 6
HEADS = 12
MOST_TOKENS = 128
"""What follows is not read; the model was trained on texts of at most this length."""
# Longer words become one unknown token, as in BERT's own tokenizer.
LONGEST_WORD = 100
EPSILON = 1e-12
UNKNOWN, START, END = "[UNK]", "[CLS]", "[SEP]"


class SentenceEncoder:
    """Reads the file when it is first needed."""

    def __init__(self, path: Path = FILE, file_sha256: str = FILE_SHA256) -> None:
        self._path = path
        self._sha256 = file_sha256
        self._lock = Lock()

    def load(self) -> None:
        """Raises: ModelUnavailable if the file is missing or its hash is wrong."""
        with self._lock:
            _ = self._model

    def embed(self, texts: Sequence[str]) -> Matrix:
        """A row of length 1 for each text. Shape: (texts, 384).

        Raises: ModelUnavailable if the file is missing or its hash is wrong.
        """
        with self._lock:
            model = self._model
        rows = [model.embed(text) for text in texts]
        return np.stack(rows) if rows else np.zeros((0, SIZE), np.float32)

    def is_english(self, text: str) -> bool:
        """Whether most of its words are whole words of the encoder's vocabulary, which is English.

        Of the bank's topics 97% are in English, and 3% and 2% of their Swedish and German translations.

        Raises: ModelUnavailable if the file is missing or its hash is wrong.
        """
        with self._lock:
            model = self._model
        return model.pieces_a_word(text) <= MOST_PIECES_A_WORD

    @cached_property
    def _model(self) -> "Bert":
        try:
            with np.load(read_checked(self._path, self._sha256), allow_pickle=False) as file:
                return Bert({name: file[name] for name in file.files})
        except (OSError, ValueError, KeyError) as error:
            raise ModelUnavailable(
                Text(
                    "The sentence encoder %(path)s cannot be read (%(error)s). Restore the file: it "
                    "is needed to find ideas of the idea bank.",
                    path=self._path,
                    error=error,
                )
            ) from error


class Bert:
    """BERT with mean pooling (Devlin et al. 2019, Reimers and Gurevych 2019).

    `arrays` has for each matrix the array `<name>`, int8 with a row per output, and
    `<name>.scale`, by which its rows are multiplied. The matrices of the layers are unpacked here,
    into 42 MB; those of the word pieces stay packed, since a sentence needs only a few of them.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        pieces = bytes(arrays["pieces"]).decode().split("\n")
        self._tokenizer = WordPiece(pieces)
        self._words = arrays["words"]
        self._words_scale = arrays["words.scale"].astype(np.float32)
        self._positions = arrays["positions"].astype(np.float32)
        self._norm = _as_float(arrays, "norm")
        self._layers = [_Layer(arrays, number) for number in range(LAYERS)]
        # A brainstorm searches several times for one topic.
        self.embed = lru_cache(KEPT_TEXTS)(self._embed)

    def pieces_a_word(self, text: str) -> float:
        marks = 2
        return (len(self._tokenizer.tokens(text)) - marks) / max(1, len(text.split()))

    def _embed(self, text: str) -> Matrix:
        tokens = self._tokenizer.tokens(text)
        words = self._words[tokens] * self._words_scale[tokens, None]
        hidden = _normalise(words + self._positions[: len(tokens)], self._norm)
        for layer in self._layers:
            hidden = layer(hidden)
        mean: Matrix = hidden.mean(axis=0)
        return mean / np.float32(np.linalg.norm(mean))


class _Layer:
    def __init__(self, arrays: Mapping[str, NDArray[Any]], number: int) -> None:
        def matrix(name: str) -> tuple[Matrix, Matrix]:
            packed, scale = arrays[f"{number}.{name}"], arrays[f"{number}.{name}.scale"]
            weights = packed.astype(np.float32) * scale.astype(np.float32)[:, None]
            return weights.T, arrays[f"{number}.{name}.bias"].astype(np.float32)

        self._query, self._key, self._value = matrix("query"), matrix("key"), matrix("value")
        self._output = matrix("output")
        self._wide, self._narrow = matrix("wide"), matrix("narrow")
        self._attention_norm = _as_float(arrays, f"{number}.attention_norm")
        self._output_norm = _as_float(arrays, f"{number}.output_norm")

    def __call__(self, hidden: Matrix) -> Matrix:
        query, key, value = (
            _heads(_affine(hidden, part)) for part in (self._query, self._key, self._value)
        )
        weights = _softmax(query @ key.transpose(0, 2, 1) / np.float32((SIZE // HEADS) ** 0.5))
        attended = (weights @ value).transpose(1, 0, 2).reshape(hidden.shape)
        hidden = _normalise(hidden + _affine(attended, self._output), self._attention_norm)
        wide = _gelu(_affine(hidden, self._wide))
        return _normalise(hidden + _affine(wide, self._narrow), self._output_norm)


class WordPiece:
    """BERT's tokenizer for lower-case text: words and punctuation, cut into the longest pieces."""

    def __init__(self, pieces: Sequence[str]) -> None:
        self._row = dict(zip(pieces, count()))

    def tokens(self, text: str) -> list[int]:
        pieces = [piece for word in split_words(text) for piece in self._pieces(word)]
        return [self._row[piece] for piece in (START, *pieces[: MOST_TOKENS - 2], END)]

    def _pieces(self, word: str) -> list[str]:
        pieces: list[str] = []
        begin = 0
        while begin < len(word):
            if len(word) > LONGEST_WORD or (piece := self._longest(word, begin)) is None:
                return [UNKNOWN]
            pieces.append(piece)
            begin += len(piece.removeprefix("##")) if begin else len(piece)
        return pieces

    def _longest(self, word: str, begin: int) -> str | None:
        prefix = "##" if begin else ""
        ends = range(len(word), begin, -1)
        return next((one for end in ends if (one := prefix + word[begin:end]) in self._row), None)


def split_words(text: str) -> list[str]:
    """Lower-case words without accents; each punctuation mark and Chinese character by itself."""
    decomposed = unicodedata.normalize("NFD", text.lower())
    return "".join(_spaced(decomposed)).split()


def _spaced(text: str) -> Iterator[str]:
    for character in text:
        category = unicodedata.category(character)
        if character.isspace():
            yield " "
        elif category[0] == "P" or _is_ascii_symbol(character) or _is_chinese(character):
            yield f" {character} "
        elif category != "Mn" and category[0] != "C":
            yield character


def _is_ascii_symbol(character: str) -> bool:
    return character.isascii() and character.isprintable() and not character.isalnum()


def _is_chinese(character: str) -> bool:
    code = ord(character)
    return 0x4E00 <= code <= 0x9FFF or 0x3400 <= code <= 0x4DBF or 0x20000 <= code <= 0x2CEAF


def _as_float(arrays: Mapping[str, NDArray[Any]], name: str) -> tuple[Matrix, Matrix]:
    return arrays[f"{name}.scale"].astype(np.float32), arrays[f"{name}.bias"].astype(np.float32)


def _affine(hidden: Matrix, part: tuple[Matrix, Matrix]) -> Matrix:
    weights, bias = part
    return hidden @ weights + bias


def _heads(projected: Matrix) -> Matrix:
    return projected.reshape(len(projected), HEADS, SIZE // HEADS).transpose(1, 0, 2)


def _softmax(values: Matrix) -> Matrix:
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    shares: Matrix = powers / powers.sum(axis=-1, keepdims=True)
    return shares


def _normalise(values: Matrix, norm: tuple[Matrix, Matrix]) -> Matrix:
    scale, bias = norm
    centred = values - values.mean(axis=-1, keepdims=True)
    variance = (centred**2).mean(axis=-1, keepdims=True)
    normalised: Matrix = centred / np.sqrt(variance + np.float32(EPSILON)) * scale + bias
    return normalised


def _gelu(values: Matrix) -> Matrix:
    """By the error function in the approximation 7.1.26 of Abramowitz and Stegun (error 1.5e-7)."""
    argument = np.abs(values) * np.float32(0.5**0.5)
    step = 1 / (1 + np.float32(0.3275911) * argument)
    terms = (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)
    series = np.zeros_like(step)
    for term in terms:
        series = (series + np.float32(term)) * step
    error = np.sign(values) * (1 - series * np.exp(-argument * argument))
    activated: Matrix = values * np.float32(0.5) * (1 + error)
    return activated
