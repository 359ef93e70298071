import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.engine.remote.sse import EventReader, EventTooLargeError

STREAM = (
    "\ufeffdata: first\r\n\r\n: ping\r\rdata:no space\ndata:  two\n\n"
    "event: named\nid: 7\nretry: 10\n\ndata: ünï😀\r\rdata\n\ndata: [DONE]\n\ndata: cut off"
).encode()
EVENTS = ["first", "no space\n two", "ünï😀", "", "[DONE]"]
LINES = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=12)
LINE_ENDS = st.sampled_from(["\n", "\r", "\r\n"])


def read(*chunks: bytes, limit_bytes: int = 10_000) -> list[str]:
    reader = EventReader(limit_bytes)
    return [data for chunk in chunks for data in reader.feed(chunk)]


def test_only_complete_events_are_read() -> None:
    assert read(STREAM) == EVENTS


def test_a_stream_read_byte_by_byte_gives_the_same_events() -> None:
    assert read(*(bytes([byte]) for byte in STREAM)) == EVENTS


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_chunks_may_end_anywhere(cuts: list[int]) -> None:
    ends = [0, *sorted(cuts), len(STREAM)]

    assert read(*(STREAM[a:b] for a, b in itertools.pairwise(ends))) == EVENTS


@given(st.lists(st.lists(LINES, min_size=1, max_size=3), max_size=4), st.data())
def test_all_written_events_are_read(events: list[list[str]], draw: st.DataObject) -> None:
    text = ""
    for lines in events:
        for line in lines:
            text += f"data: {line}{draw.draw(LINE_ENDS)}"
        # A bare line feed after a bare return would only end the same line.
        text += "\n\n" if text.endswith("\r") else "\n"

    assert read(text.encode()) == ["\n".join(lines) for lines in events]


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_any_bytes_are_read_without_an_error(chunks: list[bytes]) -> None:
    assert all(isinstance(data, str) for data in read(*chunks))


@pytest.mark.parametrize(
    "piece",
    [b"x", b": comment ", b"data: more\n", b"data\n"],
    ids=["line", "comment", "event", "empty-lines"],
)
def test_an_endless_line_or_event_is_refused(piece: bytes) -> None:
    with pytest.raises(EventTooLargeError):
        read(*[piece] * 1001, limit_bytes=1000)


def test_a_long_stream_of_small_events_is_within_the_limit() -> None:
    assert len(read(*[b": ping\n\ndata: small\n\n"] * 500, limit_bytes=100)) == 500


def test_a_name_applies_to_one_event_and_the_default_name_is_message() -> None:
    stream = b"event: first\n\nevent:second\ndata: a\n\ndata: b\n\n"

    assert EventReader().feed_named(stream) == [("second", "a"), ("message", "b")]
