import pytest
from fastapi import APIRouter, FastAPI

from service.web.addresses import Addresses


@pytest.fixture(scope="module")
def addresses() -> Addresses:
    app, router = FastAPI(openapi_url=None, docs_url=None, redoc_url=None), APIRouter()
    for path in ("/", "/boards/{board_id}", "/boards/{board_id}/rank"):
        router.add_api_route(path, lambda: None, methods=["GET"])
    for path in ("/theme", "/boards/{board_id}/bulk", "/boards/{board_id}/rank/votes/{id}/undo"):
        router.add_api_route(path, lambda: None, methods=["POST"])
    app.include_router(router)
    return Addresses(app.routes)


@pytest.mark.parametrize(
    ("path", "page"),
    [
        ("/", "/"),
        ("/boards/7", "/boards/7"),
        ("/boards/7/rank", "/boards/7/rank"),
        ("/boards/7/bulk", "/boards/7"),
        ("/boards/7/rank/votes/8/undo", "/boards/7/rank"),
        ("/theme", "/"),
        ("/no/such/address", "/"),
    ],
)
def test_the_page_of_an_address_is_itself_or_the_nearest_above(
    addresses: Addresses, path: str, page: str
) -> None:
    assert addresses.page(path) == page
