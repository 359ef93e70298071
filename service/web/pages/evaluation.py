"""Routes that evaluate many ideas in one run, and the table of their scores."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response

from service.analysis.rubrics import score_table, sorted_table
from service.analysis.ties import table_places
from service.schemas.evaluation import EvaluateAllTask
from service.web.dependencies import RunsDep, StoreDep
from service.web.pages.evaluation_forms import EvaluateForm, EvaluateSelectedForm, TableQuery
from service.web.pages.forms import BoardQuery
from service.web.pages.idea_list import address, current_query
from service.web.pages.idempotency import OnceDep
from service.web.pages.responses import redirect, render
from service.web.pages.start_run import RunStarter, validate_as
from service.web.pages.views import shown_run

SHOWN_ROWS = 200
router = APIRouter(prefix="/boards/{board_id}")


@router.post("/evaluate")
async def evaluate_shown(
    request: Request,
    board_id: str,
    runs: RunsDep,
    once: OnceDep,
    form: Annotated[EvaluateForm, Form()],
) -> Response:
    query = BoardQuery(q=form.q, tag=form.tag, status=form.status, star=form.star or None)
    task = validate_as(
        EvaluateAllTask,
        board_id=board_id,
        rubric_id=form.rubric,
        only_outdated=form.only_outdated,
        q=query.q,
        tags=query.tag,
        status=None if query.status == "any" else query.status,
        archived=query.status == "any",
        star=query.star,
    )
    run_id = await RunStarter(request, runs, once).start(task)
    if form.is_table:
        return redirect(TableQuery(rubric=form.rubric).address(board_id, run=run_id))
    return redirect(address(board_id, query, run=run_id))


@router.post("/evaluate-selected")
async def evaluate_selected(
    request: Request,
    board_id: str,
    runs: RunsDep,
    once: OnceDep,
    form: Annotated[EvaluateSelectedForm, Form()],
) -> Response:
    task = validate_as(EvaluateAllTask, board_id=board_id, idea_ids=form.ids, rubric_id=form.rubric)
    run_id = await RunStarter(request, runs, once).start(task)
    return redirect(address(board_id, current_query(request), run=run_id) + "#run")


@router.get("/table")
def show_table(
    request: Request,
    board_id: str,
    store: StoreDep,
    runs: RunsDep,
    query: Annotated[TableQuery, Query()],
) -> Response:
    board = store.boards.get(board_id)
    under_way = store.runs.unfinished(board_id, "evaluate-all")
    if query.run is None and under_way is not None:
        return redirect(query.address(board_id, run=under_way))
    # Read the run before the ideas: if it ends in between, its results are still on this page.
    view = shown_run(store, runs, query.run)
    table = score_table(store, board_id, query.rubric)
    rows = sorted_table(table, query.sort, query.order).ideas
    context = {
        "board": board,
        "query": query,
        "view": view,
        "rubrics": store.rubrics.all(board_id),
        "table": table,
        "rows": rows[:SHOWN_ROWS],
        "places": table_places(table),
        "titles": {row.idea_id: row.title for row in rows},
        "more": len(rows) - SHOWN_ROWS,
        "uncalibrated": {name for row in rows for name in row.uncalibrated},
        "outdated": sum(row.is_stale or row.evaluated_at is None for row in rows),
    }
    return render(request, "boards/table.html", context, board_id=board_id)
