from dataclasses import dataclass
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.analysis.word_overlap import (
    NEAR,
    SAME_IDEA,
    is_same_idea,
    most_similar,
    resemblance,
)

SWAP = "Swap Shelf Sunday. Put a shelf by the door where neighbours swap books every Sunday."
SWAP_AGAIN = (
    "Sunday swapping shelves. Every Sunday, neighbours swap a book on the shelf by the door."
)
SWAP_NEAR = "Book Table. In the hall stands a table where neighbours leave books they have read."
OTHER = "Quiet Hour. Turn the radio off between two and three so that guests can read in peace."


def test_order_case_and_plurals_do_not_matter() -> None:
    assert resemblance("Shelves FOR books, boxes", "the box and book shelf") > 0.6
    assert resemblance("two red boxes", "Boxes, red: two") == 1.0


def test_the_same_idea_in_other_words_is_alike() -> None:
    assert resemblance(SWAP, SWAP_AGAIN) >= SAME_IDEA


@dataclass(frozen=True)
class Card:
    title: str
    text: str

    @property
    def whole(self) -> str:
        return f"{self.title}. {self.text}"


def test_ideas_with_one_title_are_the_same_whatever_their_texts_say() -> None:
    other = Card("Swap Shelf", "Tools hang in the shed for everyone.")

    assert is_same_idea(Card("The swap shelf", "Books lie by the door."), other, ignore="")
    assert not is_same_idea(Card("A door", "Books lie by the door."), other, ignore="")


def test_ideas_with_the_same_words_are_the_same_unless_they_are_those_of_the_topic() -> None:
    one = Card("Door Shelf", "Neighbours swap books every Sunday.")
    other = Card("Book Hour", "Swap books with neighbours.")

    assert is_same_idea(one, Card("Sunday Books", "Neighbours swap at a shelf."), ignore="")
    assert is_same_idea(one, other, ignore="")
    assert not is_same_idea(one, other, ignore="swap books")


def test_a_related_idea_is_near_but_not_alike() -> None:
    assert NEAR <= resemblance(SWAP, SWAP_NEAR) < SAME_IDEA


def test_different_ideas_are_not_near() -> None:
    assert resemblance(SWAP, OTHER) < NEAR


def test_words_of_the_topic_can_be_left_out_of_the_comparison() -> None:
    a = "Less food waste with labels on every box"
    b = "Less food waste with soup on Fridays"

    assert resemblance(a, b, ignore="less food waste") < resemblance(a, b)


def test_scripts_without_spaces_are_compared() -> None:
    assert resemblance("每周日交换图书", "图书交换每周日") > NEAR
    assert resemblance("每周日交换图书", "关掉收音机") < NEAR


@pytest.mark.parametrize("text", ["", "...", "\n"])
def test_nothing_resembles_an_empty_text(text: str) -> None:
    assert resemblance(text, SWAP) == 0.0


@given(st.text(max_size=80), st.text(max_size=80))
def test_resemblance_is_symmetric_and_between_0_and_1(a: str, b: str) -> None:
    assert resemblance(a, b) == resemblance(b, a)
    assert 0.0 <= resemblance(a, b) <= 1.0


@given(st.text(alphabet="abcdefgh sing", min_size=1, max_size=60))
def test_a_text_with_words_fully_resembles_itself(text: str) -> None:
    assert resemblance(text, text) == (1.0 if text.strip() else 0.0)


def test_the_closest_known_idea_is_found() -> None:
    found = most_similar(SWAP, [("a", OTHER), ("b", SWAP_AGAIN), ("c", SWAP_NEAR)])

    assert found is not None
    assert found == ("b", resemblance(SWAP, SWAP_AGAIN))


def test_without_known_ideas_none_is_the_closest() -> None:
    assert most_similar(SWAP, []) is None


def test_a_thousand_known_ideas_are_compared_without_a_noticeable_wait() -> None:
    known = [(str(i), f"{SWAP_NEAR} Number {i} has its own word{i} and more.") for i in range(1000)]

    most_similar(SWAP, known)
    began = process_time()
    most_similar(SWAP_AGAIN, known)

    # A tenth of it on an idle machine; the rest is for a busy one.
    assert process_time() - began < 0.1
