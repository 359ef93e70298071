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
_TUNABLE = ("temperature", "top_p", "top_k", "min_p", "presence_penalty", "frequency_penalty")


def served(backend: Backend) -> dict[str, ModelInfo]:
    """Models by the names that clients may use: model names first, then roles not used as names."""
    found = {model.name: model for model in backend.models()}
    for role in REQUIRED_ROLES:
        try:
            found.setdefault(role, backend.model_for(role))
        except ModelUnavailable:
            continue
    return found


def find_model(backend: Backend, name: str) -> ModelInfo:
    """Raises: NotFound, which lists the known names."""
    models = served(backend)
    if name not in models:
        raise NotFound(f"There is no model {name!r}. The models are: {', '.join(models)}.")
    return models[name]


def engine_requests(
    asked: ChatRequest, model: ModelInfo, *, completion_id: str, client: str, deadline_s: float
) -> list[GenerateRequest]:
    """Raises: InvalidInput if fields contradict each other."""
    grammar, json_schema = _form(asked)
    seed = secrets.randbelow(SEEDS) if asked.seed is None else asked.seed
    messages = tuple(_message(one) for one in asked.messages)
    return [
        GenerateRequest(
            id=f"{completion_id}-{index}",
            model=model.name,
            messages=messages,
            max_tokens=asked.max_completion_tokens or asked.max_tokens or DEFAULT_MAX_TOKENS,
            sampling=_sampling(asked, (seed + index) % SEEDS),
            stop=(asked.stop,) if isinstance(asked.stop, str) else tuple(asked.stop or ()),
            grammar=grammar,
            json_schema=json_schema,
            logprobs=_logprobs(asked),
            client=client if asked.user is None else f"{client} {asked.user}",
            timeout_s=deadline_s,
        )
        for index in range(asked.n or 1)
    ]


def _message(one: ChatMessage) -> Message:
    return Message("system" if one.role == "developer" else one.role, one.content)


def _sampling(asked: ChatRequest, seed: int) -> Sampling:
    tuned: dict[str, Any] = {
        name: value for name in _TUNABLE if (value := getattr(asked, name)) is not None
    }
    biases = tuple((int(token), bias) for token, bias in (asked.logit_bias or {}).items())
    return Sampling(seed=seed, logit_bias=biases, **tuned)


def _logprobs(asked: ChatRequest) -> int | None:
    if asked.logprobs:
        return asked.top_logprobs or 0
    if asked.top_logprobs is not None:
        raise InvalidInput("`top_logprobs` needs `logprobs: true`.", pointer="/top_logprobs")
    return None


def _form(asked: ChatRequest) -> tuple[str | None, str | None]:
    """The grammar and the JSON schema of the answer; at least one of them is None."""
    schema = None if asked.response_format is None else _schema(asked.response_format)
    if schema is not None and asked.grammar is not None:
        raise InvalidInput(
            "Send either `grammar` or a JSON `response_format`, not both.",
            pointer="/grammar",
        )
    return asked.grammar, schema


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
