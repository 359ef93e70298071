"""Finds ideas that were written for a topic like the one given, without a model.

The bank is a file with a topic, its translations and its ideas in each line, and an index with the
vector of each topic, the pieces of its translations and the place of its line. Topics are compared
with topics: whether an idea fits is told far better by the topic that it was written for than by its
own words (see models/idea-bank/README.md).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.analysis.checked_files import read_checked
from service.analysis.sentence_encoder import Matrix, SentenceEncoder
from service.analysis.word_pieces import PieceIndex
from service.errors import ModelUnavailable
from service.messages import Text
from service.settings import RESOURCES

FOLDER = RESOURCES / "models" / "idea-bank"
ENGLISH = "en"
IDEAS, INDEX = "ideas.jsonl", "index.npz"
INDEX_SHA256 = "8a5f40cfbf6c2f79e551717e63912835034f66e255510f761f9efb270c153ff7"


@dataclass(frozen=True, slots=True)
class NearIdea:
    """`written_for` is its topic, in the language in which that is near, and `likeness` the cosine of
    that to the topic asked about.

    An idea of a board has its id in `copied_from`, an idea of the bank has none.
    """

    title: str
    text: str
    written_for: str
    likeness: float
    copied_from: str | None = None

    @property
    def whole(self) -> str:
        return f"{self.title}. {self.text}"

    @property
    def origin(self) -> Literal["bank", "board"]:
        return "bank" if self.copied_from is None else "board"


class IdeaBank:
    """Reads the index when it is first needed, and of the ideas only those that it returns."""

    def __init__(
        self,
        encoder: SentenceEncoder,
        folder: Path = FOLDER,
        index_sha256: str = INDEX_SHA256,
    ) -> None:
        self._encoder = encoder
        self._folder = folder
        self._sha256 = index_sha256
        self._lock = Lock()

    def load(self) -> None:
        """Raises: ModelUnavailable if a file is missing or its hash is wrong."""
        with self._lock:
            _ = self._index
        self._encoder.load()

    def near(self, topic: str, threshold: float, most_topics: int) -> list[NearIdea]:
        """The ideas of the topics whose cosine to `topic` is at least `threshold`, nearest first.

        Raises: ModelUnavailable if a file is missing or its hash is wrong.
        """
        with self._lock:
            index = self._index
        (vector,) = self._encoder.embed([topic])
        return self._nearest(ENGLISH, index.vectors @ vector, threshold, most_topics)

    def near_translated(self, topic: str, threshold: float, most_topics: int) -> list[NearIdea]:
        """The same for a topic in another language; cosines are those of `PieceIndex`.

        Raises: ModelUnavailable if a file is missing or its hash is wrong.
        """
        with self._lock:
            index = self._index
        found: list[NearIdea] = []
        for language, pieces in index.translations.items():
            likeness = pieces.likeness(topic)
            found += self._nearest(language, likeness, threshold, most_topics)
        return sorted(found, key=lambda one: -one.likeness)

    def is_english(self, topic: str) -> bool:
        """Raises: ModelUnavailable if a file is missing or its hash is wrong."""
        return self._encoder.is_english(topic)

    def _nearest(
        self, language: str, likeness: NDArray[np.float32], threshold: float, most_topics: int
    ) -> list[NearIdea]:
        rows = nearest_rows(likeness, threshold, most_topics)
        lines = self._lines([int(self._index.offsets[row]) for row in rows])
        return [
            NearIdea(idea["title"], idea["text"], line["topic"][language], float(likeness[row]))
            for row, line in zip(rows, map(json.loads, lines), strict=True)
            for idea in line["ideas"]
        ]

    def _lines(self, offsets: Sequence[int]) -> list[bytes]:
        with (self._folder / IDEAS).open("rb") as file:
            lines = []
            for offset in offsets:
                file.seek(offset)
                lines.append(file.readline())
        return lines

    @cached_property
    def _index(self) -> "_Index":
        path = self._folder / INDEX
        try:
            with np.load(read_checked(path, self._sha256), allow_pickle=False) as file:
                index = _Index.unpack(file)
                ideas_sha256 = bytes(file["ideas_sha256"]).hex()
            path = self._folder / IDEAS
            read_checked(path, ideas_sha256)
        except (OSError, ValueError, KeyError) as error:
            raise ModelUnavailable(
                Text(
                    "The idea bank's file %(path)s cannot be read (%(error)s). Restore it to get "
                    "ideas of the bank.",
                    path=path,
                    error=error,
                )
            ) from error
        return index


def nearest_rows(likeness: NDArray[np.float32], threshold: float, most: int) -> list[int]:
    """The rows of at least this likeness, most like first."""
    nearest = np.argsort(-likeness, kind="stable")[:most]
    return [int(row) for row in nearest if likeness[row] >= threshold]


class _Index(NamedTuple):
    """`vectors` has shape (topics, 384), rows of length 1; `offsets` are places in bytes.

    `translations` has the topics in each other language.
    """

    vectors: Matrix
    offsets: NDArray[np.int64]
    translations: dict[str, PieceIndex]

    @classmethod
    def unpack(cls, file: Mapping[str, NDArray[Any]]) -> "_Index":
        vectors = file["vectors"].astype(np.float32) * file["scale"][:, None]
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        languages = [str(code) for code in file["languages"]]
        return cls(
            vectors, file["offsets"], {code: PieceIndex.unpack(file, code) for code in languages}
        )
