"""Turns a chat request in OpenAI's format into engine requests, one for each answer."""

import json
import secrets
from typing import Any

from service.engine.backend import Backend
from service.engine.types import REQUIRED_ROLES, GenerateRequest, Message, ModelInfo, Sampling
from service.errors import InvalidInput, ModelUnavailable, NotFound
from service.web.openai.shapes import DEFAULT_MAX_TOKENS, ChatMessage, ChatRequest, ResponseFormat

SEEDS = 2**31
ANY_OBJECT = '{"type":"object"}'
_SAMPLING_FIELDS = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "presence_penalty",
    "frequency_penalty",
)


def served_models(backend: Backend) -> dict[str, ModelInfo]:
    """Models by name and by role. A name takes precedence over a role that is spelled alike."""
    found = {model.name: model for model in backend.models()}
    for role in REQUIRED_ROLES:
        try:
            found.setdefault(role, backend.model_for(role))
        except ModelUnavailable:
            continue
    return found


def find_model(backend: Backend, name: str) -> ModelInfo:
    """Raises: NotFound, which lists the known names."""
    models = served_models(backend)
    if name not in models:
        raise NotFound(f"There is no model {name!r}. The models are: {', '.join(models)}.")
    return models[name]


def engine_requests(
    chat_request: ChatRequest,
    model: ModelInfo,
    *,
    completion_id: str,
    client: str,
    deadline_s: float,
) -> list[GenerateRequest]:
    """Raises: InvalidInput if fields contradict each other."""
    grammar, json_schema = _output_constraint(chat_request)
    seed = secrets.randbelow(SEEDS) if chat_request.seed is None else chat_request.seed
    messages = tuple(_message(one) for one in chat_request.messages)
    return [
        GenerateRequest(
            id=f"{completion_id}-{index}",
            model=model.name,
            messages=messages,
            max_tokens=chat_request.max_completion_tokens
            or chat_request.max_tokens
            or DEFAULT_MAX_TOKENS,
            sampling=_sampling(chat_request, (seed + index) % SEEDS),
            stop=(chat_request.stop,)
            if isinstance(chat_request.stop, str)
            else tuple(chat_request.stop or ()),
            grammar=grammar,
            json_schema=json_schema,
            logprobs=_logprobs(chat_request),
            client=client if chat_request.user is None else f"{client} {chat_request.user}",
            timeout_s=deadline_s,
        )
        for index in range(chat_request.n or 1)
    ]


def _message(one: ChatMessage) -> Message:
    return Message("system" if one.role == "developer" else one.role, one.content)


def _sampling(chat_request: ChatRequest, seed: int) -> Sampling:
    tuned: dict[str, Any] = {
        name: value
        for name in _SAMPLING_FIELDS
        if (value := getattr(chat_request, name)) is not None
    }
    biases = tuple((int(token), bias) for token, bias in (chat_request.logit_bias or {}).items())
    return Sampling(seed=seed, logit_bias=biases, **tuned)


def _logprobs(chat_request: ChatRequest) -> int | None:
    if chat_request.logprobs:
        return chat_request.top_logprobs or 0
    if chat_request.top_logprobs is not None:
        raise InvalidInput("`top_logprobs` needs `logprobs: true`.", pointer="/top_logprobs")
    return None


def _output_constraint(chat_request: ChatRequest) -> tuple[str | None, str | None]:
    """The grammar and the JSON schema of the answer; at least one of them is None."""
    schema = None if chat_request.response_format is None else _schema(chat_request.response_format)
    if schema is not None and chat_request.grammar is not None:
        raise InvalidInput(
            "Send either `grammar` or a JSON `response_format`, not both.",
            pointer="/grammar",
        )
    return chat_request.grammar, schema


def _schema(form: ResponseFormat) -> str | None:
    if form.type == "text":
        return None
    if form.type == "json_object":
        return ANY_OBJECT
    if form.json_schema is None:
        raise InvalidInput(
            "A `response_format` of type `json_schema` needs the object `json_schema`.",
            pointer="/response_format/json_schema",
        )
    return json.dumps(form.json_schema.schema_, ensure_ascii=False)
