"""The route that says how alike the ideas of a board are."""

from fastapi import APIRouter

from service.schemas.likeness import LikenessPublic
from service.web.api.shared import Id, problems
from service.web.dependencies import LikenessDep

router = APIRouter(tags=["overview"])


@router.get(
    "/boards/{board_id}/likeness",
    operation_id="getLikeness",
    summary="Get how alike a board's ideas are, people's and the model's apart",
    description="The mean cosine of two ideas by an encoder that runs on this machine, with an interval. "
    "While `state` is `measuring`, call again: each call reads some more texts. Archived and hidden "
    "ideas are left out.",
    responses=problems(404, 503),
)
def get_likeness(board_id: Id, likeness: LikenessDep) -> LikenessPublic:
    return likeness.report(board_id)
