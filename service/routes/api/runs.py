"""Runs over REST: how they stand, their events, stopping them, and what is done with what they made."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Response, status

from service.dependencies import RunsDep, StoreDep
from service.routes.api.shared import Id, problems, tag
from service.shapes import IdeaPublic, RunPublic, SuggestionKeep, SuggestionPublic
from service.streaming import EventStream, json_events

router = APIRouter(tags=["runs"])


@router.get("/runs", operation_id="listRuns", summary="The newest runs")
def list_runs(
    store: StoreDep,
    board: Annotated[str | None, Query(max_length=64)] = None,
    idea: Annotated[str | None, Query(max_length=64)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> list[RunPublic]:
    return store.runs.recent(board_id=board, idea_id=idea, limit=limit)


@router.get(
    "/runs/{run_id}",
    operation_id="getRun",
    summary="A run as it stands, with its provenance",
    responses=problems(404),
)
def get_run(run_id: Id, store: StoreDep) -> RunPublic:
    return store.runs.get(run_id)


@router.get(
    "/runs/{run_id}/events",
    operation_id="watchRun",
    summary="The run's events from the first, until it is over",
    description="Server-sent events `queued`, `started`, `delta`, `suggestion`, "
    "`comparison`, `result`, `done` or `error`. Going away does not stop the run; `Last-Event-ID` resumes after what was seen.",
    response_class=Response,
    responses=problems(404) | {200: {"content": {"text/event-stream": {}}}},
)
async def watch_run(
    run_id: Id,
    runs: RunsDep,
    last_event_id: Annotated[str | None, Header(max_length=20)] = None,
) -> Response:
    if runs.live(run_id) is None:
        await runs.get(run_id)  # a 404 must come before the stream begins
    seen = int(last_event_id) if last_event_id and last_event_id.isdecimal() else 0
    return EventStream(json_events(runs.watch(run_id, after=seen)))


@router.post(
    "/runs/{run_id}/cancel",
    operation_id="cancelRun",
    summary="Stop a run and free the model",
    description="What was made until then stays. A run that is over is left as it is.",
    responses=problems(404),
)
async def cancel_run(run_id: Id, runs: RunsDep) -> RunPublic:
    return await runs.cancel(run_id)


@router.post(
    "/suggestions/{suggestion_id}/keep",
    operation_id="keepSuggestion",
    summary="Make a suggestion an idea",
    description="The body may give it another title or text. Keeping twice makes one idea: the "
    "second time answers 200 with it.",
    status_code=status.HTTP_201_CREATED,
    responses=problems(404, 409)
    | {200: {"model": IdeaPublic, "description": "It was kept before; this is the idea."}},
)
def keep_suggestion(
    suggestion_id: Id, store: StoreDep, response: Response, shape: SuggestionKeep | None = None
) -> IdeaPublic:
    shape = shape or SuggestionKeep()
    idea, is_new = store.runs.keep(suggestion_id, title=shape.title, body=shape.body)
    if not is_new:
        response.status_code = status.HTTP_200_OK
    response.headers["Location"] = f"/api/v1/ideas/{idea.id}"
    return tag(response, idea)


@router.post(
    "/suggestions/{suggestion_id}/discard",
    operation_id="discardSuggestion",
    summary="Put a suggestion aside",
    responses=problems(404, 409),
)
def discard_suggestion(suggestion_id: Id, store: StoreDep) -> SuggestionPublic:
    return store.runs.discard(suggestion_id)


@router.post(
    "/suggestions/{suggestion_id}/reopen",
    operation_id="reopenSuggestion",
    summary="Take a discard back",
    responses=problems(404, 409),
)
def reopen_suggestion(suggestion_id: Id, store: StoreDep) -> SuggestionPublic:
    return store.runs.reopen(suggestion_id)
