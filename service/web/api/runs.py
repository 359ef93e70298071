"""Routes for runs: list them, get their state, watch their events, and stop them."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response

from service.schemas.fields import RunKind, RunStatus
from service.schemas.runs import RunPublic
from service.store.run_listing import RunQuery
from service.web.api.shared import NEXT_PAGE, Cursor, Id, link_next, problems
from service.web.dependencies import RunsDep, StoreDep
from service.web.sse import EventStream, json_events
from service.web.watching import ReaderDep

router = APIRouter(tags=["runs"])


@router.get(
    "/runs",
    operation_id="listRuns",
    summary="List runs, newest first",
    description='The header `Link: <…>; rel="next"` leads to the next page; the last page has '
    "none.",
    responses=NEXT_PAGE,
)
def list_runs(
    request: Request,
    response: Response,
    store: StoreDep,
    board: Annotated[str | None, Query(max_length=64)] = None,
    idea: Annotated[str | None, Query(max_length=64)] = None,
    kind: RunKind | None = None,
    status: RunStatus | None = None,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> list[RunPublic]:
    query = RunQuery(
        board_id=board, idea_id=idea, kind=kind, status=status, cursor=cursor, limit=limit
    )
    return link_next(request, response, store.runs.page(query))


@router.get(
    "/runs/{run_id}",
    operation_id="getRun",
    summary="Get the state of a run, with its provenance",
    responses=problems(404),
)
def get_run(run_id: Id, runs: RunsDep) -> RunPublic:
    return runs.read(run_id)


@router.get(
    "/runs/{run_id}/events",
    operation_id="watchRun",
    summary="Watch the events of a run until it ends",
    description="Sends all events from the first one: `queued`, `started`, `delta`, `suggestion`, "
    "`comparison`, `evaluation`, `failure`, `result`, `done` or `error`. Disconnecting does not "
    "stop the run. Send `Last-Event-ID` to continue after that event. The stream ends without `done` "
    "when you may not read the run any more.",
    response_class=Response,
    responses=problems(404) | {200: {"content": {"text/event-stream": {}}}},
)
async def watch_run(
    run_id: Id,
    runs: RunsDep,
    reader: ReaderDep,
    last_event_id: Annotated[str | None, Header(max_length=20)] = None,
) -> Response:
    if runs.live(run_id) is None:
        await runs.get(run_id)  # a 404 must come before the stream begins
    seen = int(last_event_id) if last_event_id and last_event_id.isdecimal() else 0
    events = json_events(runs.watch(run_id, after=seen))
    return EventStream(events, until=reader.until_lost(run_id))


@router.post(
    "/runs/{run_id}/cancel",
    operation_id="cancelRun",
    summary="Stop a run and free the model",
    description="Finished results are kept. A run that has already ended is not changed.",
    responses=problems(404),
)
async def cancel_run(run_id: Id, runs: RunsDep) -> RunPublic:
    return await runs.cancel(run_id)
