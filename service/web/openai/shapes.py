"""Requests and answers of OpenAI's chat completions, as far as this service supports them.

Unknown fields are ignored, as OpenAI's own server does. Known fields that would change the answer
and are not supported are refused.
"""

import json
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from service.engine.types import Sampling
from service.schemas.fields import whole

DEFAULT_MAX_TOKENS = 512
CHOICES_CEILING = 8
INT32_MAX = 2**31 - 1
_DEFAULT = Sampling()
# Values that clients send by default for features that they do not use.
UNUSED_DEFAULTS: tuple[Any, ...] = (None, False, [], {}, "none", "auto", ["text"])


def _refuse(value: object) -> None:
    # In Python 0 equals False; in JSON it does not.
    if not any(type(value) is type(one) and value == one for one in UNUSED_DEFAULTS):
        raise PydanticCustomError("unsupported", "is not supported here; leave it out")


def _join_parts(content: object) -> object:
    """Joins text parts with line breaks, as llama.cpp does."""
    if not isinstance(content, list):
        return content
    texts = []
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else None
        text = part.get("text") if isinstance(part, dict) else None
        if isinstance(kind, str) and kind != "text":
            raise PydanticCustomError(
                "unsupported",
                "has a part of type '{kind}', but only parts of type 'text' are supported",
                {"kind": kind},
            )
        if kind != "text" or not isinstance(text, str):
            raise PydanticCustomError(
                "content_part", "has a part that is not an object with a `type` and a `text`"
            )
        texts.append(text)
    return "\n".join(texts)


def _check_encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise PydanticCustomError("surrogate", "contains half of a surrogate pair") from error
    return text


def _check_schema(schema: dict[str, Any]) -> dict[str, Any]:
    _check_encodable(json.dumps(schema, ensure_ascii=False))
    return schema


_PART = {
    "type": "object",
    "required": ["type", "text"],
    "properties": {"type": {"const": "text"}, "text": {"type": "string"}},
}
_CONTENT = {"anyOf": [{"type": "string"}, {"type": "array", "items": _PART}]}
Text = Annotated[str, AfterValidator(_check_encodable)]
Content = Annotated[Text, BeforeValidator(_join_parts), WithJsonSchema(_CONTENT)]
Unsupported = Annotated[
    Any,
    AfterValidator(_refuse),
    WithJsonSchema({"enum": list(UNUSED_DEFAULTS), "description": "Not supported."}),
]
StopText = Annotated[Text, StringConstraints(min_length=1)]
TokenId = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,9}$")]
Bias = Annotated[float, Field(ge=-100, le=100)]
Penalty = Annotated[float, Field(ge=-2, le=2)]
Tokens = Annotated[int, Field(ge=1, le=INT32_MAX), BeforeValidator(whole)]
Answers = Annotated[int, Field(ge=1, le=CHOICES_CEILING), BeforeValidator(whole)]
AnySeed = Annotated[int, Field(ge=-(2**63), lt=2**63), BeforeValidator(whole)]
Candidates = Annotated[int, Field(ge=0, le=INT32_MAX), BeforeValidator(whole)]
Alternatives = Annotated[int, Field(ge=0, le=20), BeforeValidator(whole)]


class RequestModel(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)


class ChatMessage(RequestModel):
    role: Literal["system", "developer", "user", "assistant"] = Field(
        description="`developer` is another name for `system`."
    )
    content: Content = Field(examples=["Name three uses of an old door."])
    tool_calls: Unsupported = None


class SchemaFormat(RequestModel):
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    schema_: Annotated[dict[str, Any], AfterValidator(_check_schema)] = Field(
        alias="schema", description="The JSON Schema that the answer follows."
    )
    strict: bool | None = Field(default=None, description="Ignored: the schema is always enforced.")


class ResponseFormat(RequestModel):
    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"properties": {"type": {"enum": ["text", "json_object"]}}},
                {"properties": {"type": {"const": "json_schema"}}, "required": ["json_schema"]},
            ]
        }
    )

    type: Literal["text", "json_object", "json_schema"]
    json_schema: SchemaFormat | None = None


class StreamOptions(RequestModel):
    include_usage: bool | None = Field(
        default=None, description="Adds a last chunk without choices that contains the token usage."
    )


class ChatRequest(RequestModel):
    """A chat completion request. A field that is null counts as omitted."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model": "general",
                    "messages": [{"role": "user", "content": "Name three uses of an old door."}],
                    "max_tokens": 80,
                }
            ]
        }
    )

    model: str = Field(description="The name of a model, or its role: `brainstorm` or `general`.")
    messages: list[ChatMessage] = Field(min_length=1)
    max_completion_tokens: Tokens | None = Field(
        default=None,
        description=f"Default: {DEFAULT_MAX_TOKENS}, or fewer if fewer fit into the context.",
    )
    max_tokens: Tokens | None = Field(
        default=None, description="The older name. `max_completion_tokens` overrides it."
    )
    n: Answers | None = Field(
        default=None,
        description="The number of answers, generated in parallel with different seeds.",
    )
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    stop: StopText | Annotated[list[StopText], Field(max_length=4)] | None = None
    seed: AnySeed | None = Field(
        default=None, description="Default: random. Only the lower 31 bits are used."
    )
    temperature: Annotated[float, Field(ge=0, le=2)] | None = Field(
        default=None,
        description=f"Default: {_DEFAULT.temperature}. 0 always picks the most likely token.",
    )
    top_p: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None, description=f"Default: {_DEFAULT.top_p}."
    )
    top_k: Candidates | None = Field(
        default=None, description=f"Default: {_DEFAULT.top_k}. 0 turns it off."
    )
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    logit_bias: dict[TokenId, Bias] | None = None
    logprobs: bool | None = None
    top_logprobs: Alternatives | None = Field(default=None, description="Needs `logprobs`.")
    response_format: ResponseFormat | None = None
    grammar: Text | None = Field(
        default=None, description="GBNF with a `root` rule, instead of a JSON `response_format`."
    )
    user: Annotated[str, StringConstraints(max_length=256)] | None = Field(
        default=None,
        description="The user, for fair queueing. Default: all requests of one address count as "
        "one user.",
    )
    tools: Unsupported = None
    tool_choice: Unsupported = None
    functions: Unsupported = None
    function_call: Unsupported = None
    modalities: Unsupported = None
    audio: Unsupported = None
    web_search_options: Unsupported = None


class AnswerMessage(BaseModel):
    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class Alternative(BaseModel):
    """`bytes` is null if the token is only part of a character."""

    token: str
    logprob: float
    bytes: list[int] | None


class TokenLogprobs(Alternative):
    top_logprobs: list[Alternative]


class Logprobs(BaseModel):
    content: list[TokenLogprobs]
    refusal: None = None


class Choice(BaseModel):
    index: int
    message: AnswerMessage
    logprobs: Logprobs | None
    finish_reason: Literal["stop", "length"]


class PromptDetails(BaseModel):
    cached_tokens: int


class ChatUsage(BaseModel):
    """Token counts. The prompt counts once, however many answers there are."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptDetails


class Timings(BaseModel):
    """Timings in the format of llama.cpp's server, only for a single answer."""

    cache_n: int
    prompt_n: int
    prompt_ms: float
    prompt_per_second: float
    predicted_n: int
    predicted_ms: float
    predicted_per_second: float


class ChatCompletion(BaseModel):
    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: ChatUsage
    timings: Timings | None = None


class ModelEntry(BaseModel):
    """A model in OpenAI's list. `created` is unknown and always 0."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "ideapool"


class ModelList(BaseModel):
    object: Literal["list"] = "list"
    data: list[ModelEntry]
