"""What people do with a proposed text: take it or parts of it, changed or not, or leave it."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Response

from service.dependencies import StoreDep
from service.errors import InvalidInput
from service.refinement_shapes import Acceptance
from service.routes.pages.forms import AcceptForm
from service.routes.pages.replies import Flash, redirect
from service.routes.pages.starting import task_of
from service.wording import Text

router = APIRouter()


@router.post("/runs/{run_id}/accept")
def accept(run_id: str, store: StoreDep, form: Annotated[AcceptForm, Form()]) -> Response:
    choice = _choice(form)
    idea = store.refinements.accept(run_id, choice, revision=form.revision)
    accepted = Text("Accepted. This is version %(number)s now.", number=idea.version)
    return redirect(f"/ideas/{idea.id}", Flash(accepted))


@router.post("/runs/{run_id}/reject")
def reject(run_id: str, store: StoreDep) -> Response:
    run = store.refinements.reject(run_id)
    return redirect(f"/ideas/{run.idea_id}", Flash(Text("Rejected. The text is as it was.")))


def _choice(form: AcceptForm) -> Acceptance:
    if form.take == "chosen" and not form.edits:
        raise InvalidInput(Text("Tick at least one change to accept, or reject the proposal."))
    fields: dict[str, Any] = form.model_dump(include={"title", "body", "idea_version"})
    return task_of(Acceptance, **fields, edits=form.edits if form.take == "chosen" else None)
