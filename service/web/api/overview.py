"""Routes on many ideas at once: similar ideas, groups, lineage and the summary of a board."""

from typing import Annotated

from fastapi import APIRouter, Query

from service.analysis.lineage_view import board_trees, idea_tree, lineage_public
from service.analysis.similar_ideas import DEFAULT_GRANULARITY
from service.analysis.summary import summarise
from service.schemas.bulk import ChangePublic
from service.schemas.overview import (
    COARSEST,
    FINEST,
    ClustersApply,
    ClustersPublic,
    LineagePublic,
    SimilarPublic,
    SummaryPublic,
)
from service.web.api.idempotency import KeyedRoute
from service.web.api.shared import Id, links, problems
from service.web.dependencies import SimilarIdeasDep, StoreDep

router = APIRouter(tags=["overview"], route_class=KeyedRoute)
Page = Annotated[int, Query(ge=1, le=100_000, description="Each page has ten trees, newest first.")]


@router.get(
    "/ideas/{idea_id}/similar",
    operation_id="listSimilarIdeas",
    summary="List ideas of the same board with a similar meaning",
    description="Compares the meaning of the texts, which may share no words. Only the board's "
    "1,000 newest ideas are compared.",
    responses=problems(404, 503),
)
def list_similar(idea_id: Id, store: StoreDep, similar_ideas: SimilarIdeasDep) -> SimilarPublic:
    return similar_ideas.similar(store.ideas.get(idea_id))


@router.get(
    "/ideas/{idea_id}/lineage",
    operation_id="getIdeaLineage",
    summary="Get the tree of ideas that an idea belongs to",
    description="Returns at most 200 ideas: first the ancestors and descendants of the idea, then "
    "as many others of its tree as fit. There are no nodes for an idea without parents or "
    "branches.",
    responses=problems(404),
)
def get_idea_lineage(idea_id: Id, store: StoreDep) -> LineagePublic:
    idea = store.ideas.get(idea_id)
    tree = idea_tree(store, idea)
    trees = [] if tree is None else [tree]
    return lineage_public(idea.board_id, trees, len(trees), idea_id)


@router.get(
    "/boards/{board_id}/lineage",
    operation_id="getBoardLineage",
    summary="List a board's trees of ideas and their branches",
    responses=problems(404),
)
def get_board_lineage(board_id: Id, store: StoreDep, page: Page = 1) -> LineagePublic:
    found = board_trees(store, board_id, page)
    return lineage_public(board_id, found.trees, found.count)


@router.get(
    "/boards/{board_id}/clusters",
    operation_id="previewClusters",
    summary="Preview groups of similar ideas, with suggested titles",
    description="Nothing is changed. `granularity` ranges from 1, a few broad groups, to 5, as "
    "many groups as possible. A higher value only splits groups, so it never gives fewer. The same "
    "ideas always give the same groups. Archived ideas are left out.",
    responses=problems(404, 503),
)
def preview_clusters(
    board_id: Id,
    similar_ideas: SimilarIdeasDep,
    granularity: Annotated[int, Query(ge=COARSEST, le=FINEST)] = DEFAULT_GRANULARITY,
) -> ClustersPublic:
    return similar_ideas.clusters(board_id, granularity)


@router.post(
    "/boards/{board_id}/clusters",
    operation_id="applyClusters",
    summary="Tag ideas with the titles of their groups",
    description="Every idea of a group gets the title of the group as a tag; nothing else is "
    "changed. If an idea is not on the board or already has 20 tags, no idea is tagged. "
    "`undoChange` undoes the whole change for one day.",
    responses=problems(404) | links(200, "id", getChange="change_id", undoChange="change_id"),
)
def apply_clusters(board_id: Id, shape: ClustersApply, store: StoreDep) -> ChangePublic:
    return store.changes.tag_each(board_id, shape.tags_by_idea())


@router.get(
    "/boards/{board_id}/summary",
    operation_id="summariseBoard",
    summary="Get the overview of a board",
    description="Returns counts, the best ideas by votes and by scores, groups and recent changes. "
    "Everything is computed from the stored data; a model writes none of it.",
    responses=problems(404, 503),
)
def summarise_board(board_id: Id, store: StoreDep, similar_ideas: SimilarIdeasDep) -> SummaryPublic:
    return summarise(store, similar_ideas, board_id)
