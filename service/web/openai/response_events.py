"""Builds responses of the Responses API, whole or as the events of a stream.

A response has one output, a message with one text. So each event belongs to the first output and
to the first part of its content.
"""

import time
from typing import Any

from service.engine.types import Delta, Finished, Sampling
from service.web.errors import openai_error
from service.web.openai.answers import Draft, tokens_of, usage_of
from service.web.openai.exchange import Exchange
from service.web.openai.response_shapes import (
    AnswerText,
    IncompleteDetails,
    InputDetails,
    OutputMessage,
    OutputText,
    ResponseFailure,
    ResponsesAnswer,
    ResponsesRequest,
    ResponsesUsage,
)
from service.web.openai.stream import as_json

_DEFAULT = Sampling()


class ResponseBuilder:
    """The states of one response, from its request and from what has been answered so far."""

    def __init__(self, asked: ResponsesRequest, exchange: Exchange) -> None:
        self.message_id = exchange.id.replace("resp_", "msg_", 1)
        self._start = ResponsesAnswer(
            id=exchange.id,
            created_at=exchange.created,
            model=exchange.model,
            instructions=asked.instructions,
            max_output_tokens=asked.max_output_tokens,
            temperature=_DEFAULT.temperature if asked.temperature is None else asked.temperature,
            top_p=_DEFAULT.top_p if asked.top_p is None else asked.top_p,
            top_logprobs=asked.top_logprobs or 0,
            text=AnswerText(format=asked.text_format.model_dump(by_alias=True, exclude_none=True)),
            metadata=asked.metadata or {},
            user=asked.user,
            parallel_tool_calls=asked.parallel_tool_calls is not False,
            tool_choice="none" if asked.tool_choice == "none" else "auto",
        )

    def started(self) -> ResponsesAnswer:
        return self._start

    def ended(self, draft: Draft) -> ResponsesAnswer:
        is_cut = draft.reason == "length"
        usage = usage_of([draft.usage])
        return self._start.model_copy(
            update={
                "status": "incomplete" if is_cut else "completed",
                "completed_at": None if is_cut else int(time.time()),
                "incomplete_details": IncompleteDetails() if is_cut else None,
                "output": [self.message(draft, "incomplete" if is_cut else "completed")],
                "usage": ResponsesUsage(
                    input_tokens=usage.prompt_tokens,
                    input_tokens_details=InputDetails(
                        cached_tokens=usage.prompt_tokens_details.cached_tokens
                    ),
                    output_tokens=usage.completion_tokens,
                    total_tokens=usage.total_tokens,
                ),
            }
        )

    def failed(self, draft: Draft, error: Exception) -> ResponsesAnswer:
        told = openai_error(error)[1]["error"]
        return self._start.model_copy(
            update={
                "status": "failed",
                "error": ResponseFailure(message=told["message"], type=told["code"]),
                "output": [self.message(draft, "incomplete")],
            }
        )

    def message(self, draft: Draft, status: Any) -> OutputMessage:
        return OutputMessage(id=self.message_id, status=status, content=[self.part(draft)])

    def part(self, draft: Draft) -> OutputText:
        return OutputText(text=draft.text, logprobs=tokens_of(draft.logprobs))


class ResponseEvents:
    """The `Frames` of a response. All events are numbered, from 0 on."""

    def __init__(self, builder: ResponseBuilder) -> None:
        self._builder = builder
        self._draft = Draft()
        self._number = 0
        place = {"item_id": builder.message_id, "output_index": 0, "content_index": 0}
        self._place = as_json(place)[1:-1]

    def opening(self) -> bytes:
        started = self._builder.started().model_dump_json()
        message = OutputMessage(id=self._builder.message_id, status="in_progress", content=[])
        return b"".join(
            (
                self._event("response.created", f'"response":{started}'),
                self._event("response.in_progress", f'"response":{started}'),
                self._event(
                    "response.output_item.added",
                    f'"output_index":0,"item":{message.model_dump_json()}',
                ),
                self._event(
                    "response.content_part.added",
                    f'{self._place},"part":{OutputText().model_dump_json()}',
                ),
            )
        )

    def of(self, index: int, piece: Delta | Finished) -> bytes:  # noqa: ARG002
        self._draft.add(piece)
        if isinstance(piece, Finished):
            return b""
        logprobs = [one.model_dump() for one in tokens_of(piece.logprobs)]
        return self._event(
            "response.output_text.delta",
            f'{self._place},"delta":{as_json(piece.text)},"logprobs":{as_json(logprobs)}',
        )

    def closing(self) -> bytes:
        answer = self._builder.ended(self._draft)
        (message,) = answer.output
        (part,) = message.content
        logprobs = as_json([one.model_dump() for one in part.logprobs])
        return b"".join(
            (
                self._event(
                    "response.output_text.done",
                    f'{self._place},"text":{as_json(part.text)},"logprobs":{logprobs}',
                ),
                self._event(
                    "response.content_part.done", f'{self._place},"part":{part.model_dump_json()}'
                ),
                self._event(
                    "response.output_item.done",
                    f'"output_index":0,"item":{message.model_dump_json()}',
                ),
                self._event(f"response.{answer.status}", f'"response":{answer.model_dump_json()}'),
            )
        )

    def failing(self, error: Exception) -> bytes:
        answer = self._builder.failed(self._draft, error)
        return self._event("response.failed", f'"response":{answer.model_dump_json()}')

    def _event(self, kind: str, fields: str) -> bytes:
        number, self._number = self._number, self._number + 1
        data = f'{{"type":"{kind}","sequence_number":{number},{fields}}}'
        return f"event: {kind}\ndata: {data}\n\n".encode()
