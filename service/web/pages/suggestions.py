"""Routes for a suggestion: keep, discard, avoid or redraw it, or get more like it."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from service.ideation.brainstorm import redraw_task
from service.messages import Text
from service.schemas.brainstorm import BrainstormTask
from service.web.dependencies import RunsDep, StoreDep
from service.web.pages.forms import KeepForm
from service.web.pages.idempotency import OnceDep
from service.web.pages.responses import Flash, redirect, redirect_back
from service.web.pages.start_run import RunStarter, brainstorm_address, validate_as

# Fields of a run's request that "more like this" copies.
COPIED_FIELDS = ("method", "creativity", "context", "avoid_board", "avoid")
MORE = 4
router = APIRouter(prefix="/suggestions/{suggestion_id}")


@router.get("")
def show_suggestion(suggestion_id: str, store: StoreDep) -> Response:
    """A suggestion has no page of its own, so this redirects to its place in the run."""
    run_id, _ = store.suggestions.get(suggestion_id)
    return redirect(f"/runs/{run_id}#s-{suggestion_id}")


@router.post("/keep")
def keep(
    request: Request, suggestion_id: str, store: StoreDep, form: Annotated[KeepForm, Form()]
) -> Response:
    run_id, _ = store.suggestions.get(suggestion_id)
    idea, _ = store.suggestions.keep(suggestion_id, title=form.title, body=form.body)
    kept = Text("“%(title)s” is on the board now.", title=idea.title)
    if form.part is not None:
        return redirect(f"/ideas/{idea.id}#{form.part}", Flash(kept))
    flash = Flash(kept, f"/suggestions/{suggestion_id}/reopen")
    return redirect_back(request, f"/runs/{run_id}", flash)


@router.post("/discard")
def discard(request: Request, suggestion_id: str, store: StoreDep) -> Response:
    run_id, _ = store.suggestions.get(suggestion_id)
    title = store.suggestions.discard(suggestion_id).title
    discarded = Text("“%(title)s” is discarded.", title=title)
    flash = Flash(discarded, f"/suggestions/{suggestion_id}/reopen")
    return redirect_back(request, f"/runs/{run_id}", flash)


@router.post("/avoid")
def avoid(request: Request, suggestion_id: str, store: StoreDep) -> Response:
    run_id, _ = store.suggestions.get(suggestion_id)
    title = store.suggestions.avoid(suggestion_id).title
    avoided = Text("The next suggestions will be less like “%(title)s”.", title=title)
    flash = Flash(avoided, f"/suggestions/{suggestion_id}/reopen")
    return redirect_back(request, f"/runs/{run_id}", flash)


@router.post("/redraw")
async def redraw(
    request: Request, suggestion_id: str, store: StoreDep, runs: RunsDep, once: OnceDep
) -> Response:
    run_id, _ = await asyncio.to_thread(store.suggestions.get, suggestion_id)
    task = await asyncio.to_thread(redraw_task, suggestion_id, store)
    await RunStarter(request, runs, once).start(task, redraws=suggestion_id)
    return redirect_back(request, f"/runs/{run_id}")


@router.post("/more")
async def more_like(
    request: Request, suggestion_id: str, store: StoreDep, runs: RunsDep, once: OnceDep
) -> Response:
    """Starts a brainstorm from the suggestion, with the settings of its run."""
    run_id, _ = await asyncio.to_thread(store.suggestions.get, suggestion_id)
    run = await runs.get(run_id)
    alike = {name: run.request[name] for name in COPIED_FIELDS if name in run.request}
    task = validate_as(BrainstormTask, suggestion_id=suggestion_id, n=MORE, **alike)
    return redirect(
        brainstorm_address(request, run.board_id, await RunStarter(request, runs, once).start(task))
    )


@router.post("/reopen")
def reopen(request: Request, suggestion_id: str, store: StoreDep) -> Response:
    run_id, _ = store.suggestions.get(suggestion_id)
    store.suggestions.take_back(suggestion_id)
    return redirect_back(request, f"/runs/{run_id}")
