from hypothesis import given
from hypothesis import strategies as st

from service.engine.decoding.detokenizer import Detokenizer


def written(pieces: list[bytes], stop: tuple[str, ...] = ()) -> tuple[list[str], Detokenizer]:
    transcript = Detokenizer(stop)
    parts = []
    for piece in pieces:
        parts.append(transcript.push(piece))
        if transcript.is_stopped:
            return parts, transcript
    return [*parts, transcript.finish()], transcript


def cut(text: str, sizes: list[int]) -> list[bytes]:
    data, pieces = text.encode(), []
    for size in sizes:
        pieces.append(data[:size])
        data = data[size:]
    return [*pieces, data]


@given(st.text(), st.lists(st.integers(0, 4)))
def test_the_text_is_the_same_however_its_bytes_are_divided(text: str, sizes: list[int]) -> None:
    parts, _ = written(cut(text, sizes))

    assert "".join(parts) == text
    assert all("\ufffd" not in part for part in parts) or "\ufffd" in text


@given(
    st.text("ab\n"),
    st.lists(st.integers(0, 3)),
    st.lists(st.text("ab\n", min_size=1, max_size=3), min_size=1, max_size=3),
)
def test_the_text_ends_before_the_first_stop_string(
    text: str, sizes: list[int], stops: list[str]
) -> None:
    parts, transcript = written(cut(text, sizes), tuple(stops))
    result = "".join(parts)

    assert text.startswith(result)
    assert not any(stop in result for stop in stops)
    assert transcript.is_stopped == any(stop in text for stop in stops)
    if not transcript.is_stopped:
        assert result == text
    else:
        assert any(text[len(result) :].startswith(stop) for stop in stops)


def test_only_the_possible_start_of_a_stop_string_is_held_back() -> None:
    transcript = Detokenizer(("\n\nEnd",))

    assert transcript.push(b"one\n") == "one"
    assert transcript.push(b"two\n\nE") == "\ntwo"
    assert transcript.push(b"x") == "\n\nEx"
    assert transcript.push(b"\n\nEnd of it") == ""
    assert transcript.is_stopped
    assert transcript.push(b"more") == ""


def test_an_incomplete_character_becomes_a_replacement_character() -> None:
    transcript = Detokenizer()

    assert transcript.push("é".encode()[:1]) == ""
    assert transcript.finish() == "\ufffd"
