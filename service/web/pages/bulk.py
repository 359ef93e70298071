"""Routes that change several ideas of a board at once, and undo such a change.

Deleting more than one idea needs a confirmation.
"""

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Request, Response

from service.messages import Counted, Text
from service.schemas.bulk import ChangePublic
from service.store import Store
from service.store.listing import IdeaQuery
from service.store.places import PLACE
from service.web.dependencies import StoreDep
from service.web.pages.confirmation import SHOWN_TITLES, Confirmation, confirmation_page
from service.web.pages.forms import BulkForm
from service.web.pages.idea_list import changed_list
from service.web.pages.responses import (
    Flash,
    current_address,
    redirect,
    redirect_back,
    targets_element,
)
from service.web.templating import STATUS_NAMES

router = APIRouter()


@router.post("/boards/{board_id}/bulk")
def change_ideas(
    request: Request, board_id: str, store: StoreDep, form: Annotated[BulkForm, Form()]
) -> Response:
    if form.must_confirm:
        return _confirm(request, store, board_id, form)
    change = store.changes.make(form.task)
    flash = change_flash(store, change, form)
    if not targets_element(request, "bulk"):
        return (
            redirect(form.to, flash)
            if form.to
            else redirect_back(request, f"/boards/{board_id}", flash)
        )
    return changed_list(request, store, board_id, form.ids, flash, with_bar=True)


@router.get("/boards/{board_id}/bulk")
def leave_confirmation(board_id: str) -> Response:
    """The confirmation has the address of its form, so reloading it ends up here."""
    return redirect(f"/boards/{board_id}")


@router.get("/changes/{change_id}")
def show_change(change_id: str, store: StoreDep) -> Response:
    """Redirects to the board of the first changed idea that still exists."""
    for idea_id in store.ideas.titles(store.changes.get(change_id).changed):
        return redirect(f"/boards/{store.ideas.get(idea_id).board_id}")
    return redirect("/")


@router.post("/changes/{change_id}/undo")
def undo_change(request: Request, change_id: str, store: StoreDep) -> Response:
    change = store.changes.undo(change_id)
    return redirect_back(request, "/", Flash(_undo_summary(change)))


def _undo_summary(change: ChangePublic) -> str:
    ideas = len(change.put_back or ())
    if not ideas:
        return Text("There is nothing left to undo.")
    if change.operation == "delete":
        return Counted(
            "%(count)s idea is back on the board.", "%(count)s ideas are back on the board.", ideas
        )
    if change.operation == PLACE:
        return Text("The idea is back where it was.")
    if change.operation == "restore":
        return Counted(
            "%(count)s idea is in the trash again.",
            "%(count)s ideas are in the trash again.",
            ideas,
        )
    return Counted(
        "Undid the change to %(count)s idea.", "Undid the change to %(count)s ideas.", ideas
    )


def _confirm(request: Request, store: Store, board_id: str, form: BulkForm) -> Response:
    ids = list(dict.fromkeys(form.ids))
    selection = IdeaQuery(board=board_id, ids=ids, limit=SHOWN_TITLES)
    titles = [idea.title for idea in store.ideas.page(selection).items]
    board = f"/boards/{board_id}"
    came_from = current_address(request, board)
    to = came_from if urlsplit(came_from).path == board else board
    question = Confirmation(
        title=Counted("Delete %(count)s idea?", "Delete %(count)s ideas?", len(ids)),
        detail=Text("They go to the trash of this board. You can restore them there."),
        button=Text("Delete"),
        action=f"{board}/bulk",
        cancel=to,
        fields=[("confirmed", "true"), ("to", to), *(("idea", idea_id) for idea_id in ids)],
        titles=titles,
        more=len(ids) - len(titles),
    )
    response = confirmation_page(request, question, board_id=board_id)
    # htmx would replace only the bar; the confirmation replaces the whole page.
    response.headers.update({"HX-Retarget": "#main", "HX-Reselect": "#main"})
    return response


def change_flash(store: Store, change: ChangePublic, form: BulkForm) -> Flash:
    """Says what was done. Its undo covers all ideas of the change."""
    if not change.changed:
        return Flash(Text("Nothing to change."))
    return Flash(_change_summary(store, change, form), f"/changes/{change.id}/undo")


def _change_summary(store: Store, change: ChangePublic, form: BulkForm) -> Text:
    ideas = len(change.changed)
    tags = ", ".join(form.tags)
    if change.operation == "set_status" and form.status is not None:
        if form.status == "archived":
            return Counted("%(count)s idea is archived.", "%(count)s ideas are archived.", ideas)
        name = STATUS_NAMES[form.status]
        return Counted(
            "%(count)s idea is now “%(name)s”.",
            "%(count)s ideas are now “%(name)s”.",
            ideas,
            name=name,
        )
    if change.operation == "move" and form.board_id is not None:
        return Counted(
            "%(count)s idea moved to “%(board)s”.",
            "%(count)s ideas moved to “%(board)s”.",
            ideas,
            board=store.boards.get(form.board_id).name,
        )
    if change.operation == "delete":
        return Counted("Deleted %(count)s idea.", "Deleted %(count)s ideas.", ideas)
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
