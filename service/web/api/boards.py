"""Routes for boards and their tags."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response, status

from service.actor import Role
from service.onboarding.boards import new_board
from service.schemas.board_templates import NewBoard
from service.schemas.boards import BoardOverview, TagPublic
from service.schemas.ideas import BoardPublic, BoardUpdate
from service.store.access import require
from service.web.api.idempotency import KeyedRoute
from service.web.api.shared import NEXT_PAGE, ForGood, Id, PagingDep, problems
from service.web.dependencies import StoreDep
from service.web.templating import language_of

router = APIRouter(prefix="/boards", tags=["boards"], route_class=KeyedRoute)


@router.get(
    "", operation_id="listBoards", summary="List the boards, oldest first", responses=NEXT_PAGE
)
def list_boards(
    store: StoreDep,
    paging: PagingDep,
    deleted: Annotated[
        bool,
        Query(description="`true` lists the deleted boards instead, most recently deleted first."),
    ] = False,
) -> list[BoardOverview]:
    if deleted:
        require(Role.EDITOR)
    return paging.items(store.boards.overview_page(paging.wanted, deleted=deleted))


@router.post(
    "",
    operation_id="createBoard",
    summary="Create a board",
    description="With a `template`, it gets that one's name, goal and rubric, unless you name others.",
    status_code=status.HTTP_201_CREATED,
    responses=problems(404),
)
def create_board(
    shape: NewBoard, request: Request, store: StoreDep, response: Response
) -> BoardPublic:
    board = new_board(store, shape, language_of(request))
    response.headers["Location"] = f"/api/v1/boards/{board.id}"
    return board


@router.get("/{board_id}", operation_id="getBoard", summary="Get a board", responses=problems(404))
def get_board(board_id: Id, store: StoreDep) -> BoardPublic:
    return store.boards.get(board_id)


@router.patch(
    "/{board_id}", operation_id="updateBoard", summary="Change a board", responses=problems(404)
)
def update_board(board_id: Id, shape: BoardUpdate, store: StoreDep) -> BoardPublic:
    return store.boards.update(board_id, shape)


@router.delete(
    "/{board_id}",
    operation_id="deleteBoard",
    summary="Delete a board with its ideas",
    description="`restore` undoes it, until the board is deleted with `for_good=true` or the time "
    "is over for which deleted boards are kept.",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(404, 409),
)
def delete_board(board_id: Id, store: StoreDep, for_good: ForGood = False) -> None:
    if for_good:
        require(Role.OWNER)
        store.trash.purge_board(board_id)
    else:
        store.boards.delete(board_id)


@router.post(
    "/{board_id}/restore",
    operation_id="restoreBoard",
    summary="Undo the deletion of a board",
    responses=problems(404),
)
def restore_board(board_id: Id, store: StoreDep) -> BoardPublic:
    return store.boards.restore(board_id)


@router.get(
    "/{board_id}/tags",
    operation_id="listTags",
    summary="List the tags of a board's ideas, most used first",
    responses=problems(404) | NEXT_PAGE,
)
def list_tags(board_id: Id, store: StoreDep, paging: PagingDep) -> list[TagPublic]:
    store.boards.get(board_id)
    return paging.items(store.ideas.tag_page(board_id, paging.wanted))
