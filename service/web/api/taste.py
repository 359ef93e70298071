"""Routes for what a board has learnt of its people's taste. `updateBoard` switches learning off."""

from fastapi import APIRouter, status

from service.schemas.taste import TastePublic
from service.web.api.shared import Id, problems
from service.web.dependencies import StoreDep, TastesDep

router = APIRouter(prefix="/boards/{board_id}/taste", tags=["boards"])


@router.get(
    "",
    operation_id="getTaste",
    summary="Get what a board has learnt of its people's taste",
    description="Keeping, discarding, “less like this”, “more like this”, stars and comparisons teach "
    "the board which suggestions to put first. It learns anew with each brainstorm, on this machine, "
    "and measures itself on decisions that it has not seen.",
    responses=problems(404, 503),
)
def get_taste(board_id: Id, tastes: TastesDep) -> TastePublic:
    return tastes.report(board_id)


@router.delete(
    "",
    operation_id="forgetTaste",
    summary="Forget what a board has learnt",
    description="What was decided stays, but from now on the board learns only from what is decided "
    "later.",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(404),
)
def forget_taste(board_id: Id, store: StoreDep) -> None:
    store.taste.forget(board_id)
