import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import InvalidInput
from service.text.passages import Passage, find_passage, paragraphs, parts

TEXT = "Ask first. Then lend.\n\nAsk first, always.\n- drills\n- ladders"


@given(st.text(max_size=40), st.text(min_size=1, max_size=10), st.text(max_size=40), st.text())
def test_replacing_a_passage_keeps_the_text_around_it(
    before: str, passage: str, after: str, new: str
) -> None:
    found = find_passage(before + passage + after, passage, len(before))

    assert found.of(before + passage + after) == passage
    assert found.replaced(before + passage + after, new) == before + new + after


def test_a_passage_that_occurs_once_is_found() -> None:
    assert find_passage(TEXT, "Then lend.") == Passage(11, 21)


@pytest.mark.parametrize(
    ("passage", "start", "pointer", "said"),
    [
        ("Then borrow.", None, "/selection", "Copy it exactly"),
        ("Ask first", None, "/start", r"2 times.*begins: 0, 23"),
        ("Ask first", 5, "/start", "does not begin at character 5. It begins at 0, 23"),
        ("Then lend.", 99, "/start", "It begins at 11"),
    ],
)
def test_a_missing_or_ambiguous_passage_is_refused_with_advice(
    passage: str, start: int | None, pointer: str, said: str
) -> None:
    with pytest.raises(InvalidInput, match=said) as caught:
        find_passage(TEXT, passage, start)
    assert caught.value.pointer == pointer


def test_the_start_selects_an_occurrence_and_may_precede_blanks() -> None:
    assert find_passage(TEXT, "Ask first", 23).start == 23
    assert find_passage(TEXT, "Ask first", 21).start == 23


def test_occurrences_may_overlap() -> None:
    assert find_passage("aaa", "aa", 1) == Passage(1, 3)


def test_paragraphs_are_separated_by_blank_lines() -> None:
    assert [one.of(TEXT) for one in paragraphs(TEXT)] == [
        "Ask first. Then lend.",
        "Ask first, always.\n- drills\n- ladders",
    ]
    assert [one.of(" a\n \n\n b c \n") for one in paragraphs(" a\n \n\n b c \n")] == ["a", "b c"]
    assert paragraphs(" \n ") == []


def test_a_single_paragraph_is_offered_as_sentences_and_several_as_paragraphs() -> None:
    text = " Ask Dr. Lee first! Then lend.\n- drills "

    assert [one.of(text) for one in parts(text)] == ["Ask Dr. Lee first!", "Then lend.", "- drills"]
    assert parts(TEXT) == paragraphs(TEXT)
    assert parts("") == []


@given(st.lists(st.sampled_from(["a", " ", "\n", "b."]), max_size=40).map("".join))
def test_every_word_belongs_to_a_paragraph(text: str) -> None:
    assert " ".join(one.of(text) for one in paragraphs(text)).split() == text.split()
