"""Finds similar ideas on a board: those similar to one idea, and groups of similar ideas.

Similarity is semantic, by word vectors. The thresholds were measured on labelled pairs; see
models/word-vectors.md.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from threading import Lock

import numpy as np

from service.analysis.clustering import (
    Alikeness,
    average_linkage,
    mean_alikeness,
    middle,
    suggest_titles,
)
from service.analysis.word_vectors import WordVectors
from service.schemas.fields import TAG_CEILING
from service.schemas.ideas import IdeaPublic
from service.schemas.overview import (
    ClusterPublic,
    ClustersPublic,
    IdeaLink,
    SimilarIdea,
    SimilarPublic,
)
from service.store import Store
from service.store.overview import Outline

SIMILAR = 0.3
MOST_SIMILAR = 5
# From few broad groups to many narrow ones; 3 is the measured threshold.
THRESHOLDS: dict[int, float] = {1: 0.16, 2: 0.22, 3: SIMILAR, 4: 0.38, 5: 0.46}
DEFAULT_GRANULARITY = 3
COMPARED = 1000
KEPT_GROUPINGS = 16


@dataclass(frozen=True, slots=True)
class _Group:
    places: list[int]
    anchor: int
    alikeness: float


Grouped = tuple[list[_Group], list[str]]


class SimilarIdeas:
    """Its methods block: call them in a thread."""

    def __init__(self, store: Store, vectors: WordVectors) -> None:
        self._store = store
        self._vectors = vectors
        self._kept: OrderedDict[bytes, Grouped] = OrderedDict()
        self._lock = Lock()

    def similar(self, idea: IdeaPublic) -> SimilarPublic:
        """Raises: ModelUnavailable"""
        others = [
            one
            for one in self._store.overview.outlines(idea.board_id, limit=COMPARED)
            if one.id != idea.id
        ]
        vector, rest = (
            self._vectors.embed([_text(idea)]),
            self._vectors.embed([_text(one) for one in others]),
        )
        values = (rest @ vector[0]).round(3)
        order = np.argsort(-values, kind="stable")[:MOST_SIMILAR]
        found = [
            SimilarIdea(
                idea_id=others[place].id,
                title=others[place].title,
                similarity=float(values[place]),
            )
            for place in order
            if values[place] >= SIMILAR
        ]
        return SimilarPublic(idea_id=idea.id, threshold=SIMILAR, ideas=found)

    def clusters(self, board_id: str, granularity: int = DEFAULT_GRANULARITY) -> ClustersPublic:
        """Groups of at least two ideas, the largest first. Archived ideas are left out.

        Raises: NotFound, ModelUnavailable
        """
        self._store.boards.get(board_id)
        every = self._store.overview.outlines(board_id, limit=COMPARED + 1, archived=False)
        ideas = sorted(every[:COMPARED], key=lambda one: one.number)
        threshold = THRESHOLDS[granularity]
        groups, titles = self._grouped(ideas, threshold)
        grouped = {place for group in groups for place in group.places}
        return ClustersPublic(
            board_id=board_id,
            granularity=granularity,
            threshold=threshold,
            fingerprint=_fingerprint([[ideas[place].id for place in g.places] for g in groups]),
            clusters=[
                _public(group, title, ideas) for group, title in zip(groups, titles, strict=True)
            ],
            alone=[_link(one) for place, one in enumerate(ideas) if place not in grouped],
            unseen=self._store.overview.unarchived(board_id) - len(ideas),
        )

    def _grouped(self, ideas: Sequence[Outline], threshold: float) -> Grouped:
        """The groups and their titles. They are cached until a text changes."""
        texts = "\0".join(_text(one) for one in ideas)
        key = sha256(f"{threshold} {texts}".encode()).digest()
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        groups = self._groups(ideas, threshold)
        titles = suggest_titles(
            # A word of the title says more than one of the text.
            [f"{one.title}. {_text(one)}" for one in ideas],
            [group.places for group in groups],
            TAG_CEILING,
        )
        with self._lock:
            self._kept[key] = groups, _different(titles)
            if len(self._kept) > KEPT_GROUPINGS:
                self._kept.popitem(last=False)
            return self._kept[key]

    def _groups(self, ideas: Sequence[Outline], threshold: float) -> list[_Group]:
        vectors = self._vectors.embed([_text(one) for one in ideas]).astype(np.float64)
        alikeness: Alikeness = (vectors @ vectors.T).round(6)
        groups = [
            _Group(places, middle(alikeness, places), mean_alikeness(alikeness, places))
            for places in average_linkage(alikeness, threshold)
            if len(places) > 1
        ]
        return sorted(groups, key=lambda group: (-len(group.places), group.places))


def _text(idea: IdeaPublic | Outline) -> str:
    return f"{idea.title}. {idea.body}"


def _link(idea: Outline) -> IdeaLink:
    return IdeaLink(idea_id=idea.id, title=idea.title)


def _public(group: _Group, title: str, ideas: Sequence[Outline]) -> ClusterPublic:
    members = [ideas[place] for place in group.places]
    shared = frozenset.intersection(*(one.tags for one in members))
    return ClusterPublic(
        anchor_id=ideas[group.anchor].id,
        title=title,
        similarity=round(group.alikeness, 3),
        tag=min(shared, default=None),
        ideas=[_link(one) for one in members],
    )


def _different(titles: Sequence[str]) -> list[str]:
    """Two groups under one title would become one tag."""
    seen: dict[str, int] = {}
    result = []
    for title in titles:
        seen[title] = seen.get(title, 0) + 1
        ending = f" {seen[title]}" if seen[title] > 1 else ""
        result.append(title[: TAG_CEILING - len(ending)] + ending)
    return result


def _fingerprint(groups: Sequence[Sequence[str]]) -> str:
    text = "\n".join(" ".join(group) for group in groups)
    return sha256(text.encode()).hexdigest()[:16]
