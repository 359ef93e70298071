"""A run: watched, stopped, asked again; all it suggests kept at once."""

import asyncio

from fastapi import APIRouter, Request, Response

from service.dependencies import RunsDep, StoreDep
from service.ideation import asked_anew, repeated
from service.routes.pages.once import OnceDep
from service.routes.pages.replies import Flash, back, redirect, render
from service.routes.pages.starting import Starter
from service.routes.pages.views import view_run
from service.shapes import RunPublic, Task
from service.wording import Counted, Text

router = APIRouter()


@router.get("/runs/{run_id}")
def show_run(request: Request, run_id: str, store: StoreDep, runs: RunsDep) -> Response:
    view = view_run(store, run_id, runs.live(run_id))
    if not view.address.startswith("/runs/"):
        return redirect(view.address)
    return render(request, "run.html", {"view": view}, board_id=view.run.board_id)


@router.post("/runs/{run_id}/stop")
async def stop(request: Request, run_id: str, runs: RunsDep) -> Response:
    await runs.cancel(run_id)
    return back(
        request, f"/runs/{run_id}", Flash(Text("Stopped. What was made until then is kept."))
    )


@router.post("/runs/{run_id}/again")
async def run_again(request: Request, run_id: str, runs: RunsDep, once: OnceDep) -> Response:
    """The same question with the same seed."""
    run = await runs.get(run_id)
    return await _repeat(request, runs, once, run, repeated(run))


@router.post("/runs/{run_id}/more")
async def more(
    request: Request, run_id: str, store: StoreDep, runs: RunsDep, once: OnceDep
) -> Response:
    """The same question with a new seed."""
    run = await runs.get(run_id)
    task = await asyncio.to_thread(asked_anew, run, store)
    return await _repeat(request, runs, once, run, task)


@router.post("/runs/{run_id}/keep-all")
def keep_all(request: Request, run_id: str, store: StoreDep) -> Response:
    kept = store.suggestions.keep_many(run_id)
    told = Counted(
        "%(count)s idea is on the board now.", "%(count)s ideas are on the board now.", len(kept)
    )
    return back(request, f"/runs/{run_id}", Flash(told))


async def _repeat(
    request: Request, runs: RunsDep, once: OnceDep, run: RunPublic, task: Task
) -> Response:
    run_id = await Starter(request, runs, once).start(task)
    if run.kind != "brainstorm" and run.idea_id:
        return redirect(f"/ideas/{run.idea_id}?run={run_id}")
    if run.kind == "rank":
        return redirect(f"/boards/{run.board_id}/rank?run={run_id}")
    if run.kind == "evaluate-all":
        return redirect(f"/boards/{run.board_id}?run={run_id}")
    is_on_board = "/boards/" in request.headers.get("referer", "")
    return redirect(f"/boards/{run.board_id}?run={run_id}" if is_on_board else f"/runs/{run_id}")
