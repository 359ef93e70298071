"""Routes for the trash of a board; `GET /ideas?deleted=true` lists its ideas."""

from fastapi import APIRouter

from service.schemas.boards import EmptiedPublic, TrashPublic
from service.schemas.bulk import ChangePublic
from service.web.api.idempotency import KeyedRoute
from service.web.api.shared import Id, links, problems
from service.web.dependencies import SettingsDep, StoreDep

router = APIRouter(prefix="/boards/{board_id}/trash", tags=["boards"], route_class=KeyedRoute)


@router.get(
    "",
    operation_id="getTrash",
    summary="Get the number of ideas in a board's trash",
    description="`GET /ideas?deleted=true&board=…` lists the ideas themselves.",
    responses=problems(404),
)
def get_trash(board_id: Id, store: StoreDep, settings: SettingsDep) -> TrashPublic:
    return TrashPublic(
        board_id=board_id, ideas=store.trash.count(board_id), days=settings.trash_days or None
    )


@router.post(
    "/restore",
    operation_id="restoreTrash",
    summary="Restore everything in a board's trash",
    description="`POST /ideas/bulk` restores some of the ideas. `undoChange` deletes the restored "
    "ideas again.",
    responses=problems(404) | links(200, "id", getChange="change_id", undoChange="change_id"),
)
def restore_trash(board_id: Id, store: StoreDep) -> ChangePublic:
    return store.changes.restore_all(board_id)


@router.delete(
    "",
    operation_id="emptyTrash",
    summary="Empty a board's trash",
    description="Permanently deletes the ideas with their versions, evaluations and comparisons. "
    "Their branches are kept. An idea that the model is working on stays in the trash.",
    responses=problems(404),
)
def empty_trash(board_id: Id, store: StoreDep) -> EmptiedPublic:
    emptied = store.trash.empty(board_id)
    return EmptiedPublic(ideas=emptied.ideas, in_use=emptied.in_use)
