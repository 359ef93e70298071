"""The lineage of a board or an idea as it is shown: trees cut to a limit, with how many ideas were cut."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.analysis.lineage import Forest, Place
from service.schemas.ideas import IdeaPublic
from service.schemas.overview import LineageNode, LineagePublic
from service.store import Store

TREES_A_PAGE = 10
IDEAS_A_TREE = 60
IDEAS_AROUND_ONE = 200


@dataclass(frozen=True, slots=True)
class Tree:
    """`also_from` has, for each idea, the other ideas that it was made from, and `went_into` the ideas of
    other branches that were made from it. A deleted idea has no title.
    """

    places: list[Place]
    unseen: int
    also_from: dict[str, list[str]]
    went_into: dict[str, list[str]]
    titles: dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Trees:
    """A page of a board's trees, the newest first; `count` is how many there are in all."""

    trees: list[Tree]
    count: int
    page: int

    @property
    def pages(self) -> int:
        return max(1, -(-self.count // TREES_A_PAGE))


def board_trees(store: Store, board_id: str, page: int) -> Trees:
    """Raises: NotFound"""
    store.boards.get(board_id)
    forest = Forest(store.lineage.of_board(board_id))
    roots = forest.roots
    shown = roots[(page - 1) * TREES_A_PAGE : page * TREES_A_PAGE]
    return Trees([_tree(forest, root, IDEAS_A_TREE) for root in shown], len(roots), page)


def idea_tree(store: Store, idea: IdeaPublic) -> Tree | None:
    """None for an idea without parents and children."""
    forest = Forest(store.lineage.of_board(idea.board_id))
    if idea.id not in forest.origins:
        return None
    root = forest.root_of(idea.id)
    tree = _tree(forest, root, IDEAS_AROUND_ONE, focus=idea.id)
    return tree if len(tree.places) > 1 or tree.went_into else None


def lineage_public(
    board_id: str, trees: Sequence[Tree], count: int, idea_id: str | None = None
) -> LineagePublic:
    nodes = [node for tree in trees for node in _nodes(tree)]
    unseen = sum(tree.unseen for tree in trees)
    return LineagePublic(
        board_id=board_id, idea_id=idea_id, nodes=nodes, trees=count, unseen=unseen
    )


def _tree(forest: Forest, root: str, limit: int, *, focus: str | None = None) -> Tree:
    places = forest.tree(root, limit, focus=focus)
    ids = [place.origin.id for place in places]
    also_from = {one: ups for one in ids if (ups := forest.also_from(one))}
    went_into = {one: downs for one in ids if (downs := forest.went_into(one))}
    named = {one for links in (also_from, went_into) for ends in links.values() for one in ends}
    return Tree(
        places=places,
        unseen=forest.size(root) - len(places),
        also_from=also_from,
        went_into=went_into,
        titles={one: _title(forest, one) for one in named},
    )


def _title(forest: Forest, idea_id: str) -> str | None:
    origin = forest.origins[idea_id]
    return None if origin.is_deleted else origin.title


def _nodes(tree: Tree) -> list[LineageNode]:
    parents = {child: place.origin.id for place in tree.places for child in place.children}
    return [
        LineageNode(
            idea_id=origin.id,
            title=None if origin.is_deleted else origin.title,
            status=origin.status,
            parent_id=parents.get(origin.id),
            also_from=tree.also_from.get(origin.id, []),
            went_into=tree.went_into.get(origin.id, []),
            is_deleted=origin.is_deleted,
        )
        for origin in (place.origin for place in tree.places)
    ]
