"""Requests and answers of OpenAI's Responses API, as far as this service supports them.

Nothing is stored, so a request brings the whole conversation along.
"""

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)
from pydantic.config import JsonValue

from service.web.openai.answers import TokenLogprobs
from service.web.openai.fields import (
    DEFAULT_MAX_TOKENS,
    MESSAGES_CEILING,
    Alternatives,
    GenerationRequest,
    InputContent,
    JsonSchema,
    RequestModel,
    SchemaName,
    Text,
    Tokens,
    Unsupported,
    unsupported,
)

LOGPROBS = "message.output_text.logprobs"
# All but the first ask for parts of tools, images or reasoning, which no answer here has.
Include = Literal[
    "message.output_text.logprobs",
    "message.input_image.image_url",
    "reasoning.encrypted_content",
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
]
METADATA_CEILING = 16
MetadataKey = Annotated[Text, StringConstraints(max_length=64)]
MetadataValue = Annotated[Text, StringConstraints(max_length=512)]
Metadata = Annotated[dict[MetadataKey, MetadataValue], Field(max_length=METADATA_CEILING)]


def _as_messages(sent: object) -> object:
    return [{"role": "user", "content": sent}] if isinstance(sent, str) else sent


def _check_kind(kind: object) -> object:
    if isinstance(kind, str) and kind != "message":
        raise unsupported("is '{kind}', but only items of type 'message' are supported", kind=kind)
    return kind


def _check_truncation(value: object) -> object:
    if value == "auto":
        raise unsupported("is not supported here; shorten the input, or leave it out")
    return value


ItemKind = Annotated[
    Literal["message"],
    BeforeValidator(_check_kind),
    WithJsonSchema({"type": "string", "enum": ["message"]}),
]
Truncation = Annotated[
    Literal["disabled"],
    BeforeValidator(_check_truncation),
    WithJsonSchema({"type": "string", "enum": ["disabled"]}),
]


class InputMessage(RequestModel):
    """A message of the conversation. Messages of an earlier answer can be sent as they are."""

    type: ItemKind | None = None
    role: Literal["system", "developer", "user", "assistant"] = Field(
        description="`developer` is another name for `system`."
    )
    content: InputContent = Field(examples=["Name three uses of an old door."])


class TextFormat(RequestModel):
    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"properties": {"type": {"enum": ["text", "json_object"]}}},
                {
                    "properties": {"type": {"const": "json_schema"}},
                    "required": ["name", "schema"],
                },
            ]
        }
    )

    type: Literal["text", "json_object", "json_schema"]
    name: SchemaName | None = None
    schema_: JsonSchema | None = Field(
        default=None, alias="schema", description="The JSON Schema that the answer follows."
    )
    description: Text | None = Field(default=None, description="Ignored.")
    strict: bool | None = Field(default=None, description="Ignored: the schema is always enforced.")


class TextOptions(RequestModel):
    format: TextFormat | None = None
    verbosity: Unsupported = None


class ReasoningOptions(RequestModel):
    """Answers have no reasoning of their own."""

    effort: Unsupported = None
    summary: Unsupported = None
    generate_summary: Unsupported = None


class ResponseStreamOptions(RequestModel):
    include_obfuscation: Unsupported = None


class ResponsesRequest(GenerationRequest):
    """A request for a response. A field that is null counts as omitted."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model": "general",
                    "instructions": "Be brief.",
                    "input": "Name three uses of an old door.",
                    "max_output_tokens": 80,
                }
            ]
        }
    )

    input: Annotated[
        list[InputMessage],
        Field(min_length=1, max_length=MESSAGES_CEILING, fail_fast=True),
        BeforeValidator(
            _as_messages,
            json_schema_input_type=str
            | Annotated[list[InputMessage], Field(min_length=1, max_length=MESSAGES_CEILING)],
        ),
    ] = Field(description="A text of the user, or the whole conversation.")
    instructions: Text | None = Field(default=None, description="A system message before `input`.")
    max_output_tokens: Tokens | None = Field(
        default=None,
        description=f"Default: {DEFAULT_MAX_TOKENS}, or fewer if fewer fit into the context.",
    )
    text: TextOptions | None = None
    include: list[Include] | None = Field(
        default=None, description=f"`{LOGPROBS}` adds logprobs; the others add nothing."
    )
    top_logprobs: Alternatives | None = Field(
        default=None, description=f"Needs `{LOGPROBS}` in `include`."
    )
    stream_options: ResponseStreamOptions | None = None
    metadata: Metadata | None = Field(default=None, description="The answer repeats it.")
    store: bool | None = Field(default=None, description="Ignored: nothing is stored.")
    parallel_tool_calls: bool | None = Field(default=None, description="The answer repeats it.")
    truncation: Truncation | None = None
    reasoning: ReasoningOptions | None = None
    tools: Unsupported = None
    tool_choice: Unsupported = None
    previous_response_id: Unsupported = None
    conversation: Unsupported = None
    background: Unsupported = None
    prompt: Unsupported = None
    context_management: Unsupported = None
    moderation: Unsupported = None

    @property
    def text_format(self) -> TextFormat:
        given = None if self.text is None else self.text.format
        return TextFormat(type="text") if given is None else given

    @property
    def includes_logprobs(self) -> bool:
        return LOGPROBS in (self.include or ())


class OutputText(BaseModel):
    type: Literal["output_text"] = "output_text"
    text: str = ""
    annotations: list[str] = Field(default=[], max_length=0)
    logprobs: list[TokenLogprobs] = []


class OutputMessage(BaseModel):
    id: str
    type: Literal["message"] = "message"
    status: Literal["in_progress", "completed", "incomplete"]
    role: Literal["assistant"] = "assistant"
    content: list[OutputText]


class InputDetails(BaseModel):
    """`cache_write_tokens` is always 0: caches end with the server."""

    cached_tokens: int
    cache_write_tokens: int = 0


class OutputDetails(BaseModel):
    reasoning_tokens: int = 0


class ResponsesUsage(BaseModel):
    input_tokens: int
    input_tokens_details: InputDetails
    output_tokens: int
    output_tokens_details: OutputDetails = OutputDetails()
    total_tokens: int


class ResponseFailure(BaseModel):
    """`type` is this service's own code of the error."""

    code: Literal["server_error"] = "server_error"
    message: str
    type: str


class IncompleteDetails(BaseModel):
    reason: Literal["max_output_tokens"] = "max_output_tokens"


class AnswerReasoning(BaseModel):
    effort: None = None
    summary: None = None


class AnswerText(BaseModel):
    format: dict[str, Any]


_EXAMPLE: dict[str, JsonValue] = {
    "id": "resp_6f1c2d0e7f574e439d0b0d6e7f3a1c55",
    "object": "response",
    "created_at": 1769860800,
    "completed_at": 1769860801,
    "status": "completed",
    "model": "standard",
    "output": [
        {
            "id": "msg_6f1c2d0e7f574e439d0b0d6e7f3a1c55",
            "type": "message",
            "status": "completed",
            "role": "assistant",
            "content": [
                {
                    "type": "output_text",
                    "text": "A table, a headboard, a sign.",
                    "annotations": [],
                    "logprobs": [],
                }
            ],
        }
    ],
    "usage": {
        "input_tokens": 24,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 10,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 34,
    },
    "instructions": "Be brief.",
    "max_output_tokens": 80,
    "temperature": 0.7,
    "top_p": 0.95,
    "top_logprobs": 0,
    "text": {"format": {"type": "text"}},
    "metadata": {},
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "truncation": "disabled",
    "store": False,
    "background": False,
}


class ResponsesAnswer(BaseModel):
    """A response. Fields of the request are repeated, with the defaults of this service."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: str
    object: Literal["response"] = "response"
    created_at: int
    completed_at: int | None = None
    status: Literal["in_progress", "completed", "incomplete", "failed"] = "in_progress"
    error: ResponseFailure | None = None
    incomplete_details: IncompleteDetails | None = None
    model: str
    output: list[OutputMessage] = []
    usage: ResponsesUsage | None = None
    instructions: str | None = None
    max_output_tokens: int | None = None
    temperature: float
    top_p: float
    top_logprobs: int
    text: AnswerText
    metadata: dict[str, str]
    user: str | None = None
    parallel_tool_calls: bool
    tool_choice: Literal["auto", "none"]
    tools: list[str] = Field(default=[], max_length=0)
    reasoning: AnswerReasoning = AnswerReasoning()
    truncation: Literal["disabled"] = "disabled"
    store: Literal[False] = False
    background: Literal[False] = False
    previous_response_id: None = None
