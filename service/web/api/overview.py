"""Looking at many ideas at once over REST: what is alike, groups, lineage, a board's summary."""

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
from service.web.api.shared import Id, links, problems
from service.web.dependencies import SimilarIdeasDep, StoreDep

router = APIRouter(tags=["overview"])
Page = Annotated[int, Query(ge=1, le=100_000, description="Ten trees a page, the newest first.")]


@router.get(
    "/ideas/{idea_id}/similar",
    operation_id="listSimilarIdeas",
    summary="Ideas of the same board that mean something similar",
    description="Compares what the texts are about, also where they share no word; looks at the "
    "board's 1,000 newest ideas.",
    responses=problems(404, 503),
)
def list_similar(idea_id: Id, store: StoreDep, similar_ideas: SimilarIdeasDep) -> SimilarPublic:
    return similar_ideas.similar(store.ideas.get(idea_id))


@router.get(
    "/ideas/{idea_id}/lineage",
    operation_id="getIdeaLineage",
    summary="The tree of ideas that an idea belongs to",
    description="Its ancestors, what comes of it, and what fits of the rest: 200 ideas at most. "
    "No nodes for an idea that comes from no other and that none comes from.",
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
    summary="A board's trees of ideas that come from each other",
    responses=problems(404),
)
def get_board_lineage(board_id: Id, store: StoreDep, page: Page = 1) -> LineagePublic:
    found = board_trees(store, board_id, page)
    return lineage_public(board_id, found.trees, found.count)


@router.get(
    "/boards/{board_id}/clusters",
    operation_id="previewClusters",
    summary="Groups of similar ideas, with titles for them",
    description="Nothing is changed. `granularity` goes from 1, few broad groups, to 5, the most "
    "groups there can be: a higher one only divides groups, and never gives fewer. The same ideas "
    "always give the same groups. Archived ideas are left out.",
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
    summary="Make groups of ideas into tags",
    description="Every idea of a group gets its title as a tag; nothing else is changed. If an idea "
    "is not on the board or has 20 tags already, then no tag is given to any. `undoChange` takes "
    "the whole back for a day.",
    responses=problems(404) | links(200, "id", getChange="change_id", undoChange="change_id"),
)
def apply_clusters(board_id: Id, shape: ClustersApply, store: StoreDep) -> ChangePublic:
    return store.changes.tag_each(board_id, shape.tags_by_idea())


@router.get(
    "/boards/{board_id}/summary",
    operation_id="summariseBoard",
    summary="How a board stands",
    description="Counts, the best ideas by votes and by scores, groups, and what has changed lately. "
    "All of it is counted; no model writes any of it.",
    responses=problems(404, 503),
)
def summarise_board(board_id: Id, store: StoreDep, similar_ideas: SimilarIdeasDep) -> SummaryPublic:
    return summarise(store, similar_ideas, board_id)
