import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.engine.protocol import (
    HEADER_BYTES,
    Body,
    Cancel,
    Channel,
    Ended,
    Failure,
    Load,
    Loaded,
    LoadFailed,
    Loading,
    Unload,
    Unloaded,
    decode,
    encode,
    error_of,
    failure_of,
    payload_size,
)
from service.engine.types import (
    Delta,
    Embedding,
    EmbedRequest,
    Finished,
    GenerateRequest,
    Message,
    Probabilities,
    ProbeRequest,
    Sampling,
    Scored,
    ScoreRequest,
    Started,
    TokenLogprob,
    Usage,
)
from service.errors import EngineBusy, EngineError, InvalidInput, PromptTooLong

BODIES: list[Body] = [
    Load(
        "/m.gguf", 4096, 8, "unified", 8192, None, -1, "chatml", "<think></think>", "/a.gguf", 0.5
    ),
    Cancel(),
    GenerateRequest(
        "1",
        "m",
        (Message("user", 'é\n"'),),
        9,
        Sampling(seed=3),
        ("x",),
        "root ::= [a]",
        logprobs=2,
        client="c",
        timeout_s=1.5,
    ),
    GenerateRequest("4", "m", (), 9, Sampling(logit_bias=((7, -100.0),)), json_schema="{}"),
    GenerateRequest("6", "m", (), 9, prompt="<s>a raw\n\ud800prompt"),
    GenerateRequest("7", "m", (), 9, prompt=(1, 2, 3)),
    ProbeRequest("2", "m", ((Message("system", "s"), Message("user", "u")),), ("a", "b")),
    EmbedRequest("3", "m", "text"),
    ScoreRequest("5", "m", (Message("user", "u"),), "an answer"),
    Loading(0.25),
    Unload(),
    Loaded(2048, 135_000_000, 47_000_000),
    Unloaded(),
    LoadFailed("no"),
    Ended(),
    Failure("InvalidInput", "bad"),
    Started(7),
    Delta("a\u2028", (TokenLogprob("a", -0.5, (("a", -0.5),)),)),
    Finished("stop", Usage(1, 2, 3, 0.5, 0.25)),
    Probabilities(((0.25, 0.5), (1e-300, 1.0)), Usage()),
    Embedding((0.1, -2.5), Usage()),
    Scored((-0.5, -12.25), Usage(3, 0, 2)),
]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: type(body).__name__)
def test_every_message_arrives_unchanged(body: Body) -> None:
    assert decode(encode([("about", body)])[HEADER_BYTES:]) == [("about", body)]


@given(st.text(st.characters(), max_size=30))
def test_any_text_arrives_unchanged(text: str) -> None:
    assert decode(encode([(text, Delta(text))])[HEADER_BYTES:]) == [(text, Delta(text))]


@pytest.mark.parametrize(
    "payload",
    [b"3", b"{}", b"[3]", b'[["a"]]', b'[["a", 1]]', b'[[1, "a"]]', b'[["a", "Nobody", {}]]',
     b'[["a", "Started", {"prompt_tokens": "many"}]]', b"[", b"\xff"],
)  # fmt: skip
def test_an_invalid_frame_is_refused(payload: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decode(payload)


def test_frames_arrive_whole_even_byte_by_byte() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        data = encode([("1", Delta("a"))]) + encode([]) + encode([("2", Ended()), ("3", Cancel())])

        def trickle() -> None:
            for index in range(len(data)):
                ours.sendall(data[index : index + 1])

        sender = threading.Thread(target=trickle)
        sender.start()
        channel, received = Channel(theirs), list[tuple[str, Body]]()
        while len(received) < 3:
            received += channel.receive(None)
        sender.join()

        assert received == [("1", Delta("a")), ("2", Ended()), ("3", Cancel())]
        assert channel.receive(0) == []


def test_a_closed_socket_is_reported() -> None:
    ours, theirs = socket.socketpair()
    ours.close()
    with theirs, pytest.raises(EOFError):
        Channel(theirs).receive(None)


def test_errors_keep_their_class_and_their_message() -> None:
    error = error_of(failure_of(PromptTooLong("too long")))

    assert isinstance(error, PromptTooLong)
    assert error.detail == "too long"
    assert isinstance(error_of(failure_of(InvalidInput("no"))), InvalidInput)
    assert type(error_of(failure_of(EngineBusy("busy", retry_after_s=1)))) is EngineError


def test_a_frame_that_claims_to_be_huge_is_refused() -> None:
    with pytest.raises(ValueError, match="not a frame"):
        payload_size(b"\xff\xff\xff\xff")
