"""Finds similar ideas on a board: those similar to one idea, and groups of similar ideas.

Similarity is semantic, by word vectors. The thresholds were measured on labelled pairs; see
models/word-vectors.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from service.analysis.clustering import (
    Alikeness,
    grouped,
    joins_of,
    mean_alikeness,
    middle,
    steps_of,
    suggest_titles,
)
from service.analysis.kept_results import KeptResults
from service.analysis.word_vectors import WordVectors
from service.schemas.fields import TAG_CEILING
from service.schemas.ideas import IdeaPublic
from service.schemas.overview import (
    FINEST,
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
# Groups that are less alike than this on average have no more in common than their language.
BROADEST = 0.08
DEFAULT_GRANULARITY = 4
COMPARED = 1000


@dataclass(frozen=True, slots=True)
class _Group:
    places: list[int]
    anchor: int
    alikeness: float


@dataclass(frozen=True, slots=True)
class _Grouped:
    """`counts` are the numbers of groups at each granularity, `threshold` what joins at this one."""

    groups: list[_Group]
    titles: list[str]
    counts: list[int]
    threshold: float


class SimilarIdeas:
    """Its methods block: call them in a thread."""

    def __init__(self, store: Store, vectors: WordVectors) -> None:
        self._store = store
        self._vectors = vectors
        self._kept = KeptResults[_Grouped]()

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
        """Groups of two and more, the largest first, archived ideas left out. A higher granularity
        never gives fewer.

        Raises: NotFound, ModelUnavailable
        """
        self._store.boards.get(board_id)
        every = self._store.overview.outlines(board_id, limit=COMPARED + 1, archived=False)
        ideas = sorted(every[:COMPARED], key=lambda one: one.number)
        found = self._grouped(ideas, granularity)
        groups = found.groups
        taken = {place for group in groups for place in group.places}
        return ClustersPublic(
            board_id=board_id,
            granularity=granularity,
            counts=found.counts,
            threshold=found.threshold,
            fingerprint=_fingerprint([[ideas[place].id for place in g.places] for g in groups]),
            clusters=[
                _public(group, title, ideas)
                for group, title in zip(groups, found.titles, strict=True)
            ],
            alone=[_link(one) for place, one in enumerate(ideas) if place not in taken],
            unseen=self._store.overview.count_unarchived(board_id) - len(ideas),
        )

    def _grouped(self, ideas: Sequence[Outline], granularity: int) -> _Grouped:
        """The groups and their titles, which are kept as long as the texts stay the same."""
        texts = "\0".join(_text(one) for one in ideas)
        return self._kept.get(f"{granularity} {texts}", lambda: self._group(ideas, granularity))

    def _group(self, ideas: Sequence[Outline], granularity: int) -> _Grouped:
        vectors = self._vectors.embed([_text(one) for one in ideas]).astype(np.float64)
        alikeness: Alikeness = (vectors @ vectors.T).round(6)
        joins = joins_of(alikeness, BROADEST)
        steps = steps_of(joins, FINEST, SIMILAR)
        if not steps:
            return _Grouped([], [], [0] * FINEST, SIMILAR)
        cut = steps[granularity - 1]
        groups = [
            _Group(places, middle(alikeness, places), mean_alikeness(alikeness, places))
            for places in grouped(len(ideas), joins[: cut.joins])
            if len(places) > 1
        ]
        groups.sort(key=lambda group: (-len(group.places), group.places))
        titles = suggest_titles(
            # A word of the title says more than one of the text.
            [f"{one.title}. {_text(one)}" for one in ideas],
            [group.places for group in groups],
            TAG_CEILING,
        )
        counts = [step.groups for step in steps]
        return _Grouped(groups, _different(titles), counts, round(cut.alikeness, 3))


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
