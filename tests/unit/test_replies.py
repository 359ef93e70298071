"""What servers answer, judged: streams, probabilities, refusals."""

import contextlib
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.engine.remote.error_responses import message_of, refusal, retry_after_s
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


def piece(text: str | None = None, reason: str | None = None, **more: Any) -> str:
    return json.dumps(
        {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": reason, **more}]}
    )


def deltas(*events: str, logprobs: int | None = None) -> tuple[list[Delta], Finished]:
    reader = AnswerReader(GenerateRequest("1", "m", (), 10, logprobs=logprobs), "The engine")
    read = [reader.read(one) for one in events]
    return [one for one in read if one is not None], reader.finish()


def told(*tokens: tuple[str, float], sampled: tuple[str, float] | None = None) -> str:
    """A probe's answer with these probabilities."""
    top = [{"token": text, "logprob": math.log(share)} for text, share in tokens]
    first = top[0] if sampled is None else {"token": sampled[0], "logprob": math.log(sampled[1])}
    logprobs = {"content": [{**first, "top_logprobs": top}]}
    return json.dumps({"choices": [{"index": 0, "logprobs": logprobs}]})


def test_an_answer_is_its_pieces_and_how_it_ended() -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "prompt_tokens_details": None}

    pieces, end = deltas(
        piece("a"), piece(None), piece("b"), piece(reason="length"), json.dumps({"usage": usage})
    )

    assert pieces == [Delta("a"), Delta("b")]
    assert end.reason == "length"
    assert (end.usage.prompt_tokens, end.usage.completion_tokens) == (5, 2)


def test_only_the_first_choice_is_read() -> None:
    other = json.dumps({"choices": [{"index": 1, "delta": {"content": "no"}}]})

    assert deltas(other, piece("yes"), piece(reason="stop"))[0] == [Delta("yes")]


def test_logprobs_come_with_the_likeliest_as_many_as_were_asked_for() -> None:
    shares = {"c": -4.0, "a": -0.1, "b": -3.0}
    top = [{"token": text, "logprob": share} for text, share in shares.items()]
    content = [{"token": "c", "logprob": -4.0, "bytes": [99], "top_logprobs": top}]

    pieces, _ = deltas(piece("c", logprobs={"content": content}), piece(reason="stop"), logprobs=2)

    assert pieces == [Delta("c", (TokenLogprob("c", -4.0, (("a", -0.1), ("b", -3.0))),))]


def test_logprobs_that_do_not_come_are_missed() -> None:
    with pytest.raises(ModelUnavailable, match="logprobs"):
        deltas(piece("a"), piece(reason="stop"), logprobs=0)


def test_an_answer_without_an_end_is_not_whole() -> None:
    with pytest.raises(EngineCrashed, match="middle"):
        deltas(piece("a"))


@pytest.mark.parametrize(
    "data",
    [
        "no json",
        "[]",
        '{"choices": 1}',
        '{"choices": [{"delta": {"content": 5}}]}',
        '{"choices": [{"delta": {"content": "\\ud83d"}}]}',
        piece("a", logprobs={"content": [{"token": "a", "logprob": 1.0}]}),
        '{"choices": [{"logprobs": {"content": [{"token": "a", "logprob": NaN}]}}]}',
        piece(reason="content_filter"),
    ],
)
def test_what_cannot_be_read_is_no_answer(data: str) -> None:
    with pytest.raises(EngineCrashed):
        AnswerReader(REQUEST, "The engine").read(data)


@given(st.text())
def test_whatever_comes_is_text_or_an_error_of_ours(data: str) -> None:
    read = None
    with contextlib.suppress(ServiceError):
        read = AnswerReader(REQUEST, "The engine").read(data)

    assert read is None or isinstance(read, Delta)


def test_an_answer_that_goes_on_past_its_tokens_is_stopped() -> None:
    with pytest.raises(EngineCrashed, match="max_tokens"):
        deltas(*[piece("a")] * 200)


@pytest.mark.parametrize(
    "data",
    [
        '{"error": {"message": "out of memory", "code": 500}}',
        '{"error": "out of memory"}',
        '{"object": "error", "message": "out of memory", "code": 500}',
    ],
)
def test_an_error_amid_an_answer_is_told(data: str) -> None:
    reader = AnswerReader(REQUEST, "The engine")
    reader.read(piece("a"))

    with pytest.raises(EngineCrashed, match="out of memory"):
        reader.read(data)


def test_an_error_in_place_of_an_answer_is_what_its_code_says() -> None:
    data = '{"error": {"message": "maximum context length is 20 tokens", "code": 400}}'

    with pytest.raises(PromptTooLong):
        AnswerReader(REQUEST, "The engine").read(data)


def test_a_choice_has_the_probability_that_is_told() -> None:
    row, _ = probabilities(told(("1", 0.5), ("x", 0.3), ("0", 0.2)), ("0", "1"), "The engine")

    assert row == pytest.approx((0.2, 0.5))


def test_tokens_of_the_same_text_count_together() -> None:
    row, _ = probabilities(told(("1", 0.6), ("1", 0.4)), ("1",), "The engine")

    assert row == pytest.approx((1.0,))


def test_a_choice_that_can_have_next_to_nothing_counts_as_nothing() -> None:
    row, _ = probabilities(told(("1", 0.97), ("x", 0.01)), ("0", "1"), "The engine")

    assert row == pytest.approx((0.0, 0.97))


@pytest.mark.parametrize(
    "answer",
    [
        told(("1", 0.5), ("x", 0.1)),
        told(("x", 0.9)),
        told(("1", 0.5), ("x", 0.3), sampled=("y", 0.0001)),
        told(("1", 0.5)).replace("top_logprobs", "other"),
        json.dumps({"choices": [{"index": 0}]}),
        json.dumps({"choices": []}),
    ],
)
def test_a_probability_is_never_made_up(answer: str) -> None:
    with pytest.raises(ModelUnavailable, match=r"The engine tells"):
        probabilities(answer, ("0", "1"), "The engine")


def test_an_embedding_is_as_the_server_gives_it() -> None:
    answer = json.dumps({"data": [{"embedding": [0.5, -1]}], "usage": {"prompt_tokens": 3}})

    assert embedding(answer, "The engine") == ((0.5, -1.0), Usage(prompt_tokens=3))


@pytest.mark.parametrize("answer", ["", "{}", '{"data": []}', '{"data": [{"embedding": []}]}'])
def test_an_answer_without_an_embedding_cannot_be_read(answer: str) -> None:
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
def test_every_way_to_say_that_a_prompt_is_too_long_is_understood(body: str) -> None:
    error = refusal(400, body, engine="The engine", retry_after_s=1)

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
def test_a_status_is_the_error_it_stands_for(status: int, kind: type[EngineError]) -> None:
    error = refusal(status, '{"error":{"message":"because"}}', engine="E", retry_after_s=4)

    assert type(error) is kind
    assert status in (401, 403) or "because" in error.detail


@pytest.mark.parametrize(
    ("body", "said"),
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
def test_what_a_server_says_becomes_a_short_line(body: str, said: str) -> None:
    assert message_of(body) == said


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7), ("0", 1), ("99999", 120), (None, 3), ("nan", 3), ("Wed, 21 Oct 2015", 3), ("-5", 3)],
)
def test_the_time_to_wait_is_within_reason(header: str | None, seconds: int) -> None:
    assert retry_after_s(header, 2.5) == seconds
