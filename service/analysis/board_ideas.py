"""Finds ideas of the boards that were written for a topic like the one given, without a model.

Topics are embedded in the background and their vectors are stored, so that a search embeds one text.
"""

import asyncio

import numpy as np

from service.analysis.idea_bank import NearIdea, nearest_rows
from service.analysis.sentence_encoder import FILE_SHA256, Matrix, SentenceEncoder
from service.recurring import Recurring
from service.store import Store
from service.store.dialects.locks import Locks
from service.store.topics import topic_key

EVERY_S = 15.0
# A topic takes about 20 ms.
BATCH = 20
# Below this cosine, the encoder finds topics in other languages alike that only look alike.
SAME_WORDS = 0.8
_STORED = np.dtype("<f2")


class BoardIdeas:
    """Its methods block: call them in a thread."""

    def __init__(self, store: Store, encoder: SentenceEncoder) -> None:
        self._store = store
        self._encoder = encoder

    @property
    def locks(self) -> Locks:
        return self._store.locks

    def load(self) -> None:
        """Reads the encoder. Raises: ModelUnavailable if its file is missing."""
        self._encoder.load()

    def embed_some(self) -> bool:
        """Embeds some of the topics that have no vector yet; True if there are more.

        Raises: ModelUnavailable if the encoder's file is missing.
        """
        missing = self._store.topics.without_vectors(FILE_SHA256)
        batch = missing[:BATCH]
        if batch:
            rows = self._encoder.embed(batch).astype(_STORED)
            vectors = {topic: row.tobytes() for topic, row in zip(batch, rows, strict=True)}
            self._store.topics.add_vectors(FILE_SHA256, vectors)
        return len(missing) > len(batch)

    def near(
        self, topic: str, threshold: float, most_topics: int, *, outside: str
    ) -> list[NearIdea]:
        """The ideas on other boards than `outside` whose topics have a cosine to `topic` of at least
        `threshold`, nearest first; in a language that the encoder does not know, of at least
        `SAME_WORDS`.

        Raises: ModelUnavailable if the encoder's file is missing.
        """
        stored = self._store.topics.vectors(FILE_SHA256)
        if not stored:
            return []
        if not self._encoder.is_english(topic):
            threshold = max(threshold, SAME_WORDS)
        keys = list(stored)
        rows: Matrix = np.frombuffer(b"".join(stored.values()), _STORED).astype(np.float32)
        likeness = rows.reshape(len(keys), -1) @ self._encoder.embed([topic])[0]
        nearest = nearest_rows(likeness, threshold, most_topics)
        near = {keys[row]: float(likeness[row]) for row in nearest}
        found = [
            NearIdea(
                idea.title, idea.body, idea.topic, near[topic_key(idea.topic)], copied_from=idea.id
            )
            for idea in self._store.topics.ideas(near, outside=outside)
        ]
        return sorted(found, key=lambda one: -one.likeness)


class TopicEmbedding(Recurring):
    """Embeds the topics of new ideas soon after they are saved, whichever process saved them."""

    def __init__(self, ideas: BoardIdeas, *, every_s: float = EVERY_S) -> None:
        super().__init__("Ideas of the boards are found by older topics only", every_s=every_s)
        self._ideas = ideas

    async def work(self) -> None:
        async with self._ideas.locks.held("topics") as is_ours:
            while is_ours and not self.closing and await asyncio.to_thread(self._ideas.embed_some):
                pass
