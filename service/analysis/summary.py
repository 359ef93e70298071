"""A summary of a board in figures. Every figure is counted; no model writes any of it."""

from datetime import timedelta

from service.analysis.similar_ideas import SimilarIdeas
from service.analysis.standings import compared_standings
from service.schemas.identity import now
from service.schemas.overview import (
    ClusterCount,
    RankedIdea,
    RecentCounts,
    ScoredIdea,
    SummaryPublic,
    TagCount,
    TextChange,
)
from service.store import Store
from service.store.listing import IdeaQuery

BEST = 5
MOST_TAGS = 20
MOST_CLUSTERS = 8
CHANGES = 10
LATELY = timedelta(days=7)


def summarise(store: Store, similar_ideas: SimilarIdeas, board_id: str) -> SummaryPublic:
    """Blocking: call it in a thread.

    Raises: NotFound, ModelUnavailable
    """
    board = store.boards.get(board_id)
    since = now() - LATELY
    counts = store.overview.counts(board_id)
    tags = store.ideas.tags(board_id)[:MOST_TAGS]
    return SummaryPublic(
        board_id=board_id,
        name=board.name,
        goal=board.goal,
        ideas=store.ideas.count(IdeaQuery(board=board_id)),
        starred=counts.starred,
        evaluated=counts.evaluated,
        untagged=counts.untagged,
        statuses=counts.statuses,
        origins=counts.origins,
        tags=[TagCount(tag=name, ideas=uses) for name, uses in tags],
        best_ranked=_best_ranked(store, board_id),
        best_scored=_best_scored(store, board_id) if counts.evaluated else [],
        clusters=[
            ClusterCount(anchor_id=one.anchor_id, title=one.tag or one.title, ideas=len(one.ideas))
            for one in similar_ideas.clusters(board_id).clusters[:MOST_CLUSTERS]
        ],
        recent=RecentCounts(since=since, **store.overview.count_since(board_id, since)),
        changes=[
            TextChange(
                idea_id=one.idea_id,
                title=one.title,
                kind="added" if one.version == 1 else "changed",
                version=one.version,
                origin=one.origin,
                at=one.at,
            )
            for one in store.overview.changes(board_id, limit=CHANGES)
        ],
    )


def _best_ranked(store: Store, board_id: str) -> list[RankedIdea]:
    standings = compared_standings(store, board_id, "people").public().ideas
    return [
        RankedIdea(
            idea_id=one.idea_id,
            title=one.title,
            rank=one.rank,
            score=one.score,
            comparisons=one.comparisons,
        )
        for one in standings
        if one.rank is not None
    ][:BEST]


def _best_scored(store: Store, board_id: str) -> list[ScoredIdea]:
    page = store.ideas.page(IdeaQuery(board=board_id, sort="score", limit=BEST))
    return [
        ScoredIdea(idea_id=one.id, title=one.title, score=one.score)
        for one in page.items
        if one.score is not None
    ]
