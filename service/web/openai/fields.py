"""The fields that requests of OpenAI's API have in common, and what their values may be.

Unknown fields are ignored, as OpenAI's own server does. Known fields that would change the answer
and are not supported are refused.
"""

import json
from collections.abc import Callable
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
from pydantic.config import JsonValue
from pydantic_core import PydanticCustomError

from service.engine.types import Sampling
from service.schemas.fields import whole

DEFAULT_MAX_TOKENS = 512
CHOICES_CEILING = 8
MESSAGES_CEILING = 2_000
BIASES_CEILING = 1_024
INT32_MAX = 2**31 - 1
_DEFAULT = Sampling()
# Values that clients send by default for features that they do not use.
UNUSED_DEFAULTS: tuple[Any, ...] = (None, False, [], {}, "none", "auto", ["text"])


def _refuse(value: object) -> object:
    # In Python 0 equals False; in JSON it does not.
    if not any(type(value) is type(one) and value == one for one in UNUSED_DEFAULTS):
        raise unsupported("is not supported here; leave it out")
    return value


def unsupported(problem: str, **words: str) -> PydanticCustomError:
    """The error of a field or value that OpenAI defines and this service does not support."""
    return PydanticCustomError("unsupported", problem, words)


def check_encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise PydanticCustomError("surrogate", "contains half of a surrogate pair") from error
    return text


def _check_count(biases: object) -> object:
    """Before each is looked at: thousands of errors would take seconds."""
    if isinstance(biases, dict) and len(biases) > BIASES_CEILING:
        raise PydanticCustomError(
            "too_many", "has more than {most} entries", {"most": BIASES_CEILING}
        )
    return biases


def _check_schema(schema: dict[str, Any]) -> dict[str, Any]:
    check_encodable(json.dumps(schema, ensure_ascii=False))
    return schema


def _join_parts(*kinds: str) -> Callable[[object], object]:
    """Joins text parts of these types with line breaks, as llama.cpp does."""

    def join(content: object) -> object:
        if not isinstance(content, list):
            return content
        texts = []
        for part in content:
            kind = part.get("type") if isinstance(part, dict) else None
            text = part.get("text") if isinstance(part, dict) else None
            if isinstance(kind, str) and kind not in kinds:
                raise unsupported(
                    "has a part of type '{kind}', but only parts of type {kinds} are supported",
                    kind=kind,
                    kinds=" or ".join(f"'{one}'" for one in kinds),
                )
            if kind not in kinds or not isinstance(text, str):
                raise PydanticCustomError(
                    "content_part", "has a part that is not an object with a `type` and a `text`"
                )
            texts.append(text)
        return "\n".join(texts)

    return join


def _content_schema(*kinds: str) -> dict[str, Any]:
    part = {
        "type": "object",
        "required": ["type", "text"],
        "properties": {
            "type": {"type": "string", "enum": list(kinds)},
            "text": {"type": "string"},
        },
    }
    return {"anyOf": [{"type": "string"}, {"type": "array", "items": part}]}


# `UNUSED_DEFAULTS`, each with its type: generators of clients know no enum of several types.
_UNUSED: list[JsonValue] = [
    {"type": "null"},
    {"type": "boolean", "enum": [False]},
    {"type": "string", "enum": ["none", "auto"]},
    {"type": "array", "items": {"type": "string", "enum": ["text"]}, "maxItems": 1},
    {"type": "object", "maxProperties": 0},
]
_INPUT_KINDS = ("input_text", "output_text")
Text = Annotated[str, AfterValidator(check_encodable)]
ChatContent = Annotated[
    Text, BeforeValidator(_join_parts("text")), WithJsonSchema(_content_schema("text"))
]
InputContent = Annotated[
    Text,
    BeforeValidator(_join_parts(*_INPUT_KINDS)),
    WithJsonSchema(_content_schema(*_INPUT_KINDS)),
]
Unsupported = Annotated[
    Any,
    AfterValidator(_refuse),
    WithJsonSchema({"anyOf": _UNUSED, "description": "Not supported; leave it out."}),
]
JsonSchema = Annotated[dict[str, Any], AfterValidator(_check_schema)]
SchemaName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
StopText = Annotated[Text, StringConstraints(min_length=1)]
TokenId = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,9}$")]
Bias = Annotated[float, Field(ge=-100, le=100)]
Biases = Annotated[dict[TokenId, Bias], BeforeValidator(_check_count)]
Penalty = Annotated[float, Field(ge=-2, le=2)]
Tokens = Annotated[int, Field(ge=1, le=INT32_MAX), BeforeValidator(whole)]
Answers = Annotated[int, Field(ge=1, le=CHOICES_CEILING), BeforeValidator(whole)]
AnySeed = Annotated[int, Field(ge=-(2**63), lt=2**63), BeforeValidator(whole)]
Candidates = Annotated[int, Field(ge=0, le=INT32_MAX), BeforeValidator(whole)]
Alternatives = Annotated[int, Field(ge=0, le=20), BeforeValidator(whole)]


class RequestModel(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)


class GenerationRequest(RequestModel):
    """What every request for a text may say. A field that is null counts as omitted."""

    model: str = Field(description="The name of a model, or its role: `brainstorm` or `general`.")
    stream: bool | None = None
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
    logit_bias: Biases | None = None
    grammar: Text | None = Field(
        default=None, description="GBNF with a `root` rule, instead of a JSON format."
    )
    user: Annotated[str, StringConstraints(max_length=256)] | None = Field(
        default=None,
        description="The user, for fair queueing. Default: all requests of one address count as "
        "one user.",
    )


class SchemaFormat(RequestModel):
    name: SchemaName
    schema_: JsonSchema = Field(
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


class ChoicesRequest(GenerationRequest):
    """A request that may ask for several answers, which its stream keeps apart."""

    n: Answers | None = Field(
        default=None,
        description="The number of answers, generated in parallel with different seeds.",
    )
    stream_options: StreamOptions | None = None
    response_format: ResponseFormat | None = None

    @property
    def answers_each(self) -> int:
        return self.n or 1

    @property
    def streams_usage(self) -> bool:
        return self.stream_options is not None and bool(self.stream_options.include_usage)
