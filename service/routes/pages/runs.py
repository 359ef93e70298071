"""A run: watched, stopped, asked again; all it suggests kept at once."""

from typing import Any

from fastapi import APIRouter, Request, Response

from service.comparison_shapes import RankTask
from service.dependencies import RunsDep, StoreDep
from service.errors import Conflict
from service.routes.pages.once import OnceDep
from service.routes.pages.replies import Flash, back, redirect, render
from service.routes.pages.starting import Starter, task_of
from service.routes.pages.views import view_run
from service.shapes import BrainstormTask, EvaluateTask, RefineTask, RunPublic, Task
from service.wording import Counted, Text

TASKS: dict[str, type[BrainstormTask | RefineTask | EvaluateTask | RankTask]] = {
    "brainstorm": BrainstormTask,
    "refine": RefineTask,
    "evaluate": EvaluateTask,
    "rank": RankTask,
}
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
    return await _repeat(request, runs, once, run, seed=run.seed)


@router.post("/runs/{run_id}/more")
async def more(request: Request, run_id: str, runs: RunsDep, once: OnceDep) -> Response:
    """The same question with a new seed."""
    return await _repeat(request, runs, once, await runs.get(run_id), seed=None)


@router.post("/runs/{run_id}/keep-all")
def keep_all(request: Request, run_id: str, store: StoreDep) -> Response:
    kept = [each for each in store.runs.get(run_id).suggestions if each.state == "open"]
    for suggestion in kept:
        store.runs.keep(suggestion.id)
    told = Counted(
        "%(count)s idea is on the board now.", "%(count)s ideas are on the board now.", len(kept)
    )
    return back(request, f"/runs/{run_id}", Flash(told))


async def _repeat(
    request: Request, runs: RunsDep, once: OnceDep, run: RunPublic, *, seed: int | None
) -> Response:
    if run.status in ("queued", "running"):
        raise Conflict(Text("This run is not over yet. Stop it first, or wait."))
    fields: dict[str, Any] = {key: value for key, value in run.request.items() if key != "seed"}
    task: Task = task_of(TASKS[run.kind], **fields, seed=seed)
    run_id = await Starter(request, runs, once).start(task)
    if run.kind != "brainstorm" and run.idea_id:
        return redirect(f"/ideas/{run.idea_id}?run={run_id}")
    if run.kind == "rank":
        return redirect(f"/boards/{run.board_id}/rank?run={run_id}")
    is_on_board = "/boards/" in request.headers.get("referer", "")
    return redirect(f"/boards/{run.board_id}?run={run_id}" if is_on_board else f"/runs/{run_id}")
