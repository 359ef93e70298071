"""The route that completes chats for clients of OpenAI's API."""

from fastapi import APIRouter, Response

from service.web.dependencies import CompletionsDep
from service.web.openai.answers import collect, timings_of, tokens_of, usage_of
from service.web.openai.chat_shapes import (
    AnswerMessage,
    ChatCompletion,
    ChatRequest,
    Choice,
    Logprobs,
)
from service.web.openai.chunks import ChatChunks
from service.web.openai.exchange import CallerDep, outcomes
from service.web.openai.requests import chat_requests
from service.web.openai.stream import event_stream

router = APIRouter(tags=["openai"])
_OUTCOMES = outcomes(
    ChatCompletion,
    "The answer or, with `stream`, its chunks and then `data: [DONE]`.",
    {"data": "A `chat.completion.chunk`, or `[DONE]`."},
)


@router.post(
    "/chat/completions",
    operation_id="createChatCompletion",
    summary="Complete a chat",
    description="Follows OpenAI's chat completions, for text only; unknown fields are ignored. An "
    "error before the first token is an HTTP error. In a stream, a later error is the last event, "
    "and no `[DONE]` follows. Disconnecting stops the completion.",
    response_class=Response,
    responses=_OUTCOMES,
)
async def create_chat_completion(
    asked: ChatRequest, caller: CallerDep, completions: CompletionsDep
) -> Response:
    exchange = caller.exchange("chatcmpl-", asked.model)
    requests = chat_requests(asked, exchange)
    pieces = completions.stream(requests, may_shorten=asked.token_limit is None)
    if asked.stream:
        chunks = ChatChunks(exchange, len(requests), has_usage=asked.streams_usage)
        return event_stream(pieces, chunks, caller.reader.until_lost())
    drafts = await collect(pieces, len(requests), caller.request)
    usages = [draft.usage for draft in drafts]
    completion = ChatCompletion(
        id=exchange.id,
        created=exchange.created,
        model=exchange.model,
        choices=[
            Choice(
                index=index,
                message=AnswerMessage(content=draft.text),
                logprobs=Logprobs(content=tokens_of(draft.logprobs)) if asked.logprobs else None,
                finish_reason=draft.reason,
            )
            for index, draft in enumerate(drafts)
        ],
        usage=usage_of(usages),
        timings=timings_of(usages),
    )
    return Response(completion.model_dump_json(), media_type="application/json")
