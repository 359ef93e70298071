"""The route that moves a card: to another place in its lane, or to another lane."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from pydantic import TypeAdapter, ValidationError

from service.errors import InvalidInput
from service.messages import Text
from service.schemas.fields import Status, Tag
from service.schemas.ideas import IdeaPublic
from service.store import Store
from service.store.places import NO_EDIT, LaneEdit, Spot
from service.web.dependencies import StoreDep
from service.web.pages.forms import PlaceForm
from service.web.pages.idea_list import current_query, idea_query, list_context
from service.web.pages.lanes import lane_query
from service.web.pages.responses import Flash, redirect_back, render, targets_element
from service.web.templating import STATUS_NAMES

_STATUS: TypeAdapter[Status] = TypeAdapter(Status)
_TAG: TypeAdapter[Tag] = TypeAdapter(Tag)
router = APIRouter()


@router.post("/ideas/{idea_id}/place")
def move_card(
    request: Request, idea_id: str, store: StoreDep, form: Annotated[PlaceForm, Form()]
) -> Response:
    board_id = store.ideas.get(idea_id).board_id
    spot = _spot(request, store, board_id, idea_id, form)
    idea, change = store.places.move(idea_id, spot, _edit(form))
    undo = f"/changes/{change.id}/undo"
    flash = (
        Flash(_summary(idea, form), undo) if change.changed else Flash(Text("Nothing to change."))
    )
    if not targets_element(request, "list"):
        return redirect_back(request, f"/boards/{board_id}", flash)
    query = current_query(request).model_copy(update={"view": "lanes", "by": form.by})
    board, selection = store.boards.get(board_id), idea_query(store, board_id, query)
    context = list_context(store, board, query, selection) | {"flash": flash}
    return render(request, "boards/_moved.html", context, board_id=board_id)


def _edit(form: PlaceForm) -> LaneEdit:
    """What the idea needs to be in the lane that it goes to."""
    lane = form.to_lane
    if lane == form.from_lane:
        return NO_EDIT
    try:
        if form.by == "status":
            return LaneEdit(status=_STATUS.validate_python(lane))
        if form.untag:
            return LaneEdit(tags=[])
        return LaneEdit(swapped=(form.from_lane, _TAG.validate_python(lane)))
    except ValidationError as error:
        raise InvalidInput(Text("There is no such lane."), pointer="/lane") from error


def _spot(request: Request, store: Store, board_id: str, idea_id: str, form: PlaceForm) -> Spot:
    if form.before or form.after:
        return Spot(before=form.before, after=form.after)
    if form.to in (None, "top"):
        return Spot()
    if form.to == "same":
        return Spot(is_kept=True)
    # One step is a step among the cards that are shown.
    selection = idea_query(store, board_id, current_query(request))
    ids = store.ideas.ids(lane_query(selection, form.by, form.from_lane))
    if idea_id not in ids or len(ids) == 1:
        return Spot(is_kept=True)
    at = ids.index(idea_id)
    if form.to == "up":
        return Spot(before=ids[at - 1]) if at else Spot(is_kept=True)
    below = ids[-1] if form.to == "bottom" else ids[min(at + 1, len(ids) - 1)]
    return Spot(after=below) if below != idea_id else Spot(is_kept=True)


def _summary(idea: IdeaPublic, form: PlaceForm) -> Text:
    old, new = form.from_lane, form.to_lane
    if form.by == "status":
        name = STATUS_NAMES.get(new, new)
        if old == new:
            return Text("Moved “%(title)s” within “%(lane)s”.", title=idea.title, lane=name)
        return Text("Moved “%(title)s” to “%(lane)s”.", title=idea.title, lane=name)
    if old == new:
        return Text("Moved “%(title)s”.", title=idea.title)
    if not new:
        return Text("“%(title)s” has no tags now.", title=idea.title)
    if not old:
        return Text("“%(title)s” is now tagged “%(new)s”.", title=idea.title, new=new)
    return Text(
        "“%(title)s” is now tagged “%(new)s” instead of “%(old)s”.",
        title=idea.title,
        new=new,
        old=old,
    )
