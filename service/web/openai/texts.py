"""The route that continues raw prompts for clients of OpenAI's API."""

from fastapi import APIRouter, Response

from service.web.dependencies import CompletionsDep
from service.web.openai.answers import collect, timings_of, usage_of
from service.web.openai.chunks import TextChunks
from service.web.openai.exchange import CallerDep, outcomes
from service.web.openai.requests import text_requests
from service.web.openai.stream import event_stream
from service.web.openai.text_shapes import TextChoice, TextCompletion, TextRequest, text_logprobs

router = APIRouter(tags=["openai"])
_OUTCOMES = outcomes(
    TextCompletion,
    "The answer or, with `stream`, its chunks and then `data: [DONE]`.",
    {"data": "A part of a `text_completion`, or `[DONE]`."},
)


@router.post(
    "/completions",
    operation_id="createCompletion",
    summary="Continue a text",
    description="Follows OpenAI's older completions: the prompt is continued as it is, without a "
    "chat template. Unknown fields are ignored, and errors are those of chat completions. "
    "Disconnecting stops the completion.",
    response_class=Response,
    responses=_OUTCOMES,
)
async def create_completion(
    asked: TextRequest, caller: CallerDep, completions: CompletionsDep
) -> Response:
    exchange = caller.exchange("cmpl-", asked.model)
    requests, prompts = text_requests(asked, exchange), len(asked.prompt)
    pieces = completions.stream(requests)
    if asked.stream:
        chunks = TextChunks(exchange, len(requests), prompts=prompts, has_usage=asked.streams_usage)
        return event_stream(pieces, chunks, caller.reader.until_lost())
    drafts = await collect(pieces, len(requests), caller.request)
    usages = [draft.usage for draft in drafts]
    completion = TextCompletion(
        id=exchange.id,
        created=exchange.created,
        model=exchange.model,
        choices=[
            TextChoice(
                index=index,
                text=draft.text,
                logprobs=None if asked.logprobs is None else text_logprobs(draft.logprobs),
                finish_reason=draft.reason,
            )
            for index, draft in enumerate(drafts)
        ],
        usage=usage_of(usages, prompts=prompts),
        timings=timings_of(usages),
    )
    return Response(completion.model_dump_json(), media_type="application/json")
