"""The ideas that are there already, by what they mean: which of them a new one is like.

Finds what shares no words with a text; `similarity` finds what does, and decides alone what is
rejected. How often either is right stands in models/word-vectors.md.
"""

import logging
from collections.abc import Sequence

from service.analysis.word_vectors import WordVectors
from service.errors import ModelUnavailable

LIKE = 0.4
"""From here on a suggestion is marked as like the idea."""
_log = logging.getLogger(__name__)


class KnownIdeas:
    """Blocking, for the time it takes to read a board; `like` is quick."""

    def __init__(self, vectors: WordVectors, known: Sequence[tuple[str, str]], topic: str) -> None:
        """Raises: ModelUnavailable"""
        self._vectors = vectors
        self._topic = topic
        self._ids = [idea_id for idea_id, _ in known]
        self._rows = vectors.embed([text for _, text in known], ignore=topic)

    @classmethod
    def read(
        cls, vectors: WordVectors, known: Sequence[tuple[str, str]], topic: str
    ) -> "KnownIdeas | None":
        """None where there is nothing to compare with."""
        try:
            return cls(vectors, known, topic) if known else None
        except ModelUnavailable as error:
            # A brainstorm without these marks is better than none.
            _log.warning("Suggestions are compared by their words only: %s", error.detail)
            return None

    def like(self, text: str) -> str | None:
        """The id of the idea that means most nearly the same, if any does."""
        values = self._rows @ self._vectors.embed([text], ignore=self._topic)[0]
        best = int(values.argmax())
        return self._ids[best] if values[best] >= LIKE else None
