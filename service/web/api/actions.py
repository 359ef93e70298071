"""Routes that start runs: brainstorm, refine, evaluate and rank, with three ways to answer.

By default the call waits and answers 200; `Accept: text/event-stream` streams the run's events;
`Prefer: respond-async` (RFC 7240) answers 202 at once. If the caller of a waiting or streaming
call disconnects, its run is stopped. A run continues if it was started with 202 or with an
`Idempotency-Key`; a repeated request with that key joins the run.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Header, Response
from fastapi.openapi.models import Example
from fastapi.responses import JSONResponse

from service.errors import ClientLeft, EngineBusy
from service.ideation.brainstorm import redraw_task
from service.ideation.kinds import renew_task, repeat_task
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
from service.store.keyed_answers import RequestKey
from service.web.api.idempotency import REPLAYED, KeyedRequest, KeyedRequestDep
from service.web.api.shared import Id, links, problems
from service.web.dependencies import ClientDep, MetricsDep, RunsDep
from service.web.metrics import Metrics
from service.web.sse import EventStream, json_events, while_connected
from service.web.watching import Reader, ReaderDep

router = APIRouter(tags=["actions"])


@dataclass(frozen=True, slots=True)
class Responder:
    """Starts a run for a task and answers in the way that the request headers ask for."""

    keyed_request: KeyedRequest
    runs: Runs
    metrics: Metrics
    reader: Reader
    client: str
    is_streaming: bool
    is_detached: bool

    @property
    def store(self) -> Store:
        return self.keyed_request.store

    async def respond(self, task: Task) -> Response | dict[str, Any]:
        async def given() -> Task:
            return task

        return await self.respond_to(given)

    async def respond_to(
        self, find_task: Callable[[], Awaitable[Task]], *, redraws: str | None = None
    ) -> Response | dict[str, Any]:
        """`find_task` is not called for a repeated request, whose run there is already."""
        run, is_new = await self._run_once(find_task, redraws)
        marks = {} if is_new else {REPLAYED: "true"}
        if self.is_detached or self.is_streaming:
            response = _accepted(run) if self.is_detached else self._stream(run.run_id)
            response.headers.update(marks)
            return response
        self.keyed_request.response.headers.update(marks)
        return answer(await self._wait(run.run_id))

    async def _run_once(
        self, find_task: Callable[[], Awaitable[Task]], redraws: str | None
    ) -> tuple[RunPublic, bool]:
        """Returns the run of this request, and whether it was started now."""
        request = self.keyed_request
        if request.key is None:
            return await self._start(await find_task(), redraws, None), True
        key = request.identify(request.key)
        earlier, _ = await asyncio.to_thread(self._earlier_run, key)
        if earlier is None:
            async with request.in_progress.hold_meanwhile(key):
                # The first request may have started it meanwhile.
                earlier, failed = await asyncio.to_thread(self._earlier_run, key)
                if earlier is None:
                    key = replace(key, replaces=failed)
                    return await self._start(await find_task(), redraws, key), True
        return earlier, False

    def _earlier_run(self, key: RequestKey) -> tuple[RunPublic | None, str | None]:
        """The run that this request started before; of one that failed or was stopped, the id."""
        found = self.store.keyed_answers.find(key)
        if found is None or found.run_id is None:
            return None, None
        run = self.store.runs.get(found.run_id)
        live = self.runs.live(run.run_id)
        status = run.status if live is None else live.status
        return (None, run.run_id) if status in ("failed", "interrupted") else (run, None)

    async def _start(self, task: Task, redraws: str | None, key: RequestKey | None) -> RunPublic:
        try:
            return await self.runs.start(task, client=self.client, redraws=redraws, key=key)
        except EngineBusy:
            self.metrics.run_refused()
            raise

    def _stream(self, run_id: str) -> Response:
        events = json_events(self.runs.watch(run_id))
        until = self.reader.until_lost(run_id)
        return EventStream(events, until=until, closed=lambda: self._left(run_id))

    async def _wait(self, run_id: str) -> RunPublic:
        try:
            async with while_connected(self.keyed_request.request.receive):
                return await self.runs.wait(run_id)
        except ClientLeft:
            self._left(run_id)
            raise

    def _left(self, run_id: str) -> None:
        """A client that sent a key may come back for its run."""
        if self.keyed_request.key is None:
            self.runs.abandon(run_id)


async def _responder(
    keyed_request: KeyedRequestDep,
    runs: RunsDep,
    metrics: MetricsDep,
    reader: ReaderDep,
    client: ClientDep,
    accept: Annotated[str, Header(max_length=500)] = "*/*",
    prefer: Annotated[
        str, Header(max_length=500, description="`respond-async` answers 202 at once.")
    ] = "",
) -> Responder:
    is_streaming = "text/event-stream" in accept
    is_detached = "respond-async" in prefer
    return Responder(keyed_request, runs, metrics, reader, client, is_streaming, is_detached)


def _accepted(run: RunPublic) -> Response:
    return JSONResponse(
        run.model_dump(mode="json"),
        status_code=202,
        headers={
            "Location": f"/api/v1/runs/{run.run_id}",
            "Preference-Applied": "respond-async",
        },
    )


ResponderDep = Annotated[Responder, Depends(_responder)]
_RESPONSES = problems(404, 409, 502, 503, 504) | {
    200: {
        "description": "The answer, or the run's events if `Accept` is `text/event-stream`.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    },
    202: {"model": RunPublic, "description": "The run has started; `Location` is its address."},
}


_IDS = [f"{digit * 8}-0000-4000-8000-000000000000" for digit in "123"]
_BRAINSTORMS: dict[str, Example] = {
    "topic": {
        "summary": "For a topic",
        "value": {"topic": "a street party that costs nothing", "method": "scamper", "n": 5},
    },
    "idea": {"summary": "From an idea", "value": {"idea_id": _IDS[0], "n": 5}},
    "combine": {"summary": "Combine ideas", "value": {"idea_ids": _IDS, "n": 3}},
    "more": {"summary": "More like a suggestion", "value": {"suggestion_id": _IDS[0], "n": 4}},
    "less": {
        "summary": "Unlike a given text, but possibly like ideas on the board",
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


@router.get("/methods", operation_id="listMethods", summary="List the brainstorming methods")
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
    summary="Suggest ideas for a topic, from an idea or a suggestion, or by combining ideas",
    description="Returns `n` different suggestions, each with its angle. If the model finds fewer, "
    "the answer has those it found, and `incomplete` says why some are missing. The run fails only "
    "if there are none.",
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
    summary="Replace a suggestion with another one",
    description="Starts a new run with the same question and angle and another seed. The new "
    "suggestion differs from this one and from the others of its run. The old suggestion is "
    "discarded, and its `redrawn_in` is the id of the new run; `reopen` takes it back. 409 if the "
    "suggestion is already an idea or was already redrawn.",
    response_model=BrainstormAnswer,
    response_model_exclude_none=True,
    responses=_with_links(getRun="run_id", watchRun="run_id", cancelRun="run_id"),
)
async def redraw_suggestion(
    suggestion_id: Id, responder: ResponderDep, shape: SuggestionRedraw | None = None
) -> Any:
    seed = None if shape is None else shape.seed

    async def task() -> Task:
        return await asyncio.to_thread(redraw_task, suggestion_id, responder.store, seed)

    return await responder.respond_to(task, redraws=suggestion_id)


@router.post(
    "/runs/{run_id}/repeat",
    operation_id="repeatRun",
    summary="Repeat a run with the same or a new seed",
    description="Starts a new run. With the same seed, the model gets exactly the same requests; "
    "its answers can still differ if the engine decodes them in other batches. With a new seed, a "
    "brainstorm stays away from the suggestions that were marked to be avoided, and a run over a "
    "board handles only what is left, with the same settings.",
    response_model=(
        BrainstormAnswer | RefineAnswer | EvaluateAnswer | EvaluateAllAnswer | RankAnswer
    ),
    responses=_with_links(getRun="run_id", watchRun="run_id", cancelRun="run_id"),
)
async def repeat_run(run_id: Id, responder: ResponderDep, shape: RunRepeat | None = None) -> Any:
    async def task() -> Task:
        run = await responder.runs.get(run_id)
        if shape is None or shape.seed == "same":
            return repeat_task(run)
        return await asyncio.to_thread(renew_task, run, responder.store)

    return await responder.respond_to(task)


@router.post(
    "/refine",
    operation_id="refine",
    summary="Propose a better text for an idea",
    description="The idea itself is not changed. Accept the run to apply all or some of the edits. "
    "With `selection`, only that passage is rewritten; 422 if the body does not contain it, or "
    "contains it more than once and `start` does not say which one is meant.",
    response_model=RefineAnswer,
    responses=_with_links(acceptRefinement="run_id", rejectRefinement="run_id", listEdits="run_id"),
)
async def refine(task: RefineTask, responder: ResponderDep) -> Any:
    return await responder.respond(task)


@router.post(
    "/evaluate",
    operation_id="evaluate",
    summary="Evaluate an idea: scores, strengths, concerns and a next step",
    description="Scores range from 1 to 10; the same text gets the same scores. `overall` is their "
    "mean, weighted as the criteria are. `spread` says how far off each score may be. "
    "`scoring.uncalibrated` lists the criteria whose scores are rough estimates of the model.",
    response_model=EvaluateAnswer,
    responses=_with_links(getRun="run_id"),
)
async def evaluate(task: EvaluateTask, responder: ResponderDep) -> Any:
    return await responder.respond(task)


@router.post(
    "/boards/{board_id}/evaluate",
    operation_id="evaluateBoard",
    summary="Evaluate many ideas of a board in one run",
    description="Evaluates a few ideas at a time, so that other requests are served in between. "
    "Each evaluation is stored when it is finished and sent as the event `evaluation`. An idea "
    "that cannot be evaluated is sent as `failure` and does not stop the others. Stopping the run "
    "keeps the finished evaluations. 409 if there is nothing to evaluate.",
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
    description="Compares the most informative pairs, each in both orders; if the orders disagree, "
    "the result is a tie. The model reads the first 800 characters of each text. Each comparison "
    "is stored when it is finished and counts in `ranking?by=model`, which is a weaker signal than "
    "people's votes. 409 if the model has compared every pair.",
    response_model=RankAnswer,
    responses=_with_links(getRun="run_id", watchRun="run_id", cancelRun="run_id"),
)
async def rank(task: RankTask, responder: ResponderDep) -> Any:
    return await responder.respond(task)
