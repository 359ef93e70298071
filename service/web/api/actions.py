"""Brainstorm, refine, evaluate, rank over REST, each answering in the way the caller asks for.

By default the call waits and answers 200; `Accept: text/event-stream` streams the run's events;
`Prefer: respond-async` (RFC 7240) answers 202 at once. A caller who goes away from a waiting or
streaming call stops its run; one started with 202 goes on.
"""

import asyncio
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Header, Request, Response
from fastapi.openapi.models import Example
from fastapi.responses import JSONResponse

from service.errors import ClientLeft, EngineBusy
from service.ideation.brainstorm import redrawn
from service.ideation.kinds import renewed, repeated
from service.prompts.methods import METHODS
from service.runs.service import Runs
from service.schemas.brainstorm import (
    BrainstormAnswer,
    BrainstormTask,
    MethodPublic,
    RunRepeat,
    SuggestionRedraw,
)
from service.schemas.evaluation import (
    EvaluateAllAnswer,
    EvaluateAllTask,
    EvaluateAnswer,
    EvaluateBoard,
    EvaluateTask,
)
from service.schemas.ranking import RankAnswer, RankTask
from service.schemas.refinement import RefineAnswer, RefineTask
from service.schemas.run_kinds import answer
from service.schemas.runs import RunPublic, Task
from service.store import Store
from service.web.api.shared import Id, links, problems
from service.web.dependencies import ClientDep, MetricsDep, RunsDep, StoreDep
from service.web.metrics import Metrics
from service.web.sse import EventStream, json_events, while_connected

router = APIRouter(tags=["actions"])


@dataclass(frozen=True, slots=True)
class Responder:
    """Starts a run for a task and answers in the asked-for way."""

    request: Request
    store: Store
    runs: Runs
    metrics: Metrics
    client: str
    is_streaming: bool
    is_detached: bool

    async def respond(self, task: Task, redraws: str | None = None) -> Response | dict[str, Any]:
        try:
            run = await self.runs.start(task, client=self.client, redraws=redraws)
        except EngineBusy:
            self.metrics.run_refused()
            raise
        if self.is_detached:
            return _accepted(run)
        if self.is_streaming:
            return EventStream(
                json_events(self.runs.watch(run.run_id)),
                closed=lambda: self.runs.abandon(run.run_id),
            )
        return answer(await _wait_or_abandon(self.request, self.runs, run.run_id))


async def _responder(
    request: Request,
    store: StoreDep,
    runs: RunsDep,
    metrics: MetricsDep,
    client: ClientDep,
    accept: Annotated[str, Header(max_length=500)] = "*/*",
    prefer: Annotated[
        str, Header(max_length=500, description="`respond-async` answers 202 at once.")
    ] = "",
) -> Responder:
    is_streaming = "text/event-stream" in accept
    is_detached = "respond-async" in prefer
    return Responder(request, store, runs, metrics, client, is_streaming, is_detached)


def _accepted(run: RunPublic) -> Response:
    return JSONResponse(
        run.model_dump(mode="json"),
        status_code=202,
        headers={
            "Location": f"/api/v1/runs/{run.run_id}",
            "Preference-Applied": "respond-async",
        },
    )


async def _wait_or_abandon(request: Request, runs: Runs, run_id: str) -> RunPublic:
    try:
        async with while_connected(request.receive):
            return await runs.wait(run_id)
    except ClientLeft:
        runs.abandon(run_id)
        raise


ResponderDep = Annotated[Responder, Depends(_responder)]
_RESPONSES = problems(404, 409, 502, 503, 504) | {
    200: {
        "description": "The answer; or its events, if `text/event-stream` was asked for.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    },
    202: {"model": RunPublic, "description": "Started; `Location` is the run."},
}


_IDS = [f"{digit * 8}-0000-4000-8000-000000000000" for digit in "123"]
_BRAINSTORMS: dict[str, Example] = {
    "topic": {
        "summary": "For a topic",
        "value": {"topic": "a street party that costs nothing", "method": "scamper", "n": 5},
    },
    "idea": {"summary": "From an idea", "value": {"idea_id": _IDS[0], "n": 5}},
    "combine": {"summary": "Joining ideas", "value": {"idea_ids": _IDS, "n": 3}},
    "more": {"summary": "More like a suggestion", "value": {"suggestion_id": _IDS[0], "n": 4}},
    "less": {
        "summary": "Less like a text, and whatever is on the board",
        "value": {
            "topic": "a street party that costs nothing",
            "avoid": ["Cinema outside. Hang a sheet between two trees and borrow a projector."],
            "avoid_board": False,
        },
    },
}


def _with_links(**operations: str) -> dict[int | str, dict[str, Any]]:
    answered = _RESPONSES[200] | links(200, "run_id", **operations)[200]
    return _RESPONSES | {200: answered}


@router.get("/methods", operation_id="listMethods", summary="The ways to look for ideas")
async def list_methods() -> list[MethodPublic]:
    return [
        MethodPublic(
            id=method.id,
            title=method.title,
            when=method.when,
            angles=list(dict.fromkeys(angle.name for angle in method.angles)),
        )
        for method in METHODS.values()
    ]


@router.post(
    "/brainstorm",
    operation_id="brainstorm",
    summary="Ideas for a topic, from an idea or a suggestion, or joining several ideas",
    description="Gives `n` suggestions, each with its angle, no two alike. If the model cannot find "
    "as many, it gives those that it found, and `incomplete` says why some are missing. It fails only "
    "if there is none.",
    response_model=BrainstormAnswer,
    response_model_exclude_none=True,
    responses=_with_links(getRun="run_id", watchRun="run_id", cancelRun="run_id"),
)
async def brainstorm(
    task: Annotated[BrainstormTask, Body(openapi_examples=_BRAINSTORMS)], responder: ResponderDep
) -> Any:
    return await responder.respond(task)


@router.post(
    "/suggestions/{suggestion_id}/redraw",
    operation_id="redrawSuggestion",
    summary="Another suggestion in the place of this one",
    description="Asks the question of its run once more, under the same angle and with another "
    "seed, for something unlike this suggestion and those beside it. It is a run of its own; the "
    "old suggestion is discarded, names it in `redrawn_in`, and can be taken back with `reopen`. "
    "409 if it is an idea already, or was redrawn.",
    response_model=BrainstormAnswer,
    response_model_exclude_none=True,
    responses=_with_links(getRun="run_id", watchRun="run_id", cancelRun="run_id"),
)
async def redraw_suggestion(
    suggestion_id: Id, responder: ResponderDep, shape: SuggestionRedraw | None = None
) -> Any:
    seed = None if shape is None else shape.seed
    task = await asyncio.to_thread(redrawn, suggestion_id, responder.store, seed)
    return await responder.respond(task, redraws=suggestion_id)


@router.post(
    "/runs/{run_id}/repeat",
    operation_id="repeatRun",
    summary="The same question again, with the same or a new seed",
    description="It is a run of its own. With the same seed drafts are asked for exactly as "
    "before, and come out the same as far as the engine decodes them in the same company. With a "
    "new one, a brainstorm keeps away from the suggestions that were avoided, and a run over a "
    "board only judges what it has not yet, as it judged the rest.",
    response_model=(
        BrainstormAnswer | RefineAnswer | EvaluateAnswer | EvaluateAllAnswer | RankAnswer
    ),
    responses=_with_links(getRun="run_id", watchRun="run_id", cancelRun="run_id"),
)
async def repeat_run(run_id: Id, responder: ResponderDep, shape: RunRepeat | None = None) -> Any:
    run = await responder.runs.get(run_id)
    if shape is None or shape.seed == "same":
        return await responder.respond(repeated(run))
    return await responder.respond(await asyncio.to_thread(renewed, run, responder.store))


@router.post(
    "/refine",
    operation_id="refine",
    summary="A better text for an idea",
    description="The idea itself is not changed; `accept` of the run does that, with all edits or "
    "some. With `selection` only that passage is rewritten; 422 if the body does not hold it, or "
    "holds it more than once and `start` does not say which is meant.",
    response_model=RefineAnswer,
    responses=_with_links(acceptRefinement="run_id", rejectRefinement="run_id", listEdits="run_id"),
)
async def refine(task: RefineTask, responder: ResponderDep) -> Any:
    return await responder.respond(task)


@router.post(
    "/evaluate",
    operation_id="evaluate",
    summary="Scores, strengths, concerns and a next step",
    description="Scores go from 1 to 10; the same text gets the same scores. `overall` is their "
    "mean by the weights of the criteria. `spread` says how far off each score may be, and "
    "`scoring.uncalibrated` which ones are only what the model would say.",
    response_model=EvaluateAnswer,
    responses=_with_links(getRun="run_id"),
)
async def evaluate(task: EvaluateTask, responder: ResponderDep) -> Any:
    return await responder.respond(task)


@router.post(
    "/boards/{board_id}/evaluate",
    operation_id="evaluateBoard",
    summary="Evaluate many ideas of a board in one run",
    description="A few at a time, so that others are served in between. Each evaluation is stored "
    "as it comes and told as the event `evaluation`; an idea that cannot be evaluated is told as "
    "`failure` and does not stop the others. Stopping the run keeps what is finished. 409 if there "
    "is nothing to evaluate.",
    response_model=EvaluateAllAnswer,
    responses=_with_links(getRun="run_id", watchRun="run_id", cancelRun="run_id"),
)
async def evaluate_board(
    board_id: Id, responder: ResponderDep, asked: EvaluateBoard | None = None
) -> Any:
    fields = (asked or EvaluateBoard()).model_dump()
    return await responder.respond(EvaluateAllTask(board_id=board_id, **fields))


@router.post(
    "/rank",
    operation_id="rank",
    summary="Let the model compare a board's ideas in pairs",
    description="Asks about the pairs that tell most, each in both orders; where the orders "
    "disagree, it is a tie. It reads the first 800 characters of each text. The comparisons "
    "are kept as they come and count in `ranking?by=model`, which is a weak signal beside "
    "people's votes. 409 if there is no pair that it has not compared.",
    response_model=RankAnswer,
    responses=_with_links(getRun="run_id", watchRun="run_id", cancelRun="run_id"),
)
async def rank(task: RankTask, responder: ResponderDep) -> Any:
    return await responder.respond(task)
