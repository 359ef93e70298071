"""Routes for the links that show a board to whoever has them."""

from fastapi import APIRouter, Response, status

from service.schemas.shared_links import SharedLinkCreate, SharedLinkCreated, SharedLinkPublic
from service.web.api.shared import NEXT_PAGE, Id, PagingDep, problems
from service.web.dependencies import StoreDep

# No `KeyedRoute`: it would keep the answer, and with it the token, for a day.
router = APIRouter(prefix="/boards/{board_id}/links", tags=["boards"])


@router.get(
    "",
    operation_id="listSharedLinks",
    summary="List the board's read-only links, newest first",
    responses=problems(404) | NEXT_PAGE,
)
def list_shared_links(board_id: Id, store: StoreDep, paging: PagingDep) -> list[SharedLinkPublic]:
    return paging.items(store.shared_links.page(board_id, paging.wanted))


@router.post(
    "",
    operation_id="createSharedLink",
    summary="Make a read-only link to the board",
    description="Whoever has the link reads the board's ideas and their evaluations, without a key, "
    "and follows its feed at the link's address with `/feed.atom`. Nothing else of the server is "
    "shown.",
    status_code=status.HTTP_201_CREATED,
    responses=problems(404),
)
def create_shared_link(
    board_id: Id, shape: SharedLinkCreate, store: StoreDep, response: Response
) -> SharedLinkCreated:
    link, token = store.shared_links.create(board_id, shape)
    response.headers["Location"] = f"/shared/{token}"
    return SharedLinkCreated(**link.model_dump(), path=f"/shared/{token}")


@router.delete(
    "/{link_id}",
    operation_id="withdrawSharedLink",
    summary="Withdraw a read-only link",
    description="From then on it shows nothing. To withdraw it again changes nothing.",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(404),
)
def withdraw_shared_link(board_id: Id, link_id: Id, store: StoreDep) -> None:
    store.shared_links.withdraw(board_id, link_id)
