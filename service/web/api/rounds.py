"""Routes for writing rounds: people write ideas that are hidden from each other until the round ends."""

from fastapi import APIRouter, Response, status

from service.schemas.rounds import RoundCreate, RoundExtend, RoundPublic
from service.web.api.idempotency import KeyedRoute
from service.web.api.shared import NEXT_PAGE, Id, PagingDep, links, problems
from service.web.dependencies import StoreDep

router = APIRouter(prefix="/boards/{board_id}/rounds", tags=["rounds"], route_class=KeyedRoute)
_ID = "round_id"


@router.get(
    "",
    operation_id="listRounds",
    summary="List a board's writing rounds, newest first",
    responses=problems(404) | NEXT_PAGE,
)
def list_rounds(board_id: Id, store: StoreDep, paging: PagingDep) -> list[RoundPublic]:
    return paging.items(store.rounds.page(board_id, paging.wanted))


@router.post(
    "",
    operation_id="startRound",
    summary="Start a writing round",
    description="Until it ends, everybody sees only their own ideas of it, everywhere. Write them with "
    "`createIdea` and its `round_id`, and list them with `listIdeas` and its `round`. 409 while another "
    "round goes on.",
    status_code=status.HTTP_201_CREATED,
    responses=problems(404, 409)
    | links(201, "id", "board_id", getRound=_ID, endRound=_ID, extendRound=_ID, showNames=_ID),
)
def start_round(
    board_id: Id, shape: RoundCreate, store: StoreDep, response: Response
) -> RoundPublic:
    started = store.rounds.start(board_id, shape)
    response.headers["Location"] = f"/api/v1/boards/{board_id}/rounds/{started.id}"
    return started


@router.get(
    "/{round_id}",
    operation_id="getRound",
    summary="Get a writing round",
    responses=problems(404),
)
def get_round(board_id: Id, round_id: Id, store: StoreDep) -> RoundPublic:
    return store.rounds.get(board_id, round_id)


@router.post(
    "/{round_id}/end",
    operation_id="endRound",
    summary="End a writing round early",
    description="Whoever started it can do this, and owners of the board. A round that is over stays "
    "as it is.",
    responses=problems(404),
)
def end_round(board_id: Id, round_id: Id, store: StoreDep) -> RoundPublic:
    return store.rounds.end(board_id, round_id)


@router.post(
    "/{round_id}/extend",
    operation_id="extendRound",
    summary="Give a writing round more time",
    description="Whoever started it can do this, and owners of the board. 409 when it is over.",
    responses=problems(404, 409),
)
def extend_round(board_id: Id, round_id: Id, shape: RoundExtend, store: StoreDep) -> RoundPublic:
    return store.rounds.extend(board_id, round_id, shape.minutes)


@router.post(
    "/{round_id}/names",
    operation_id="showNames",
    summary="Show who wrote which idea of a writing round",
    description="Whoever started it can do this, and owners of the board. 409 while it goes on.",
    responses=problems(404, 409),
)
def show_names(board_id: Id, round_id: Id, store: StoreDep) -> RoundPublic:
    return store.rounds.show_names(board_id, round_id)
