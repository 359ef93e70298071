"""Turns our requests into bodies for each kind of OpenAI-compatible server. Pure.

A field is sent only to servers that know it. A request that a server cannot fulfil is refused
here. Grammars are an exception: without one the caller validates the answer itself.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from service.engine.types import EmbedRequest, GenerateRequest, Message, Sampling
from service.errors import InvalidInput

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a kind of server understands.

    `alternatives` is how many of the most likely tokens it returns at most. `schema_for_raw` has
    the fields that hold a raw prompt's answer to a JSON schema, which OpenAI does not define. The
    fields of `generating` and `probing` are sent with every request of that kind.
    """

    name: str
    grammar: Callable[[str], Body] | None = None
    schema_for_raw: Callable[[str], Body] | None = None
    takes_filters: bool = False
    takes_logit_bias: bool = True
    alternatives: int = 20
    generating: Body = field(default_factory=dict)
    probing: Body = field(default_factory=dict)


def _gbnf(grammar: str) -> Body:
    return {"grammar": grammar}


def _response_format(schema: str) -> Body:
    form = {"name": "answer", "schema": _parsed(schema), "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": form}}


def _json_schema(schema: str) -> Body:
    return {"json_schema": _parsed(schema)}


def _parsed(schema: str) -> Any:
    try:
        return json.loads(schema)
    except ValueError as error:
        raise InvalidInput(f"The JSON schema is not JSON: {error}") from error


LLAMA_SERVER = Dialect(
    "llama-server",
    _gbnf,
    _json_schema,
    takes_filters=True,
    alternatives=1000,
    probing={"cache_prompt": False},
)
IDEAPOOL = Dialect("Ideapool", _gbnf, _response_format, takes_filters=True)
# vLLM takes defaults from the model's files, which often set a repetition penalty.
VLLM = Dialect(
    "vLLM",
    lambda grammar: {"structured_outputs": {"grammar": grammar}},
    _response_format,
    takes_filters=True,
    generating={"repetition_penalty": 1.0},
)
# Before version 0.12 the grammar had a field of its own.
OLD_VLLM = Dialect(
    "vLLM",
    lambda grammar: {"guided_grammar": grammar},
    _response_format,
    takes_filters=True,
    generating={"repetition_penalty": 1.0},
)
OLLAMA = Dialect("Ollama", takes_logit_bias=False)
OPENAI = Dialect("an OpenAI-compatible server")


def vllm_of(version: str) -> Dialect:
    """The dialect of a version of vLLM; builds from source, such as `dev`, count as new."""
    numbers = re.match(r"0\.(\d+)\.", version)
    is_old = numbers is not None and 0 < int(numbers[1]) < 12
    return OLD_VLLM if is_old else VLLM


def chat_body(request: GenerateRequest, dialect: Dialect, model: str) -> Body:
    """Raises InvalidInput if the server cannot do this, or if the schema is not JSON."""
    body: Body = {
        "messages": _messages(request.messages),
        **_generation(request, dialect, model),
    }
    if request.logprobs is not None:
        # One more than asked for: llama-server takes 0 as none, and vLLM counts the sampled token.
        count = min(request.logprobs + 1, dialect.alternatives)
        body |= {"logprobs": True, "top_logprobs": count}
    if request.json_schema is not None:
        body |= _response_format(request.json_schema)
    return body


def text_body(request: GenerateRequest, dialect: Dialect, model: str) -> Body:
    """The body for a raw prompt. Raises the same errors as `chat_body`."""
    body: Body = {"prompt": request.prompt, **_generation(request, dialect, model)}
    if request.logprobs is not None:
        # llama-server takes 0 as none; all others add the sampled token by themselves.
        body["logprobs"] = min(max(request.logprobs, 1), dialect.alternatives)
    if request.json_schema is not None:
        if dialect.schema_for_raw is None:
            raise InvalidInput(
                f"The engine is {dialect.name}, which does not support a JSON schema for a raw "
                "prompt. Ask for a chat completion instead."
            )
        body |= dialect.schema_for_raw(request.json_schema)
    return body


def probe_body(messages: tuple[Message, ...], dialect: Dialect, model: str) -> Body:
    return {
        "model": model,
        "messages": _messages(messages),
        "max_tokens": 1,
        "temperature": 0.0,
        "logprobs": True,
        "top_logprobs": dialect.alternatives,
        **dialect.probing,
    }


def embed_body(request: EmbedRequest, model: str) -> Body:
    return {"model": model, "input": request.text, "encoding_format": "float"}


def _messages(messages: tuple[Message, ...]) -> list[Body]:
    return [{"role": message.role, "content": message.content} for message in messages]


def _generation(request: GenerateRequest, dialect: Dialect, model: str) -> Body:
    """The fields that chats and raw prompts have in common."""
    body: Body = {
        "model": model,
        "max_tokens": request.max_tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
        **_sampling(request.sampling, dialect),
        **dialect.generating,
    }
    if request.stop:
        body["stop"] = list(request.stop)
    if request.grammar is not None and dialect.grammar is not None:
        body |= dialect.grammar(request.grammar)
    return body


def _sampling(sampling: Sampling, dialect: Dialect) -> Body:
    body: Body = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": sampling.seed,
        "frequency_penalty": sampling.frequency_penalty,
        "presence_penalty": sampling.presence_penalty,
    }
    if dialect.takes_filters:
        body |= {"top_k": sampling.top_k, "min_p": sampling.min_p}
    if sampling.logit_bias:
        if not dialect.takes_logit_bias:
            raise InvalidInput(f"The engine is {dialect.name}, which does not support logit_bias.")
        body["logit_bias"] = {str(token): bias for token, bias in sampling.logit_bias}
    return body
