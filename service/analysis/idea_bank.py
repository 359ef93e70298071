"""Finds ideas that were written for a topic like the one given, without a model.

The bank is a file with a topic, its translations and its ideas in each line, and an index with the
vector of each topic in each language and the place of its line. Topics are compared with topics:
whether an idea fits is told far better by the topic that it was written for than by its own words
(see models/idea-bank/README.md).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.analysis.sentence_encoder import Matrix, SentenceEncoder
from service.errors import ModelUnavailable
from service.messages import Text
from service.settings import PROJECT_ROOT

FOLDER = PROJECT_ROOT / "models" / "idea-bank"
ENGLISH = "en"
IDEAS, INDEX = "ideas.jsonl", "index.npz"
INDEX_SHA256 = "e263d993326598b799858d69dd274873be13b8c6ad417707addd81e11c9b8ef6"


@dataclass(frozen=True, slots=True)
class NearIdea:
    """`written_for` is its topic in the language in which it is nearest, and `likeness` the cosine of
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

    def near(
        self, topic: str, threshold: float, most_topics: int, *, language: str = ""
    ) -> list[NearIdea]:
        """The ideas of the topics whose cosine to `topic` is at least `threshold`, nearest first.

        With `language`, only topics in this language count.

        Raises: ModelUnavailable if a file is missing or its hash is wrong.
        """
        with self._lock:
            index = self._index
        (vector,) = self._encoder.embed([topic])
        likeness = index.vectors @ vector
        if language:
            likeness[index.language != index.languages.index(language)] = -1
        rows: dict[int, int] = {}
        for row in np.argsort(-likeness, kind="stable"):
            if likeness[row] < threshold or len(rows) == most_topics:
                break
            # A topic that is near in several languages counts where it is nearest.
            rows.setdefault(int(index.offsets[row]), int(row))
        lines = map(json.loads, self._lines(list(rows)))
        return [
            NearIdea(
                idea["title"],
                idea["text"],
                line["topic"][index.languages[index.language[row]]],
                float(likeness[row]),
            )
            for row, line in zip(rows.values(), lines, strict=True)
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
            if sha256(path.read_bytes()).hexdigest() != self._sha256:
                raise ValueError("its SHA-256 is another one")
            with np.load(path, allow_pickle=False) as file:
                index = _Index.unpack(file)
                ideas_sha256 = bytes(file["ideas_sha256"]).hex()
            path = self._folder / IDEAS
            if sha256(path.read_bytes()).hexdigest() != ideas_sha256:
                raise ValueError("its SHA-256 is another one")
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


class _Index(NamedTuple):
    """`vectors` has shape (rows, 384), rows of length 1; `offsets` are the places of their lines in
    bytes, and `language` the places of their languages in `languages`, which are codes.
    """

    vectors: Matrix
    offsets: NDArray[np.int64]
    language: NDArray[np.uint8]
    languages: tuple[str, ...]

    @classmethod
    def unpack(cls, file: Mapping[str, NDArray[Any]]) -> "_Index":
        vectors = file["vectors"].astype(np.float32) * file["scale"][:, None]
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        languages = tuple(str(code) for code in file["languages"])
        return cls(vectors, file["offsets"], file["language"], languages)
