"""Turns a request of OpenAI's API into engine requests, one for each answer."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from service.engine.json_schema import check_gbnf
from service.engine.types import GenerateRequest, Message, Sampling
from service.errors import InvalidInput
from service.web.openai.chat_shapes import ChatMessage, ChatRequest
from service.web.openai.exchange import Exchange, queue_client
from service.web.openai.fields import (
    CHOICES_CEILING,
    DEFAULT_MAX_TOKENS,
    GenerationRequest,
    ResponseFormat,
)
from service.web.openai.response_shapes import InputMessage, ResponsesRequest, TextFormat
from service.web.openai.text_shapes import DEFAULT_TEXT_TOKENS, TextRequest

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


def chat_requests(asked: ChatRequest, exchange: Exchange) -> list[GenerateRequest]:
    """Raises: InvalidInput if fields contradict each other."""
    request = replace(
        _request(asked, exchange, _response_format(asked.response_format)),
        messages=_messages(asked.messages),
        max_tokens=asked.token_limit or DEFAULT_MAX_TOKENS,
        logprobs=_logprobs(asked.top_logprobs, asks=bool(asked.logprobs), by="logprobs: true"),
    )
    return _numbered([request], asked.answers_each)


def text_requests(asked: TextRequest, exchange: Exchange) -> list[GenerateRequest]:
    """The answers to the first prompt, then those to the next one. Raises as `chat_requests`."""
    answers = asked.answers_each
    if answers * len(asked.prompt) > CHOICES_CEILING:
        raise InvalidInput(
            f"Ask for at most {CHOICES_CEILING} answers at once: {len(asked.prompt)} prompts with "
            f"{answers} each are {answers * len(asked.prompt)}.",
            pointer="/n",
        )
    request = replace(
        _request(asked, exchange, _response_format(asked.response_format)),
        max_tokens=asked.max_tokens or DEFAULT_TEXT_TOKENS,
        logprobs=asked.logprobs,
    )
    return _numbered([replace(request, prompt=prompt) for prompt in asked.prompt], answers)


def response_request(asked: ResponsesRequest, exchange: Exchange) -> GenerateRequest:
    """Raises as `chat_requests`."""
    instructions = () if asked.instructions is None else (Message("system", asked.instructions),)
    request = replace(
        _request(asked, exchange, _text_format(asked.text_format)),
        messages=instructions + _messages(asked.input),
        max_tokens=asked.max_output_tokens or DEFAULT_MAX_TOKENS,
        logprobs=_logprobs(
            asked.top_logprobs or None,
            asks=asked.includes_logprobs,
            by='include: ["message.output_text.logprobs"]',
        ),
    )
    return _numbered([request], 1)[0]


def _request(
    asked: GenerationRequest, exchange: Exchange, json_schema: str | None
) -> GenerateRequest:
    """What all requests have in common; what the model is to read is missing."""
    if json_schema is not None and asked.grammar is not None:
        raise InvalidInput("Send either `grammar` or a JSON format, not both.", pointer="/grammar")
    is_foreign = asked.grammar is not None or json_schema not in (None, ANY_OBJECT)
    if is_foreign and not exchange.takes_grammars:
        raise InvalidInput(
            "This server takes no grammars and no JSON schemas of clients. `json_object` works."
        )
    _check_grammar(asked.grammar)
    sampling = _sampling(asked)
    return GenerateRequest(
        id=exchange.id,
        model=exchange.model,
        messages=(),
        max_tokens=DEFAULT_MAX_TOKENS,
        sampling=sampling,
        stop=(asked.stop,) if isinstance(asked.stop, str) else tuple(asked.stop or ()),
        grammar=asked.grammar,
        json_schema=json_schema,
        is_foreign=is_foreign,
        holder=exchange.client,
        client=queue_client(exchange.client, asked.user),
        timeout_s=exchange.deadline_s,
        is_repeatable=asked.seed is not None or sampling.temperature == 0,
    )


def _check_grammar(grammar: str | None) -> None:
    try:
        check_gbnf(grammar or "")
    except InvalidInput as error:
        raise InvalidInput(error.detail, pointer="/grammar") from None


def _numbered(requests: list[GenerateRequest], answers: int) -> list[GenerateRequest]:
    """Each request so many times, with ids of their own and the seeds that follow its own."""
    return [
        replace(
            request,
            id=f"{request.id}-{place * answers + index}",
            sampling=replace(request.sampling, seed=(request.sampling.seed + index) % SEEDS),
        )
        for place, request in enumerate(requests)
        for index in range(answers)
    ]


def _messages(sent: list[ChatMessage] | list[InputMessage]) -> tuple[Message, ...]:
    return tuple(
        Message("system" if one.role == "developer" else one.role, one.content) for one in sent
    )


def _sampling(asked: GenerationRequest) -> Sampling:
    tuned: dict[str, Any] = {
        name: value for name in _SAMPLING_FIELDS if (value := getattr(asked, name)) is not None
    }
    seed = secrets.randbelow(SEEDS) if asked.seed is None else asked.seed % SEEDS
    biases = tuple((int(token), bias) for token, bias in (asked.logit_bias or {}).items())
    return Sampling(seed=seed, logit_bias=biases, **tuned)


def _logprobs(alternatives: int | None, *, asks: bool, by: str) -> int | None:
    """How many alternatives of each token are asked for; None if no logprobs are."""
    if asks:
        return alternatives or 0
    if alternatives is not None:
        raise InvalidInput(f"`top_logprobs` needs `{by}`.", pointer="/top_logprobs")
    return None


def _response_format(form: ResponseFormat | None) -> str | None:
    if form is None:
        return None
    schema = None if form.json_schema is None else form.json_schema.schema_
    if form.type == "json_schema" and schema is None:
        raise InvalidInput(
            "A `response_format` of type `json_schema` needs the object `json_schema`.",
            pointer="/response_format/json_schema",
        )
    return _schema(form.type, schema)


def _text_format(form: TextFormat) -> str | None:
    for name, value in (("name", form.name), ("schema", form.schema_)):
        if form.type == "json_schema" and value is None:
            raise InvalidInput(
                f"A `text.format` of type `json_schema` needs `{name}`.",
                pointer=f"/text/format/{name}",
            )
    return _schema(form.type, form.schema_)


def _schema(kind: str, schema: Mapping[str, Any] | None) -> str | None:
    """The text of the JSON schema that an answer of this kind follows; None for plain text."""
    if kind == "json_schema":
        return json.dumps(schema, ensure_ascii=False)
    return ANY_OBJECT if kind == "json_object" else None
