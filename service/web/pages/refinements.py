"""Routes to accept, edit or reject a proposed text, and to compare versions of an idea."""

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request, Response, status

from service.errors import InvalidInput, LostUpdate
from service.messages import Text
from service.schemas.fields import Version
from service.schemas.refinement import Acceptance
from service.store import Store
from service.store.cursors import PageOf
from service.text.edits import Note
from service.web.dependencies import StoreDep
from service.web.pages.forms import AcceptForm, EditQuery
from service.web.pages.responses import Flash, redirect, render
from service.web.pages.start_run import validate_as

# Of an idea with more versions, the numbers of those to compare are typed.
MOST_CHOICES = 100
router = APIRouter()


@router.post("/runs/{run_id}/accept")
def accept(
    request: Request, run_id: str, store: StoreDep, form: Annotated[AcceptForm, Form()]
) -> Response:
    if form.take == "edit":
        return redirect(f"/runs/{run_id}/edit?{urlencode(form.query, doseq=True)}")
    choice = _choice(form)
    try:
        idea = store.refinements.accept(run_id, choice, revision=form.revision)
    except LostUpdate:
        return _conflict(request, store, run_id, form)
    accepted = Text("Accepted. The idea is now at version %(number)s.", number=idea.version)
    return redirect(f"/ideas/{idea.id}", Flash(accepted, _undo(run_id, idea.version)))


@router.post("/runs/{run_id}/reject")
def reject(run_id: str, store: StoreDep) -> Response:
    run = store.refinements.reject(run_id)
    idea = store.ideas.get(run.idea_id or "")
    rejected = Text("Rejected. The text is unchanged.")
    return redirect(f"/ideas/{idea.id}", Flash(rejected, _undo(run_id, idea.version)))


@router.post("/runs/{run_id}/reopen/{version}")
def reopen(run_id: str, version: int, store: StoreDep) -> Response:
    """Undoes the decision, unless the idea has a newer version than `version`."""
    run = store.refinements.reopen(run_id, version=version)
    reopened = Flash(Text("Undone. You can decide again."))
    return redirect(f"/ideas/{run.idea_id}?run={run_id}", reopened)


@router.get("/runs/{run_id}/edit")
def edit(
    request: Request, run_id: str, store: StoreDep, query: Annotated[EditQuery, Query()]
) -> Response:
    note = store.refinements.composed(run_id, _choice(query))
    idea = store.ideas.get(store.runs.get(run_id).idea_id or "")
    if query.idea_version not in (None, idea.version):
        return _look_again(idea.id, run_id)
    context = {"idea": idea, "mine": note, "choice": query, "run_id": run_id}
    return render(request, "ideas/edit_proposal.html", context, board_id=idea.board_id)


@router.get("/ideas/{idea_id}/compare")
def compare(
    request: Request,
    idea_id: str,
    store: StoreDep,
    before: Annotated[Version | None, Query(alias="from")] = None,
    after: Annotated[Version | None, Query(alias="to")] = None,
) -> Response:
    idea = store.ideas.get(idea_id)
    context = {
        "idea": idea,
        "board": store.boards.get(idea.board_id),
        "versions": store.ideas.version_page(idea_id, PageOf(MOST_CHOICES)).items,
        "compared": store.refinements.compare(idea_id, before, after),
    }
    return render(request, "ideas/compare.html", context, board_id=idea.board_id)


def _undo(run_id: str, version: int) -> str:
    return f"/runs/{run_id}/reopen/{version}"


def _choice(form: EditQuery) -> Acceptance:
    if form.take == "chosen" and not form.edits:
        raise InvalidInput(
            Text("Tick at least one change to accept, or reject the proposal."), pointer="/edits"
        )
    fields: dict[str, Any] = form.model_dump(include={"title", "body", "idea_version"})
    return validate_as(Acceptance, **fields, edits=form.edits if form.take == "chosen" else None)


def _conflict(request: Request, store: Store, run_id: str, form: AcceptForm) -> Response:
    """Shows the new text of the idea beside the proposal, or beside what was typed."""
    idea = store.ideas.get(store.runs.get(run_id).idea_id or "")
    if form.title is None and form.body is None:
        return _look_again(idea.id, run_id)
    mine = Note(form.title or idea.title, form.body or "")
    context = {"idea": idea, "mine": mine, "choice": form, "run_id": run_id}
    return render(
        request,
        "ideas/conflict.html",
        context,
        board_id=idea.board_id,
        status_code=status.HTTP_409_CONFLICT,
    )


def _look_again(idea_id: str, run_id: str) -> Response:
    """Redirects to the run, which shows its changes against the new text of the idea."""
    return redirect(
        f"/ideas/{idea_id}?run={run_id}",
        Flash(Text("Somebody else saved this idea. Check the changes again.")),
    )
