"""Measures how alike the ideas of a board are, people's and the model's apart.

The measure is the mean cosine of two ideas by a sentence encoder, as in Meincke, Nave and Terwiesch,
ChatGPT decreases idea diversity in brainstorming, Nature Human Behaviour 2025. The count of ideas that
repeat no other one, by a threshold, follows Kornish and Ulrich, Opportunity Spaces in Innovation,
Management Science 2011. docs/use/rounds.md has the figures behind the thresholds.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from service.analysis.sentence_encoder import SentenceEncoder
from service.analysis.word_vectors import WordVectors
from service.schemas.likeness import Level, LikenessPublic, Reader, Spread, Verdict
from service.store import Store

Matrix = NDArray[np.float64]
LEAST_IDEAS = 8
MOST_COMPARED = 150
# A text takes the sentence encoder about 25 ms, and 200 ms on a busy machine.
TEXTS_A_CALL = 10
KEPT_TEXTS = 4000
RESAMPLINGS = 1000
INTERVAL = (2.5, 97.5)
# Texts from which the language is judged.
JUDGED_TEXTS = 12
PEOPLE, MODEL = ("human", "import"), ("model",)


@dataclass(frozen=True, slots=True)
class Scale:
    """`repeated` is the cosine from which on two texts are one idea; the means from which on ideas are
    called alike and very alike. Measured on training/datasets/similarity.
    """

    repeated: float
    alike: float
    very_alike: float

    def level(self, mean: float) -> Level:
        if mean >= self.very_alike:
            return "very_alike"
        return "alike" if mean >= self.alike else "varied"


SCALES: Mapping[Reader, Scale] = {
    "sentences": Scale(repeated=0.45, alike=0.33, very_alike=0.45),
    "words": Scale(repeated=0.35, alike=0.2, very_alike=0.33),
}


@dataclass(frozen=True, slots=True)
class Measured:
    """`samples` are the means of the ideas drawn again and again, with replacement."""

    mean: float
    distinct: int
    samples: Matrix

    @property
    def interval(self) -> tuple[float, float]:
        low, high = np.percentile(self.samples, INTERVAL)
        return float(low), float(high)


class Likeness:
    """Its methods block: call them in a thread."""

    def __init__(self, store: Store, encoder: SentenceEncoder, words: WordVectors) -> None:
        self._store = store
        self._encoder = encoder
        self._words = words
        self._kept: OrderedDict[bytes, Matrix] = OrderedDict()
        self._lock = Lock()

    def report(self, board_id: str) -> LikenessPublic:
        """Raises: NotFound, ModelUnavailable"""
        self._store.boards.get(board_id)
        groups = [self._texts(board_id, origins) for origins in (PEOPLE, MODEL)]
        wanted = [texts if total >= LEAST_IDEAS else [] for total, texts in groups]
        reader = self._reader([text for texts in wanted for text in texts[:JUDGED_TEXTS]])
        found = [self._measured(texts, reader) for texts in self._vectors(wanted, reader)]
        people, model = (
            _spread(total, len(texts), one, SCALES[reader])
            for (total, texts), one in zip(groups, found, strict=True)
        )
        states = {people.state, model.state}
        return LikenessPublic(
            board_id=board_id,
            state=next(one for one in ("measuring", "measured", "too_few") if one in states),
            needed=LEAST_IDEAS,
            reader=reader,
            people=people,
            model=model,
            verdict=verdict(*found),
        )

    def _texts(self, board_id: str, origins: Sequence[str]) -> tuple[int, list[str]]:
        """The number of ideas, and the texts of those that are compared.

        They are drawn by the hashes of their ids, so that most stay the same when ideas are added.
        """
        ids = self._store.overview.ids_by_origin(board_id, origins)
        drawn = sorted(ids, key=lambda one: hashlib.sha256(one.encode()).digest())[:MOST_COMPARED]
        texts = self._store.overview.texts_of(drawn)
        return len(ids), [texts[one] for one in drawn if one in texts]

    def _reader(self, texts: Sequence[str]) -> Reader:
        english = sum(self._encoder.is_english(text) for text in texts)
        return "sentences" if 2 * english >= len(texts) else "words"

    def _vectors(
        self, groups: Sequence[Sequence[str]], reader: Reader
    ) -> list[list[Matrix | None]]:
        """The vectors of the texts, None for those that a later call reads."""
        embed = self._encoder.embed if reader == "sentences" else self._words.embed
        # One at a time: two calls would only read the same texts twice.
        with self._lock:
            named = {_key(reader, text): text for texts in groups for text in texts}
            missing = [key for key in named if key not in self._kept][:TEXTS_A_CALL]
            rows = embed([named[key] for key in missing])
            self._kept |= dict(zip(missing, rows.astype(np.float64), strict=True))
            for key in named.keys() & self._kept.keys():
                self._kept.move_to_end(key)
            while len(self._kept) > KEPT_TEXTS:
                self._kept.popitem(last=False)
            return [[self._kept.get(_key(reader, one)) for one in texts] for texts in groups]

    def _measured(self, vectors: Sequence[Matrix | None], reader: Reader) -> Measured | None:
        there = [one for one in vectors if one is not None]
        if not there or len(there) < len(vectors):
            return None
        return measure(np.stack(there), SCALES[reader].repeated)


def measure(vectors: Matrix, repeated: float) -> Measured:
    """`vectors` has a row of length 1 for each of at least two ideas."""
    count = len(vectors)
    cosines = vectors @ vectors.T
    earlier = np.tril(cosines, -1)
    distinct = int((earlier.max(axis=1) < repeated).sum())
    np.fill_diagonal(cosines, 0)
    # How often each idea is drawn; a pair of an idea with itself says nothing and is left out.
    draws = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), RESAMPLINGS)
    sums = ((draws @ cosines) * draws).sum(axis=1)
    pairs = count**2 - (draws**2).sum(axis=1)
    drawn = pairs > 0
    return Measured(
        mean=float(cosines.sum() / (count * (count - 1))),
        distinct=distinct,
        samples=sums[drawn] / pairs[drawn],
    )


def verdict(people: Measured | None, model: Measured | None) -> Verdict | None:
    """Who wrote more varied ideas, unless chance explains the difference in 5 of 100 cases."""
    if people is None or model is None:
        return None
    # The samples of each are in random order, so these are differences of independent draws.
    several = min(len(people.samples), len(model.samples))
    differences = model.samples[:several] - people.samples[::-1][:several]
    low, high = np.percentile(differences, INTERVAL)
    if low > 0:
        return "people_more_varied"
    return "model_more_varied" if high < 0 else "no_clear_difference"


def _spread(ideas: int, compared: int, found: Measured | None, scale: Scale) -> Spread:
    if ideas < LEAST_IDEAS:
        return Spread(ideas=ideas, compared=0, state="too_few")
    if found is None:
        return Spread(ideas=ideas, compared=compared, state="measuring")
    low, high = found.interval
    return Spread(
        ideas=ideas,
        compared=compared,
        state="measured",
        likeness=round(found.mean, 3),
        low=round(low, 3),
        high=round(high, 3),
        level=scale.level(found.mean),
        distinct=found.distinct,
    )


def _key(reader: Reader, text: str) -> bytes:
    return hashlib.sha256(f"{reader} {text}".encode()).digest()
