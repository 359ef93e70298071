"""Routes for a run: show, stop and repeat it, and keep several of its suggestions."""

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse

from service.ideation.brainstorm import missing_task
from service.ideation.kinds import renew_task, repeat_task
from service.messages import Counted, Text
from service.schemas.ideas import IdeaPublic
from service.schemas.runs import RunPublic, Task
from service.web.dependencies import RunsDep, StoreDep
from service.web.pages.brainstorm_forms import MoreForm, SuggestionsForm
from service.web.pages.idempotency import OnceDep
from service.web.pages.responses import Flash, fragment, redirect, redirect_back, render
from service.web.pages.run_kinds import SHOWN_KINDS
from service.web.pages.start_run import RunStarter, brainstorm_address
from service.web.pages.toasts import toast_of
from service.web.pages.views import view_run

router = APIRouter()


@router.get("/runs/{run_id}")
def show_run(
    request: Request,
    run_id: str,
    store: StoreDep,
    runs: RunsDep,
    order: Literal["made"] | None = None,
) -> Response:
    view = view_run(store, run_id, runs, best_first=order is None)
    return render(request, "runs/run.html", {"view": view}, board_id=view.run.board_id)


@router.get("/runs/{run_id}/toast")
def show_toast(request: Request, run_id: str, store: StoreDep, runs: RunsDep) -> Response:
    """How far the run is, for the pages of the board that do not show it."""
    view = view_run(store, run_id, runs)
    context = {"view": view, "toast": toast_of(view)}
    return HTMLResponse(fragment(request, "runs/_toast.html", context))


@router.post("/runs/{run_id}/stop")
async def stop(request: Request, run_id: str, runs: RunsDep) -> Response:
    await runs.cancel(run_id)
    return redirect_back(
        request, f"/runs/{run_id}", Flash(Text("Stopped. Finished ideas are kept."))
    )


@router.post("/runs/{run_id}/again")
async def run_again(request: Request, run_id: str, runs: RunsDep, once: OnceDep) -> Response:
    """Repeats the run with the same seed."""
    run = await runs.get(run_id)
    return await _repeat(request, runs, once, run, repeat_task(run))


@router.post("/runs/{run_id}/more")
async def more(
    request: Request,
    run_id: str,
    store: StoreDep,
    runs: RunsDep,
    once: OnceDep,
    form: Annotated[MoreForm, Form()],
) -> Response:
    """Repeats the run with a new seed, or asks only for the ideas that it did not make."""
    run = await runs.get(run_id)
    renew = missing_task if form.only_missing else renew_task
    task = await asyncio.to_thread(renew, run, store)
    return await _repeat(request, runs, once, run, task)


@router.post("/runs/{run_id}/keep-all")
def keep_all(request: Request, run_id: str, store: StoreDep) -> Response:
    return _kept(request, run_id, store.suggestions.keep_many(run_id))


@router.post("/runs/{run_id}/keep-selected")
def keep_selected(
    request: Request, run_id: str, store: StoreDep, form: Annotated[SuggestionsForm, Form()]
) -> Response:
    return _kept(request, run_id, store.suggestions.keep_many(run_id, form.ids))


def _kept(request: Request, run_id: str, kept: list[IdeaPublic]) -> Response:
    notice = Counted(
        "%(count)s idea is on the board now.", "%(count)s ideas are on the board now.", len(kept)
    )
    return redirect_back(request, f"/runs/{run_id}", Flash(notice))


async def _repeat(
    request: Request, runs: RunsDep, once: OnceDep, run: RunPublic, task: Task
) -> Response:
    run_id = await RunStarter(request, runs, once).start(task)
    page = SHOWN_KINDS[run.kind].page(run, run.idea_id)
    return redirect(
        f"{page}?run={run_id}" if page else brainstorm_address(request, run.board_id, run_id)
    )
