"""What people do with a suggestion: keep it, keep it changed, discard it, take that back."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from service.dependencies import StoreDep
from service.routes.pages.forms import TextForm
from service.routes.pages.replies import Flash, back
from service.wording import Text

router = APIRouter(prefix="/suggestions/{suggestion_id}")


@router.post("/keep")
def keep(
    request: Request, suggestion_id: str, store: StoreDep, form: Annotated[TextForm, Form()]
) -> Response:
    run_id, _ = store.suggestions.get(suggestion_id)
    idea, _ = store.suggestions.keep(suggestion_id, title=form.title, body=form.body)
    return back(
        request,
        f"/runs/{run_id}",
        Flash(Text("“%(title)s” is on the board now.", title=idea.title)),
    )


@router.post("/discard")
def discard(request: Request, suggestion_id: str, store: StoreDep) -> Response:
    run_id, _ = store.suggestions.get(suggestion_id)
    title = store.suggestions.discard(suggestion_id).title
    discarded = Text("“%(title)s” is discarded.", title=title)
    flash = Flash(discarded, f"/suggestions/{suggestion_id}/reopen")
    return back(request, f"/runs/{run_id}", flash)


@router.post("/reopen")
def reopen(request: Request, suggestion_id: str, store: StoreDep) -> Response:
    run_id, _ = store.suggestions.get(suggestion_id)
    store.suggestions.reopen(suggestion_id)
    return back(request, f"/runs/{run_id}")
