"""Several ideas changed at once, and that taken back, over REST."""

from typing import Annotated

from fastapi import APIRouter, Body

from service.schemas.bulk import CHANGE_EXAMPLES, ChangePublic, ChangeTask
from service.web.api.shared import Id, links, problems
from service.web.dependencies import StoreDep

router = APIRouter(tags=["ideas"])


@router.post(
    "/ideas/bulk",
    operation_id="changeIdeas",
    summary="Change several ideas at once",
    description="Tags, status, star, board, deletion or restoring of up to 1,000 ideas: all of them "
    "or, if one is not there, none. `errors` then points at each id that leads nowhere. `undoChange` takes the "
    "whole back for a day.",
    responses=problems(404) | links(200, "id", getChange="change_id", undoChange="change_id"),
)
def change_ideas(
    task: Annotated[ChangeTask, Body(openapi_examples=CHANGE_EXAMPLES)], store: StoreDep
) -> ChangePublic:
    return store.changes.make(task)


@router.get(
    "/changes/{change_id}",
    operation_id="getChange",
    summary="What a change of several ideas did",
    responses=problems(404),
)
def get_change(change_id: Id, store: StoreDep) -> ChangePublic:
    return store.changes.get(change_id)


@router.post(
    "/changes/{change_id}/undo",
    operation_id="undoChange",
    summary="Take back a change of several ideas",
    description="Puts back what the change replaced; what somebody has changed again since stays. "
    "A second time does nothing.",
    responses=problems(404),
)
def undo_change(change_id: Id, store: StoreDep) -> ChangePublic:
    return store.changes.undo(change_id)
