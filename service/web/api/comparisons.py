"""Routes that compare a board's ideas in pairs and rank them."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response, status
from fastapi.responses import JSONResponse
from pydantic import StringConstraints

from service.analysis.standings import board_standings, next_pair
from service.errors import Conflict
from service.messages import Text
from service.schemas.fields import Judge
from service.schemas.ranking import ComparisonCreate, ComparisonPublic, PairPublic, RankingPublic
from service.transfer.exporter import ranking_markdown, ranking_spreadsheet
from service.web.api.idempotency import KeyedRoute
from service.web.api.shared import NEXT_PAGE, Id, PagingDep, file, links, problems
from service.web.dependencies import StoreDep

router = APIRouter(prefix="/boards/{board_id}", tags=["ranking"], route_class=KeyedRoute)
_ID = "comparison_id"
_PAIR = r"^[A-Za-z0-9_-]{1,64}\.[A-Za-z0-9_-]{1,64}$"
Skipped = Annotated[
    list[Annotated[str, StringConstraints(pattern=_PAIR)]],
    Query(max_length=50, description="Pairs to leave out, each as two ids joined by a dot."),
]
OfRound = Annotated[
    str | None, Query(max_length=64, description="Only the ideas of this writing round.")
]


@router.get(
    "/comparisons",
    operation_id="listComparisons",
    summary="List comparisons, newest first",
    responses=problems(404) | NEXT_PAGE,
)
def list_comparisons(
    board_id: Id, store: StoreDep, paging: PagingDep, by: Judge | None = None
) -> list[ComparisonPublic]:
    return paging.items(store.comparisons.page(board_id, paging.wanted, by=by))


@router.post(
    "/comparisons",
    operation_id="compareIdeas",
    summary="Vote on which of two ideas comes first",
    description="Every vote counts, even several by one person on the same pair.",
    status_code=status.HTTP_201_CREATED,
    responses=problems(404) | links(201, "id", "board_id", getComparison=_ID, deleteComparison=_ID),
)
def compare_ideas(
    board_id: Id, shape: ComparisonCreate, store: StoreDep, response: Response
) -> ComparisonPublic:
    comparison = store.comparisons.vote(board_id, shape)
    response.headers["Location"] = f"/api/v1/boards/{board_id}/comparisons/{comparison.id}"
    return comparison


@router.get(
    "/comparisons/next",
    operation_id="nextPair",
    summary="Get the pair to compare next",
    description="Chooses the most informative pair: two ideas whose ranks are uncertain and close. "
    "A person gets pairs that they have not compared yet. It stays the same until somebody votes. "
    "409 if there is no such pair.",
    responses=problems(404, 409),
)
def show_next_pair(
    board_id: Id,
    store: StoreDep,
    skip: Skipped = [],  # noqa: B006
    round: OfRound = None,
) -> PairPublic:
    standings = board_standings(store, board_id, "people", round)
    pair = next_pair(store, standings, {frozenset(one.split(".")) for one in skip})
    if pair is None:
        raise Conflict(Text("Every pair was skipped. Ask again without `skip`."))
    return pair


@router.get(
    "/comparisons/{comparison_id}",
    operation_id="getComparison",
    summary="Get a comparison",
    responses=problems(404),
)
def get_comparison(board_id: Id, comparison_id: Id, store: StoreDep) -> ComparisonPublic:
    return store.comparisons.get(board_id, comparison_id)


@router.delete(
    "/comparisons/{comparison_id}",
    operation_id="deleteComparison",
    summary="Delete a comparison",
    description="This cannot be undone. Of people's votes, you can delete your own, and as an owner of "
    "the board those of others.",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(404),
)
def delete_comparison(board_id: Id, comparison_id: Id, store: StoreDep) -> None:
    store.comparisons.delete(board_id, comparison_id)


@router.get(
    "/ranking",
    operation_id="rankIdeas",
    summary="Rank the board's ideas by people's votes or the model's comparisons",
    description="Returns Bradley-Terry scores with their uncertainty. The model's ranking is a "
    "weak signal: small models often cannot tell good ideas from plausible ones. Use Markdown for "
    "reading and CSV for spreadsheets.",
    response_model=RankingPublic,
    responses=problems(404)
    | {
        200: {
            "content": {
                "text/markdown": {"schema": {"type": "string"}},
                "text/csv": {"schema": {"type": "string"}},
            },
        }
    },
)
def rank_ideas(
    board_id: Id,
    store: StoreDep,
    by: Judge = "people",
    round: OfRound = None,
    format: Literal["json", "markdown", "csv"] = "json",
) -> Response:
    board = store.boards.get(board_id)
    ranking = board_standings(store, board_id, by, round).public()
    if format == "json":
        return JSONResponse(ranking.model_dump(mode="json"))
    if format == "csv":
        return file(ranking_spreadsheet(ranking), "text/csv", f"ranking-by-{by}.csv")
    return file(ranking_markdown(board.name, ranking), "text/markdown", f"ranking-by-{by}.md")
