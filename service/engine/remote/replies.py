"""Parses the answers of an OpenAI-compatible server into our events and errors. Pure.

A server may send anything. What cannot be parsed is an error, never a guess.
"""

import math
import time
from collections.abc import Sequence
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from service.engine.remote.error_responses import (
    error_for_status,
    error_object,
    message_of,
    one_line,
)
from service.engine.types import (
    Delta,
    Finished,
    FinishReason,
    GenerateRequest,
    TokenLogprob,
    Usage,
)
from service.errors import EngineCrashed, ModelUnavailable, ServiceError

# The most probability that missing choices of a probe may have, relative to the known ones.
MAX_MISSING_SHARE = 0.02
Read = TypeVar("Read", bound=BaseModel)
_REASONS: dict[str, FinishReason] = {"stop": "stop", "length": "length"}


class _Shape(BaseModel):
    # The text of an answer must not get into logs by way of an error.
    model_config = ConfigDict(hide_input_in_errors=True)


class _Alternative(_Shape):
    token: str
    logprob: float = Field(le=0.001, allow_inf_nan=False)


class _Token(_Alternative):
    top_logprobs: list[_Alternative] = []

    def best(self, count: int) -> TokenLogprob:
        ranked = sorted(self.top_logprobs, key=lambda other: -other.logprob)[:count]
        top = tuple((other.token, other.logprob) for other in ranked)
        return TokenLogprob(self.token, self.logprob, top)


class _Logprobs(_Shape):
    """Of a chat, `content`; of a raw prompt, lists. llama-server has `content` for both."""

    content: list[_Token] | None = None
    tokens: list[str] = []
    token_logprobs: list[float] = []
    top_logprobs: list[dict[str, float] | None] | None = None

    @model_validator(mode="after")
    def _gather_lists(self) -> Self:
        if self.content is None and self.tokens:
            others = self.top_logprobs or [None] * len(self.tokens)
            self.content = [
                _Token(
                    token=token,
                    logprob=logprob,
                    top_logprobs=[
                        _Alternative(token=text, logprob=value)
                        for text, value in (top or {}).items()
                    ],
                )
                for token, logprob, top in zip(
                    self.tokens, self.token_logprobs, others, strict=True
                )
            ]
        return self


class _Text(_Shape):
    content: str | None = None


class _Choice(_Shape):
    index: int = 0
    delta: _Text = _Text()
    text: str | None = None
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _PromptDetails(_Shape):
    cached_tokens: int | None = None


class _Usage(_Shape):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: _PromptDetails | None = None

    def with_times(self, prompt_s: float, completion_s: float) -> Usage:
        details = self.prompt_tokens_details
        return Usage(
            prompt_tokens=self.prompt_tokens,
            cached_tokens=(details.cached_tokens or 0) if details is not None else 0,
            completion_tokens=self.completion_tokens,
            prompt_s=prompt_s,
            completion_s=completion_s,
        )


class _Answer(_Shape):
    """A whole answer, or one chunk of a stream."""

    choices: list[_Choice] = []
    usage: _Usage | None = None
    error: Any = None
    object: str = ""


class _Vector(_Shape):
    embedding: list[float] = Field(min_length=1)


class _Vectors(_Shape):
    data: list[_Vector] = Field(min_length=1)
    usage: _Usage | None = None


class AnswerReader:
    """Reads one streamed completion of a chat or of a raw prompt, event by event."""

    def __init__(self, request: GenerateRequest, engine: str) -> None:
        """`engine` is the name of the server in error messages."""
        self._request = request
        self._engine = engine
        self._most_events = 2 * request.max_tokens + 64
        self._events = 0
        self._reason: FinishReason | None = None
        self._usage = _Usage()
        self._lacks_logprobs = request.logprobs is not None
        self._began = time.monotonic()
        self._first: float | None = None
        self._last = self._began

    @property
    def is_finished(self) -> bool:
        return self._reason is not None

    def read(self, data: str) -> Delta | None:
        """The text of an event, or None if it has none.

        Raises:
            EngineError: the stream cannot be used any further.
            InvalidInput: the server refuses the request.
        """
        self._events += 1
        if self._events > self._most_events:
            raise EngineCrashed(
                f"{self._engine} did not stop at max_tokens and was stopped. Try again."
            )
        chunk = _parsed(_Answer, data, self._engine)
        if chunk.error is not None or chunk.object == "error":
            raise self._broken_off(data)
        if chunk.usage is not None:
            self._usage = chunk.usage
        choice = next((one for one in chunk.choices if one.index == 0), None)
        return self._delta(choice) if choice is not None and not self.is_finished else None

    def finish(self) -> Finished:
        """The outcome of a complete answer.

        Raises:
            EngineCrashed: the answer is not complete.
            ModelUnavailable: the server has not sent the logprobs that were asked for.
        """
        if self._reason is None:
            raise EngineCrashed(f"{self._engine} stopped in the middle of an answer. Try again.")
        if self._lacks_logprobs and self._first is not None:
            raise ModelUnavailable(f"{self._engine} returns no logprobs. Ask without them.")
        first = self._first or self._last
        usage = self._usage.with_times(first - self._began, self._last - first)
        return Finished(self._reason, usage)

    def _delta(self, choice: _Choice) -> Delta | None:
        self._last = time.monotonic()
        text = choice.delta.content or choice.text or ""
        logprobs = self._logprobs(choice.logprobs)
        if choice.finish_reason is not None:
            self._reason = self._reason_of(choice.finish_reason)
        if not text and not logprobs:
            return None
        self._first = self._first or self._last
        return Delta(text, logprobs)

    def _logprobs(self, sent: _Logprobs | None) -> tuple[TokenLogprob, ...]:
        count = self._request.logprobs
        if sent is None or not sent.content or count is None:
            return ()
        self._lacks_logprobs = False
        return tuple(one.best(count) for one in sent.content)

    def _reason_of(self, reason: str) -> FinishReason:
        if reason not in _REASONS:
            raise EngineCrashed(
                f"{self._engine} stopped the answer for the reason {one_line(reason)!r}. Try again."
            )
        return _REASONS[reason]

    def _broken_off(self, data: str) -> ServiceError:
        error = error_object(data)
        code = error.get("code")
        if self._first is None and isinstance(code, int) and 400 <= code < 600:
            return error_for_status(code, data, engine=self._engine, retry_after_s=1)
        return EngineCrashed(
            f"{self._engine} failed in the middle of an answer: {message_of(data)}. Try again."
        )


def probabilities(
    body: str, choices: Sequence[str], engine: str
) -> tuple[tuple[float, ...], Usage]:
    """The probability of each choice as the next token, and the usage.

    Servers return only the most likely tokens. A choice that is not among them counts as 0. The
    error of this is bounded: such a choice is at most as likely as the least likely token that was
    returned, and all missing tokens together have what the returned ones lack to 1. If the bound
    is above `MAX_MISSING_SHARE` of the sum of the choices, the answer is refused.

    Raises:
        ModelUnavailable: the server returns too few tokens.
        EngineCrashed: the answer cannot be parsed.
    """
    answer = _parsed(_Answer, body, engine)
    known, most_missing = _first_token(answer)
    if not known:
        raise ModelUnavailable(f"{engine} returns no logprobs, so it cannot be used for scores.")
    row = tuple(known.get(choice, 0.0) for choice in choices)
    missing = sum(choice not in known for choice in choices)
    error = min(missing * most_missing, max(0.0, 1 - sum(known.values())))
    if error > MAX_MISSING_SHARE * sum(row):
        raise ModelUnavailable(
            f"{engine} returns only the {len(known)} most likely tokens. Too few of "
            f"{', '.join(choices)} are among them for scores."
        )
    return row, (answer.usage or _Usage()).with_times(0.0, 0.0)


def embedding(body: str, engine: str) -> tuple[tuple[float, ...], Usage]:
    """The vector and the usage. Raises EngineCrashed if the answer cannot be parsed."""
    answer = _parsed(_Vectors, body, engine)
    return tuple(answer.data[0].embedding), (answer.usage or _Usage()).with_times(0.0, 0.0)


def _first_token(answer: _Answer) -> tuple[dict[str, float], float]:
    """The known probabilities of the first token, and the most that any other text can have."""
    choice = next(iter(answer.choices), None)
    content = (
        choice.logprobs.content if choice is not None and choice.logprobs is not None else None
    )
    if not content:
        return {}, 1.0
    known: dict[str, float] = {}
    for one in content[0].top_logprobs:
        # Several tokens may have the same text.
        known[one.token] = known.get(one.token, 0.0) + math.exp(one.logprob)
    most_missing = min((math.exp(one.logprob) for one in content[0].top_logprobs), default=1.0)
    known.setdefault(content[0].token, math.exp(content[0].logprob))
    return known, most_missing


def _parsed(shape: type[Read], body: str, engine: str) -> Read:
    try:
        return shape.model_validate_json(body)
    except ValidationError as error:
        raise EngineCrashed(f"{engine} sent an answer that cannot be parsed. Try again.") from error
