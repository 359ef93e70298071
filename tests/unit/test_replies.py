"""Parsing the answers of servers: streams, probabilities, errors."""

import contextlib
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.engine.remote.error_responses import error_for_status, message_of, retry_after_s
from service.engine.remote.replies import AnswerReader, embedding, probabilities
from service.engine.types import Delta, Finished, GenerateRequest, TokenLogprob, Usage
from service.errors import (
    EngineBusy,
    EngineCrashed,
    EngineError,
    InvalidInput,
    ModelUnavailable,
    PromptTooLong,
    ServiceError,
)

REQUEST = GenerateRequest("1", "m", (), 10)


def event(text: str | None = None, reason: str | None = None, **more: Any) -> str:
    return json.dumps(
        {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": reason, **more}]}
    )


def deltas(*events: str, logprobs: int | None = None) -> tuple[list[Delta], Finished]:
    reader = AnswerReader(GenerateRequest("1", "m", (), 10, logprobs=logprobs), "The engine")
    read = [reader.read(one) for one in events]
    return [one for one in read if one is not None], reader.finish()


def probe_answer(*tokens: tuple[str, float], sampled: tuple[str, float] | None = None) -> str:
    """The answer to a probe, with these probabilities."""
    top = [{"token": text, "logprob": math.log(share)} for text, share in tokens]
    first = top[0] if sampled is None else {"token": sampled[0], "logprob": math.log(sampled[1])}
    logprobs = {"content": [{**first, "top_logprobs": top}]}
    return json.dumps({"choices": [{"index": 0, "logprobs": logprobs}]})


def test_an_answer_has_its_deltas_and_the_reason_of_its_end() -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "prompt_tokens_details": None}

    read, end = deltas(
        event("a"), event(None), event("b"), event(reason="length"), json.dumps({"usage": usage})
    )

    assert read == [Delta("a"), Delta("b")]
    assert end.reason == "length"
    assert (end.usage.prompt_tokens, end.usage.completion_tokens) == (5, 2)


def test_only_the_first_choice_is_read() -> None:
    other = json.dumps({"choices": [{"index": 1, "delta": {"content": "no"}}]})

    assert deltas(other, event("yes"), event(reason="stop"))[0] == [Delta("yes")]


def test_logprobs_have_as_many_alternatives_as_were_asked_for() -> None:
    shares = {"c": -4.0, "a": -0.1, "b": -3.0}
    top = [{"token": text, "logprob": share} for text, share in shares.items()]
    content = [{"token": "c", "logprob": -4.0, "bytes": [99], "top_logprobs": top}]

    read, _ = deltas(event("c", logprobs={"content": content}), event(reason="stop"), logprobs=2)

    assert read == [Delta("c", (TokenLogprob("c", -4.0, (("a", -0.1), ("b", -3.0))),))]


def text_event(text: str, reason: str | None = None, **more: Any) -> str:
    return json.dumps({"choices": [{"index": 0, "text": text, "finish_reason": reason, **more}]})


def test_the_completion_of_a_raw_prompt_is_read_like_that_of_a_chat() -> None:
    read, end = deltas(text_event("a"), text_event(" b", "length"))

    assert read == [Delta("a"), Delta(" b")]
    assert end.reason == "length"


def test_logprobs_of_a_raw_prompt_are_read_from_their_lists() -> None:
    lists = {
        "tokens": ["c", "d"],
        "token_logprobs": [-4.0, -0.5],
        "top_logprobs": [{"a": -0.1, "c": -4.0, "b": -3.0}, None],
        "text_offset": [0, 1],
    }

    read, _ = deltas(text_event("cd", logprobs=lists), text_event("", "stop"), logprobs=2)

    first = TokenLogprob("c", -4.0, (("a", -0.1), ("b", -3.0)))
    assert read == [Delta("cd", (first, TokenLogprob("d", -0.5, ())))]


def test_lists_of_logprobs_of_different_lengths_are_an_error() -> None:
    lists = {"tokens": ["c", "d"], "token_logprobs": [-4.0]}

    with pytest.raises(EngineCrashed, match="parsed"):
        deltas(text_event("cd", logprobs=lists), logprobs=0)


def test_missing_logprobs_are_an_error() -> None:
    with pytest.raises(ModelUnavailable, match="logprobs"):
        deltas(event("a"), event(reason="stop"), logprobs=0)


def test_an_answer_without_an_end_is_an_error() -> None:
    with pytest.raises(EngineCrashed, match="middle"):
        deltas(event("a"))


@pytest.mark.parametrize(
    "data",
    [
        "no json",
        "[]",
        '{"choices": 1}',
        '{"choices": [{"delta": {"content": 5}}]}',
        '{"choices": [{"delta": {"content": "\\ud83d"}}]}',
        event("a", logprobs={"content": [{"token": "a", "logprob": 1.0}]}),
        '{"choices": [{"logprobs": {"content": [{"token": "a", "logprob": NaN}]}}]}',
        event(reason="content_filter"),
    ],
)
def test_an_event_that_cannot_be_parsed_is_an_error(data: str) -> None:
    with pytest.raises(EngineCrashed):
        AnswerReader(REQUEST, "The engine").read(data)


@given(st.text())
def test_any_data_gives_text_or_a_service_error(data: str) -> None:
    read = None
    with contextlib.suppress(ServiceError):
        read = AnswerReader(REQUEST, "The engine").read(data)

    assert read is None or isinstance(read, Delta)


def test_an_answer_that_exceeds_max_tokens_is_stopped() -> None:
    with pytest.raises(EngineCrashed, match="max_tokens"):
        deltas(*[event("a")] * 200)


@pytest.mark.parametrize(
    "data",
    [
        '{"error": {"message": "out of memory", "code": 500}}',
        '{"error": "out of memory"}',
        '{"object": "error", "message": "out of memory", "code": 500}',
    ],
)
def test_an_error_in_the_middle_of_an_answer_is_reported(data: str) -> None:
    reader = AnswerReader(REQUEST, "The engine")
    reader.read(event("a"))

    with pytest.raises(EngineCrashed, match="out of memory"):
        reader.read(data)


def test_an_error_instead_of_an_answer_is_mapped_by_its_code() -> None:
    data = '{"error": {"message": "maximum context length is 20 tokens", "code": 400}}'

    with pytest.raises(PromptTooLong):
        AnswerReader(REQUEST, "The engine").read(data)


def test_a_choice_has_the_probability_that_the_server_returns() -> None:
    row, _ = probabilities(
        probe_answer(("1", 0.5), ("x", 0.3), ("0", 0.2)), ("0", "1"), "The engine"
    )

    assert row == pytest.approx((0.2, 0.5))


def test_tokens_with_the_same_text_are_added_up() -> None:
    row, _ = probabilities(probe_answer(("1", 0.6), ("1", 0.4)), ("1",), "The engine")

    assert row == pytest.approx((1.0,))


def test_a_missing_choice_with_a_negligible_probability_counts_as_zero() -> None:
    row, _ = probabilities(probe_answer(("1", 0.97), ("x", 0.01)), ("0", "1"), "The engine")

    assert row == pytest.approx((0.0, 0.97))


@pytest.mark.parametrize(
    "answer",
    [
        probe_answer(("1", 0.5), ("x", 0.1)),
        probe_answer(("x", 0.9)),
        probe_answer(("1", 0.5), ("x", 0.3), sampled=("y", 0.0001)),
        probe_answer(("1", 0.5)).replace("top_logprobs", "other"),
        json.dumps({"choices": [{"index": 0}]}),
        json.dumps({"choices": []}),
    ],
)
def test_a_probability_that_cannot_be_known_is_an_error(answer: str) -> None:
    with pytest.raises(ModelUnavailable, match=r"The engine returns"):
        probabilities(answer, ("0", "1"), "The engine")


def test_an_embedding_is_returned_as_the_server_sent_it() -> None:
    answer = json.dumps({"data": [{"embedding": [0.5, -1]}], "usage": {"prompt_tokens": 3}})

    assert embedding(answer, "The engine") == ((0.5, -1.0), Usage(prompt_tokens=3))


@pytest.mark.parametrize("answer", ["", "{}", '{"data": []}', '{"data": [{"embedding": []}]}'])
def test_an_answer_without_an_embedding_is_an_error(answer: str) -> None:
    with pytest.raises(EngineCrashed):
        embedding(answer, "The engine")


CONTEXT = (
    '{"error":{"code":400,"message":"request (9 tokens) exceeds the available context size",'
    '"type":"exceed_context_size_error"}}',
    '{"object":"error","message":"This model\'s maximum context length is 8 tokens."}',
    '{"error":{"message":"The decoder prompt (length 9) is longer than the maximum model length."}}',
    '{"error":{"message":"too long","code":"context_length_exceeded"}}',
)


@pytest.mark.parametrize("body", CONTEXT)
def test_every_known_message_about_a_long_prompt_is_recognised(body: str) -> None:
    error = error_for_status(400, body, engine="The engine", retry_after_s=1)

    assert isinstance(error, PromptTooLong)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, ModelUnavailable),
        (400, InvalidInput),
        (401, ModelUnavailable),
        (403, ModelUnavailable),
        (404, ModelUnavailable),
        (405, ModelUnavailable),
        (413, InvalidInput),
        (422, InvalidInput),
        (429, EngineBusy),
        (500, EngineCrashed),
        (501, ModelUnavailable),
        (502, EngineCrashed),
        (503, EngineBusy),
    ],
)
def test_each_status_has_its_error(status: int, kind: type[EngineError]) -> None:
    error = error_for_status(status, '{"error":{"message":"because"}}', engine="E", retry_after_s=4)

    assert type(error) is kind
    assert status in (401, 403) or "because" in error.detail


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('{"error": {"message": "m"}}', "m"),
        ('{"error": "m"}', "m"),
        ('{"detail": "m."}', "m"),
        ('{"message": "two\\nlines\\u001b[31m"}', "two lines [31m"),
        ('{"message": "' + "long " * 100 + '"}', "long " * 39 + "long…"),
        ('{"detail": [1]}', "it does not say why"),
        ("<html>", "it does not say why"),
    ],
)
def test_a_servers_message_becomes_one_short_line(body: str, message: str) -> None:
    assert message_of(body) == message


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7), ("0", 1), ("99999", 120), (None, 3), ("nan", 3), ("Wed, 21 Oct 2015", 3), ("-5", 3)],
)
def test_the_time_to_wait_is_limited(header: str | None, seconds: int) -> None:
    assert retry_after_s(header, 2.5) == seconds
