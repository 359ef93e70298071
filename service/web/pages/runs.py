"""Routes for a run: show, stop and repeat it, and keep several of its suggestions."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from service.ideation.kinds import renew_task, repeat_task
from service.messages import Counted, Text
from service.schemas.ideas import IdeaPublic
from service.schemas.runs import RunPublic, Task
from service.web.dependencies import RunsDep, StoreDep
from service.web.pages.brainstorm_forms import SuggestionsForm
from service.web.pages.idempotency import OnceDep
from service.web.pages.responses import Flash, redirect, redirect_back, render
from service.web.pages.run_kinds import SHOWN_KINDS
from service.web.pages.start_run import RunStarter, brainstorm_address
from service.web.pages.views import view_run

router = APIRouter()


@router.get("/runs/{run_id}")
def show_run(request: Request, run_id: str, store: StoreDep, runs: RunsDep) -> Response:
    view = view_run(store, run_id, runs)
    return render(request, "runs/run.html", {"view": view}, board_id=view.run.board_id)


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
    request: Request, run_id: str, store: StoreDep, runs: RunsDep, once: OnceDep
) -> Response:
    """Repeats the run with a new seed."""
    run = await runs.get(run_id)
    task = await asyncio.to_thread(renew_task, run, store)
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
