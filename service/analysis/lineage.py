"""The origin of ideas as trees: each idea has a main parent, and others it was also made from.

Knows neither the database nor HTML. Chains are followed without recursion, so that any depth works.
An import may contain a circle; it is cut at its oldest idea.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from service.schemas.lineage import Origin

NO_PARENT = ""


@dataclass(frozen=True, slots=True)
class Place:
    """An idea in its tree; `children` has the ids of the children that are shown."""

    origin: Origin
    depth: int
    children: tuple[str, ...]


class Forest:
    """The trees of a board. An idea without a main parent is a child of the first other idea that it
    was made from. Deleted ideas are left out, unless they lie between ideas that exist.
    """

    def __init__(self, origins: Iterable[Origin]) -> None:
        known = {one.id: one for one in sorted(origins, key=lambda one: (one.number, one.id))}
        self._parent = {one.id: self._main(one, known) for one in known.values()}
        _cut_circles(self._parent, known)
        self._children = _children(self._parent)
        alive = self._with_living(known)
        self.origins = {one.id: one for one in known.values() if one.id in alive}
        self._parent = {one: up for one, up in self._parent.items() if one in alive}
        self._children = _children(self._parent)
        self._further = self._further_links()

    @staticmethod
    def _main(one: Origin, known: dict[str, Origin]) -> str:
        return next((up for up in one.parents if up in known and up != one.id), NO_PARENT)

    def _with_living(self, known: dict[str, Origin]) -> set[str]:
        """The existing ideas, and deleted ones that lie between an existing idea and its descendant."""
        below = {one.id for one in known.values() if not one.is_deleted}
        for one in list(below):
            up = self._parent[one]
            while up and up not in below:
                below.add(up)
                up = self._parent[up]
        return below

    @property
    def roots(self) -> list[str]:
        """The roots of trees with more than one idea, the newest tree first."""
        return [one for one in reversed(self._children.get(NO_PARENT, ())) if one in self._children]

    def parent(self, idea_id: str) -> str | None:
        return self._parent[idea_id] or None

    def also_from(self, idea_id: str) -> list[str]:
        """The other ideas that it was made from, if they exist."""
        parent = self._parent[idea_id]
        ups = self.origins[idea_id].parents
        return [up for up in ups if up != parent and up in self.origins]

    def went_into(self, idea_id: str) -> list[str]:
        """The ideas of other branches that were also made from it."""
        return self._further.get(idea_id, [])

    def _further_links(self) -> dict[str, list[str]]:
        links: dict[str, list[str]] = {}
        for idea_id in self.origins:
            for up in self.also_from(idea_id):
                links.setdefault(up, []).append(idea_id)
        return links

    def root_of(self, idea_id: str) -> str:
        return self._path(idea_id)[-1]

    def size(self, root: str) -> int:
        return sum(1 for _ in self._below(root))

    def tree(self, root: str, limit: int, *, focus: str | None = None) -> list[Place]:
        """Up to `limit` ideas of a tree, each after its parent and before its next sibling.

        Ideas near the root are chosen first, so that the ends of branches are left out. With a
        `focus`, its ancestors and descendants come before all others.
        """
        path = self._path(focus or root)[:limit]
        order = [*path, *self._nearest(focus or root, limit), *self._nearest(root, limit)]
        chosen = set(list(dict.fromkeys(order))[:limit])
        places: list[Place] = []
        waiting: list[tuple[str, int]] = [(path[-1], 0)]
        while waiting:
            idea_id, depth = waiting.pop()
            children = tuple(one for one in self._children.get(idea_id, ()) if one in chosen)
            places.append(Place(self.origins[idea_id], depth, children))
            waiting += [(one, depth + 1) for one in reversed(children)]
        return places

    def _path(self, idea_id: str) -> list[str]:
        """The ids from the idea up to its root."""
        path = [idea_id]
        while self._parent[path[-1]]:
            path.append(self._parent[path[-1]])
        return path

    def _nearest(self, root: str, limit: int) -> list[str]:
        found = [root]
        for one in found:
            if len(found) >= limit:
                break
            found += self._children.get(one, ())
        return found[:limit]

    def _below(self, root: str) -> Iterator[str]:
        waiting = [root]
        while waiting:
            one = waiting.pop()
            yield one
            waiting += self._children.get(one, ())


def _children(parents: dict[str, str]) -> dict[str, list[str]]:
    children: dict[str, list[str]] = {}
    for one, up in parents.items():
        children.setdefault(up, []).append(one)
    return children


def _cut_circles(parents: dict[str, str], known: dict[str, Origin]) -> None:
    sound: set[str] = {NO_PARENT}
    for start in known:
        path = [start]
        while path[-1] not in sound:
            up = parents[path[-1]]
            if up in path:
                oldest = min(path[path.index(up) :], key=lambda one: known[one].number)
                parents[oldest] = NO_PARENT
                break
            path.append(up)
        sound.update(path)


@dataclass(frozen=True, slots=True)
class Spot:
    """The position of an idea on the map: `column` is its depth; no two share a position."""

    place: Place
    column: int
    row: float


def layout(places: Sequence[Place]) -> list[Spot]:
    """Give each leaf a row of its own, and put each parent in the middle of its children.

    `places` are those of one tree, parents before their children.
    """
    rows: dict[str, float] = {}
    free = 0
    for place in places:
        if not place.children:
            rows[place.origin.id] = float(free)
            free += 1
    for place in reversed(places):
        if place.children:
            first, last = place.children[0], place.children[-1]
            rows[place.origin.id] = (rows[first] + rows[last]) / 2
    return [Spot(place, place.depth, rows[place.origin.id]) for place in places]
