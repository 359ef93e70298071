"""The route of OpenAI's Responses API, for clients that bring the whole conversation along."""

from fastapi import APIRouter, Response

from service.web.dependencies import CompletionsDep
from service.web.openai.answers import collect
from service.web.openai.exchange import CallerDep, outcomes
from service.web.openai.requests import response_request
from service.web.openai.response_events import ResponseBuilder, ResponseEvents
from service.web.openai.response_shapes import ResponsesAnswer, ResponsesRequest
from service.web.openai.stream import event_stream

router = APIRouter(tags=["openai"])
_OUTCOMES = outcomes(
    ResponsesAnswer,
    "The response or, with `stream`, its events.",
    {"event": "The type of the event.", "data": "The event, such as `response.completed`."},
)


@router.post(
    "/responses",
    operation_id="createResponse",
    summary="Create a response",
    description="Follows OpenAI's Responses API, for text only and without its state: nothing is "
    "stored. Unknown fields are ignored. An error before the first token is an HTTP error; in a "
    "stream, a later error is a `response.failed`. Disconnecting stops the response.",
    response_class=Response,
    responses=_OUTCOMES,
)
async def create_response(
    asked: ResponsesRequest, caller: CallerDep, completions: CompletionsDep
) -> Response:
    exchange = caller.exchange("resp_", asked.model)
    request = response_request(asked, exchange)
    builder = ResponseBuilder(asked, exchange)
    pieces = completions.stream([request], may_shorten=asked.max_output_tokens is None)
    if asked.stream:
        return event_stream(pieces, ResponseEvents(builder), caller.reader.until_lost())
    (draft,) = await collect(pieces, 1, caller.request)
    return Response(builder.ended(draft).model_dump_json(), media_type="application/json")
