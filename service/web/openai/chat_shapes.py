"""Requests and answers of OpenAI's chat completions, as far as this service supports them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from service.web.openai.answers import CompletionUsage, Timings, TokenLogprobs
from service.web.openai.fields import (
    DEFAULT_MAX_TOKENS,
    MESSAGES_CEILING,
    Alternatives,
    ChatContent,
    ChoicesRequest,
    RequestModel,
    Tokens,
    Unsupported,
)


class ChatMessage(RequestModel):
    role: Literal["system", "developer", "user", "assistant"] = Field(
        description="`developer` is another name for `system`."
    )
    content: ChatContent = Field(examples=["Name three uses of an old door."])
    tool_calls: Unsupported = None


class ChatRequest(ChoicesRequest):
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

    messages: list[ChatMessage] = Field(min_length=1, max_length=MESSAGES_CEILING, fail_fast=True)
    max_completion_tokens: Tokens | None = Field(
        default=None,
        description=f"Default: {DEFAULT_MAX_TOKENS}, or fewer if fewer fit into the context.",
    )
    max_tokens: Tokens | None = Field(
        default=None, description="The older name. `max_completion_tokens` overrides it."
    )
    logprobs: bool | None = None
    top_logprobs: Alternatives | None = Field(default=None, description="Needs `logprobs`.")
    tools: Unsupported = None
    tool_choice: Unsupported = None
    functions: Unsupported = None
    function_call: Unsupported = None
    modalities: Unsupported = None
    audio: Unsupported = None
    web_search_options: Unsupported = None

    @property
    def token_limit(self) -> int | None:
        return self.max_completion_tokens or self.max_tokens


class AnswerMessage(BaseModel):
    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class Logprobs(BaseModel):
    content: list[TokenLogprobs]
    refusal: None = None


class Choice(BaseModel):
    index: int
    message: AnswerMessage
    logprobs: Logprobs | None
    finish_reason: Literal["stop", "length"]


class ChatCompletion(BaseModel):
    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: CompletionUsage
    timings: Timings | None = None
