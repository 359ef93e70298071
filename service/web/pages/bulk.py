"""Several ideas of a board at once: tagged, archived, moved, deleted, and all of it taken back."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from service.messages import Counted, Text
from service.schemas.bulk import ChangePublic
from service.store import Store
from service.web.dependencies import StoreDep
from service.web.pages.forms import BulkForm
from service.web.pages.idea_list import changed_list
from service.web.pages.responses import Flash, back, is_part
from service.web.templating import STATUS_NAMES

router = APIRouter()


@router.post("/boards/{board_id}/bulk")
def change_ideas(
    request: Request, board_id: str, store: StoreDep, form: Annotated[BulkForm, Form()]
) -> Response:
    change = store.changes.make(form.task)
    flash = told(store, change, form)
    if not is_part(request, "bulk"):
        return back(request, f"/boards/{board_id}", flash)
    return changed_list(request, store, board_id, form.ids, flash, with_bar=True)


@router.post("/changes/{change_id}/undo")
def undo_change(request: Request, change_id: str, store: StoreDep) -> Response:
    change = store.changes.undo(change_id)
    told = Counted(
        "Taken back: %(count)s idea.", "Taken back: %(count)s ideas.", len(change.changed)
    )
    return back(request, "/", Flash(told))


def told(store: Store, change: ChangePublic, form: BulkForm) -> Flash:
    """What was done, with the undo for all of it."""
    if not change.changed:
        return Flash(Text("Nothing to change: they are so already."))
    return Flash(_words(store, change, form), f"/changes/{change.id}/undo")


def _words(store: Store, change: ChangePublic, form: BulkForm) -> Text:
    ideas = len(change.changed)
    tags = ", ".join(form.tags)
    if change.operation == "set_status" and form.status is not None:
        if form.status == "archived":
            return Counted("%(count)s idea is archived.", "%(count)s ideas are archived.", ideas)
        name = STATUS_NAMES[form.status]
        return Counted("%(count)s idea: %(name)s.", "%(count)s ideas: %(name)s.", ideas, name=name)
    if change.operation == "move" and form.board_id is not None:
        return Counted(
            "%(count)s idea moved to “%(board)s”.",
            "%(count)s ideas moved to “%(board)s”.",
            ideas,
            board=store.boards.get(form.board_id).name,
        )
    if change.operation == "delete":
        return Counted("%(count)s idea deleted.", "%(count)s ideas deleted.", ideas)
    if change.operation == "add_tags":
        return Counted(
            "%(count)s idea tagged %(tags)s.", "%(count)s ideas tagged %(tags)s.", ideas, tags=tags
        )
    return Counted(
        "%(tags)s removed from %(count)s idea.",
        "%(tags)s removed from %(count)s ideas.",
        ideas,
        tags=tags,
    )
