"""Routes that change several ideas at once and undo such a change."""

from typing import Annotated

from fastapi import APIRouter, Body

from service.schemas.bulk import CHANGE_EXAMPLES, ChangePublic, ChangeTask
from service.web.api.idempotency import KeyedRoute
from service.web.api.shared import Id, links, problems
from service.web.dependencies import StoreDep

router = APIRouter(tags=["ideas"], route_class=KeyedRoute)


@router.post(
    "/ideas/bulk",
    operation_id="changeIdeas",
    summary="Change several ideas at once",
    description="Changes tags, status, star or board of up to 1,000 ideas, or deletes or restores "
    "them. If one of the ideas does not exist, none is changed, and `errors` points at each "
    "unknown id. `undoChange` undoes the whole change for one day.",
    responses=problems(404) | links(200, "id", getChange="change_id", undoChange="change_id"),
)
def change_ideas(
    task: Annotated[ChangeTask, Body(openapi_examples=CHANGE_EXAMPLES)], store: StoreDep
) -> ChangePublic:
    return store.changes.make(task)


@router.get(
    "/changes/{change_id}",
    operation_id="getChange",
    summary="Get a change of several ideas",
    responses=problems(404),
)
def get_change(change_id: Id, store: StoreDep) -> ChangePublic:
    return store.changes.get(change_id)


@router.post(
    "/changes/{change_id}/undo",
    operation_id="undoChange",
    summary="Undo a change of several ideas",
    description="Restores the values that the change replaced, except those that were changed "
    "again since. Undoing a second time does nothing.",
    responses=problems(404),
)
def undo_change(change_id: Id, store: StoreDep) -> ChangePublic:
    return store.changes.undo(change_id)
