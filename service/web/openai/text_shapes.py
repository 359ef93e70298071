"""Requests and answers of OpenAI's older completions, which continue a prompt as it is."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from pydantic_core import PydanticCustomError

from service.engine.types import RawPrompt, TokenLogprob
from service.schemas.fields import whole
from service.web.openai.answers import CompletionUsage, Timings
from service.web.openai.fields import (
    CHOICES_CEILING,
    INT32_MAX,
    Alternatives,
    ChoicesRequest,
    Tokens,
    Unsupported,
    check_encodable,
    unsupported,
)

# OpenAI's own default.
DEFAULT_TEXT_TOKENS = 16


def _prompts(value: object) -> list[RawPrompt]:
    """The prompts of a request. A list of numbers is one prompt, made of tokens."""
    several = value if isinstance(value, list) and not _is_tokens(value) else [value]
    if not 1 <= len(several) <= CHOICES_CEILING:
        raise PydanticCustomError(
            "prompt", "must be 1 to {most} prompts", {"most": CHOICES_CEILING}
        )
    return [_prompt(one) for one in several]


def _prompt(value: object) -> RawPrompt:
    if isinstance(value, str) and value:
        return check_encodable(value)
    if isinstance(value, list) and value and _is_tokens(value):
        return tuple(int(one) for one in value)
    raise PydanticCustomError(
        "prompt", "must be a text or a list of token ids, or a list of such prompts; none is empty"
    )


def _is_tokens(values: list[Any]) -> bool:
    return bool(values) and all(
        type(number) is int and 0 <= number <= INT32_MAX for number in map(whole, values)
    )


_TEXT = {"type": "string", "minLength": 1}
_TOKENS = {
    "type": "array",
    "items": {"type": "integer", "minimum": 0, "maximum": INT32_MAX},
    "minItems": 1,
}
_SEVERAL = {
    "type": "array",
    "items": {"anyOf": [_TEXT, _TOKENS]},
    "minItems": 1,
    "maxItems": CHOICES_CEILING,
}
_PROMPTS = {
    "anyOf": [_TEXT, _TOKENS, _SEVERAL],
    "description": "A text or a list of token ids, or a list of such prompts. The spelling of a "
    "control token, such as `<|im_end|>`, is that token.",
    "examples": ["Three uses of an old door:\n1."],
}


class TextRequest(ChoicesRequest):
    """A request to continue prompts. A field that is null counts as omitted."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model": "general",
                    "prompt": "Three uses of an old door:\n1.",
                    "max_tokens": 80,
                }
            ]
        }
    )

    prompt: Annotated[list[RawPrompt], PlainValidator(_prompts), WithJsonSchema(_PROMPTS)]
    max_tokens: Tokens | None = Field(default=None, description=f"Default: {DEFAULT_TEXT_TOKENS}.")
    logprobs: Alternatives | None = Field(
        default=None,
        description="Asks for the logprob of each token and of that many of the likeliest ones.",
    )
    best_of: Tokens | None = Field(
        default=None, description="Not supported unless it is equal to `n`."
    )
    echo: Unsupported = None
    suffix: Unsupported = None

    @field_validator("best_of")
    @classmethod
    def _check_best_of(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and value != (info.data.get("n") or 1):
            raise unsupported("is not supported here unless it is equal to `n`; leave it out")
        return value


class TextLogprobs(BaseModel):
    """`top_logprobs` has the likeliest tokens at each place, and the token that was taken."""

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]]


class TextChoice(BaseModel):
    """The answers to the first prompt come first."""

    index: int
    text: str
    logprobs: TextLogprobs | None = None
    finish_reason: Literal["stop", "length"]


class TextCompletion(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "cmpl-6f1c2d0e7f574e439d0b0d6e7f3a1c55",
                    "object": "text_completion",
                    "created": 1769860800,
                    "model": "standard",
                    "choices": [
                        {
                            "index": 0,
                            "text": " A table with a keyhole",
                            "finish_reason": "stop",
                        }
                    ],
                    "usage": {
                        "prompt_tokens": 9,
                        "completion_tokens": 7,
                        "total_tokens": 16,
                        "prompt_tokens_details": {"cached_tokens": 0},
                    },
                }
            ]
        }
    )

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    choices: list[TextChoice]
    usage: CompletionUsage
    timings: Timings | None = None


def text_logprobs(tokens: Sequence[TokenLogprob]) -> TextLogprobs:
    return TextLogprobs(
        tokens=[one.text for one in tokens],
        token_logprobs=[one.logprob for one in tokens],
        # Of several tokens with the same text, such as parts of characters, the likeliest counts.
        top_logprobs=[dict(reversed(((one.text, one.logprob), *one.top))) for one in tokens],
    )
