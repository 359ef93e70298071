"""Which words a misspelt word may stand for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.spelling import distance, near_words, tolerance

WORDS = st.text("abcdå", max_size=7)


@pytest.mark.parametrize(
    ("first", "second", "far"),
    [
        ("bicycle", "bicycle", 0),
        ("biycle", "bicycle", 1),
        ("bcicycle", "bicycle", 1),
        ("bicycel", "bicycle", 1),
        ("icycle", "bicycle", 1),
        ("nicycle", "bicycle", 1),
        ("biyclce", "bicycle", 2),
        ("bisikle", "bicycle", 3),
        ("", "soup", 4),
        ("ca", "abc", 3),
    ],
)
def test_a_swap_of_neighbours_counts_as_one_change(first: str, second: str, far: int) -> None:
    assert distance(first, second, 9) == far


@given(WORDS, WORDS)
def test_the_distance_is_the_same_both_ways_and_gives_up_only_beyond_the_most(
    first: str, second: str
) -> None:
    far = distance(first, second, 99)

    assert far == distance(second, first, 99)
    assert (far == 0) == (first == second)
    assert abs(len(first) - len(second)) <= far <= max(len(first), len(second))
    for most in range(4):
        assert min(distance(first, second, most), most + 1) == min(far, most + 1)


@pytest.mark.parametrize(
    ("word", "letters"), [("bus", 0), ("buss", 1), ("trädgår", 1), ("trädgård", 2), ("2027", 0)]
)
def test_long_words_may_have_two_wrong_letters_and_numbers_none(word: str, letters: int) -> None:
    assert tolerance(word) == letters


def test_near_words_come_nearest_first_and_those_with_the_same_first_letter_before_others() -> None:
    words = ["tables", "fable", "table", "cable", "stable", "horse", "tab1e", "label"]

    assert near_words("tablle", words) == [(1, "table")]
    assert [word for _, word in near_words("tabel", words)] == ["table", "label"]


@given(WORDS, st.lists(WORDS))
def test_no_near_word_is_missed(word: str, words: list[str]) -> None:
    most = tolerance(word)
    near = {other for other in words if other != word and distance(word, other, most) <= most}

    assert {other for _, other in near_words(word, words)} == (near if most else set())
