"""The map of a board: where its ideas are by meaning, and the areas of their groups."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from service.analysis.kept_results import KeptResults
from service.analysis.map_layout import Layout, Points, lay_out, outline
from service.analysis.similar_ideas import COMPARED, SimilarIdeas
from service.analysis.word_vectors import WordVectors
from service.schemas.idea_map import MapGroup, MapGrouping, MapIdea, MapPublic
from service.schemas.overview import IdeaLink
from service.store import Store
from service.store.listing import IdeaQuery
from service.store.overview import Outline

# Broader groups than those that are suggested as tags: a map of many small areas is hard to read.
GRANULARITY = 3
MOST_TAGS = 12


@dataclass(frozen=True, slots=True)
class _Group:
    name: str
    tag: str | None
    members: list[int]


class IdeaMaps:
    """Its methods block: call them in a thread."""

    def __init__(self, store: Store, vectors: WordVectors, similar_ideas: SimilarIdeas) -> None:
        self._store = store
        self._vectors = vectors
        self._similar_ideas = similar_ideas
        self._kept = KeptResults[Layout]()

    def map_of(self, selection: IdeaQuery, by: MapGrouping = "meaning") -> MapPublic:
        """The ideas that `selection`, which names a board, finds. The others keep their places, so no
        filter moves an idea. Ideas of an open writing round are left out for everybody.

        Raises: NotFound, ModelUnavailable
        """
        board_id = selection.board or ""
        self._store.boards.get(board_id)
        every = self._store.overview.outlines(
            board_id, limit=COMPARED + 1, archived=selection.archived is not False
        )
        ideas = sorted(every[:COMPARED], key=lambda one: one.number)
        vectors = self._vectors.embed([_text(one) for one in ideas]).astype(np.float64)
        is_known = np.linalg.norm(vectors, axis=1) > 0
        placed = [one for one, known in zip(ideas, is_known, strict=True) if known]
        groups = self._groups(board_id, placed, by)
        layout = self._layout(placed, vectors[is_known], [group.members for group in groups])
        found = set(self._store.ideas.ids(selection))
        shown = [place for place, one in enumerate(placed) if one.id in found]
        return MapPublic(
            board_id=board_id,
            group=by,
            width=round(layout.width, 3),
            height=round(layout.height, 3),
            ideas=_ideas(placed, shown, groups, layout),
            groups=[area for group in groups if (area := _area(group, shown, layout)) is not None],
            unplaced=[
                IdeaLink(idea_id=one.id, title=one.title)
                for one, known in zip(ideas, is_known, strict=True)
                if not known and one.id in found
            ],
            unseen=len(found - {one.id for one in ideas}) if len(every) > COMPARED else 0,
        )

    def _groups(self, board_id: str, ideas: Sequence[Outline], by: MapGrouping) -> list[_Group]:
        if by == "tag":
            return _by_tag(ideas)
        numbers = {one.id: number for number, one in enumerate(ideas)}
        found = self._similar_ideas.clusters(board_id, GRANULARITY)
        return [
            _Group(
                cluster.title,
                cluster.tag,
                sorted(numbers[one.idea_id] for one in cluster.ideas if one.idea_id in numbers),
            )
            for cluster in found.clusters
        ]

    def _layout(
        self, ideas: Sequence[Outline], vectors: Points, groups: Sequence[Sequence[int]]
    ) -> Layout:
        """The layout, which is kept as long as texts and groups stay the same."""
        texts = "\0".join(_text(one) for one in ideas)
        return self._kept.get(
            f"{groups} {texts}", lambda: lay_out(vectors, self._vectors.plane(), groups)
        )


def _by_tag(ideas: Sequence[Outline]) -> list[_Group]:
    """The most used tags. An idea with several is in the area of the one that fewest ideas have."""
    uses = Counter(tag for one in ideas for tag in one.tags)
    tags = sorted(uses, key=lambda tag: (-uses[tag], tag))[:MOST_TAGS]
    rank = {tag: place for place, tag in enumerate(tags)}
    members: dict[str, list[int]] = {}
    for number, one in enumerate(ideas):
        known = [tag for tag in one.tags if tag in rank]
        if known:
            members.setdefault(max(known, key=rank.__getitem__), []).append(number)
    return [_Group(tag, tag, members[tag]) for tag in tags if tag in members]


def _ideas(
    ideas: Sequence[Outline], shown: Sequence[int], groups: Sequence[_Group], layout: Layout
) -> list[MapIdea]:
    names: Mapping[int, str] = {member: group.name for group in groups for member in group.members}
    shares = layout.shares(layout.places)
    return [
        MapIdea(
            id=ideas[place].id,
            title=ideas[place].title,
            x=shares[place][0],
            y=shares[place][1],
            group=names.get(place),
            tags=sorted(ideas[place].tags),
        )
        for place in shown
    ]


def _area(group: _Group, shown: Sequence[int], layout: Layout) -> MapGroup | None:
    members = sorted(set(group.members) & set(shown))
    if not members:
        return None
    return MapGroup(
        name=group.name,
        tag=group.tag,
        ideas=len(members),
        area=layout.shares(outline(layout.places[members])),
    )


def _text(idea: Outline) -> str:
    return f"{idea.title}. {idea.body}"
