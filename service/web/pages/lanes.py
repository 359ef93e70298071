"""A board as lanes: its ideas side by side by status or by tag, in the order that people gave them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from service.schemas.ideas import IdeaPublic
from service.store import Store
from service.store.cursors import Page
from service.store.listing import IdeaQuery
from service.web.pages.forms import BoardQuery
from service.web.templating import STATUS_NAMES

LANE_SIZE = 20
MOST_LANES = 12
FOLDED = "archived"


@dataclass(frozen=True, slots=True)
class LaneCard:
    """`id` is that of its element. An idea with several tags is in several lanes, and only its first
    card is the one to select.
    """

    idea: IdeaPublic
    id: str
    is_first: bool


@dataclass(frozen=True, slots=True)
class Lane:
    """`key` is the status or the tag; it is empty for ideas without tags."""

    id: str
    key: str
    name: str
    cards: list[LaneCard]
    count: int
    has_more: bool
    is_folded: bool = False


@dataclass(frozen=True, slots=True)
class Lanes:
    """`left_out` counts the tags that have no lane."""

    by: str
    lanes: list[Lane]
    left_out: int = 0

    @property
    def ideas(self) -> list[IdeaPublic]:
        return [card.idea for lane in self.lanes for card in lane.cards if card.is_first]

    @property
    def first(self) -> Lane:
        return self.lanes[0]


def lanes_of(
    store: Store, query: BoardQuery, selection: IdeaQuery, tags_found: Mapping[str, int]
) -> Lanes:
    """`selection` is `query` for the store, and `tags_found` how many of its ideas have each tag."""
    if query.by == "tag":
        used = sorted(tags_found, key=lambda tag: (-tags_found[tag], tag))
        keys = sorted(used[:MOST_LANES], key=str.casefold)
        counts = dict(tags_found)
        if not query.tag:
            keys.insert(0, "")
            counts[""] = store.ideas.count(lane_query(selection, "tag", ""))
        lanes = _read(store, query, selection, keys, counts)
        return Lanes("tag", lanes, max(0, len(used) - MOST_LANES))
    keys = [query.status] if query.status in STATUS_NAMES else list(STATUS_NAMES)
    counts = store.ideas.counts(replace(selection, archived=None))
    return Lanes("status", _read(store, query, selection, keys, counts))


def lane_query(selection: IdeaQuery, by: str, key: str) -> IdeaQuery:
    """What finds the ideas of a lane, in their order."""
    selection = replace(selection, sort="place", cursor=None, ranked={})
    if by == "status":
        return replace(selection, status=key, archived=None)
    if not key:
        return replace(selection, untagged=True)
    return replace(selection, tags=[*selection.tags, key])


def _read(
    store: Store,
    query: BoardQuery,
    selection: IdeaQuery,
    keys: Sequence[str],
    counts: Mapping[str, int],
) -> list[Lane]:
    by = query.by or "status"
    pages = store.ideas.pages(
        [
            replace(lane_query(selection, by, key), limit=LANE_SIZE * (1 + query.more.count(key)))
            for key in keys
        ]
    )
    seen: set[str] = set()
    lanes = []
    for number, (key, page) in enumerate(zip(keys, pages, strict=True)):
        lanes.append(
            Lane(
                id=f"lane-{key if by == 'status' else number}",
                key=key,
                name=STATUS_NAMES[key] if by == "status" else key,
                cards=_cards(page, seen, number),
                count=counts.get(key, 0),
                has_more=page.cursor is not None,
                is_folded=by == "status" and key == FOLDED and query.status is None,
            )
        )
    return lanes


def _cards(page: Page[IdeaPublic], seen: set[str], lane: int) -> list[LaneCard]:
    cards = []
    for idea in page.items:
        is_first = idea.id not in seen
        seen.add(idea.id)
        name = f"idea-{idea.id}" if is_first else f"idea-{idea.id}-{lane}"
        cards.append(LaneCard(idea, name, is_first))
    return cards
