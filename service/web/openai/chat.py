"""Routes that list models and complete chats for clients of OpenAI's API."""

import time
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from service.web.dependencies import BackendDep, ClientDep, CompletionsDep, SettingsDep
from service.web.openai.requests import engine_requests, find_model, served_models
from service.web.openai.responses import collect, timings_of, usage_of
from service.web.openai.shapes import ChatCompletion, ChatRequest, ModelEntry, ModelList
from service.web.openai.stream import Frames, events_of
from service.web.sse import EventStream, while_connected

router = APIRouter(prefix="/v1", tags=["openai"])
_NO_MODEL: dict[int | str, dict[str, Any]] = {404: {"description": "There is no such model."}}
_EVENT = {
    "type": "object",
    "required": ["data"],
    "properties": {
        "data": {"type": "string", "description": "A `chat.completion.chunk`, or `[DONE]`."}
    },
}
_CHAT: dict[int | str, dict[str, Any]] = _NO_MODEL | {
    200: {
        "model": ChatCompletion,
        "description": "The answer or, with `stream`, its chunks and then `data: [DONE]`.",
        "content": {"text/event-stream": {"schema": _EVENT}},
    },
    502: {"description": "The model failed; try again."},
    503: {
        "description": "The model is missing or busy. If it is busy, `Retry-After` says when to "
        "try again."
    },
    504: {"description": "The completion was not finished within the time limit."},
}


@router.get(
    "/models",
    operation_id="listModels",
    summary="List the models for chat completions",
    description="Lists the names of all models, then the roles they serve.",
)
async def list_models(backend: BackendDep) -> ModelList:
    return ModelList(data=[ModelEntry(id=name) for name in served_models(backend)])


@router.get(
    "/models/{model}",
    operation_id="getModel",
    summary="Check whether a model exists",
    responses=_NO_MODEL,
)
async def get_model(
    model: Annotated[str, Path(max_length=100, examples=["general"])], backend: BackendDep
) -> ModelEntry:
    find_model(backend, model)
    return ModelEntry(id=model)


@router.post(
    "/chat/completions",
    operation_id="createChatCompletion",
    summary="Complete a chat",
    description="Follows OpenAI's chat completions, for text only; unknown fields are ignored. An "
    "error before the first token is an HTTP error. In a stream, a later error is the last event, "
    "and no `[DONE]` follows. Disconnecting stops the completion.",
    response_class=Response,
    responses=_CHAT,
)
async def create_chat_completion(
    chat_request: ChatRequest,
    request: Request,
    backend: BackendDep,
    completions: CompletionsDep,
    settings: SettingsDep,
    client: ClientDep,
) -> Response:
    completion_id = f"chatcmpl-{request.state.request_id}"
    created = int(time.time())
    model = find_model(backend, chat_request.model)
    requests = engine_requests(
        chat_request,
        model,
        completion_id=completion_id,
        client=client,
        deadline_s=settings.run_deadline_s,
    )
    has_limit = (chat_request.max_completion_tokens or chat_request.max_tokens) is not None
    pieces = completions.stream(requests, may_shorten=not has_limit)
    if chat_request.stream:
        has_usage = chat_request.stream_options is not None and bool(
            chat_request.stream_options.include_usage
        )
        frames = Frames(completion_id, created, model.name, len(requests), has_usage=has_usage)
        return EventStream(events_of(pieces, frames), awaits_first=True)
    async with while_connected(request.receive), aclosing(pieces):
        choices, usages = await collect(
            pieces, len(requests), has_logprobs=bool(chat_request.logprobs)
        )
    completion = ChatCompletion(
        id=completion_id,
        created=created,
        model=model.name,
        choices=choices,
        usage=usage_of(usages),
        timings=timings_of(usages),
    )
    return Response(completion.model_dump_json(), media_type="application/json")
