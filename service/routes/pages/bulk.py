"""Several ideas of a board at once: tagged, archived, moved, deleted, and all of it taken back."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from service.change_shapes import ChangePublic
from service.dependencies import StoreDep
from service.routes.pages.forms import BulkForm
from service.routes.pages.replies import Flash, back, is_part, render
from service.routes.pages.shown import changed_context, current_query
from service.store import Store
from service.templating import STATUS_NAMES, plural

router = APIRouter()


@router.post("/boards/{board_id}/bulk")
def change_ideas(
    request: Request, board_id: str, store: StoreDep, form: Annotated[BulkForm, Form()]
) -> Response:
    board = store.boards.get(board_id)
    change = store.changes.make(form.task)
    flash = told(store, change, form)
    if not is_part(request, "bulk"):
        return back(request, f"/boards/{board_id}", flash)
    context = changed_context(store, board, current_query(request), form.ids)
    return render(request, "partials/_changed.html", context | {"flash": flash})


@router.post("/changes/{change_id}/undo")
def undo_change(request: Request, change_id: str, store: StoreDep) -> Response:
    change = store.changes.undo(change_id)
    return back(request, "/", Flash(f"Taken back: {plural(len(change.changed), 'idea')}."))


def told(store: Store, change: ChangePublic, form: BulkForm) -> Flash:
    """What was done, with the undo for all of it."""
    if not change.changed:
        return Flash("Nothing to change: they are so already.")
    ideas = plural(len(change.changed), "idea")
    tags = ", ".join(form.tags)
    if change.operation == "set_status" and form.status is not None:
        text = f"{ideas}: {STATUS_NAMES[form.status]}."
    elif change.operation == "move" and form.board_id is not None:
        text = f"{ideas} moved to “{store.boards.get(form.board_id).name}”."
    else:
        text = {
            "add_tags": f"{ideas} tagged {tags}.",
            "remove_tags": f"{tags} removed from {ideas}.",
            "delete": f"{ideas} deleted.",
        }[change.operation]
    return Flash(text, f"/changes/{change.id}/undo")
