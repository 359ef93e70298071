import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.diff import Edit, Piece, apply_edits, count_sentences, edits_between, word_diff

PROSE = st.lists(st.sampled_from(["a", "tool", "shelf", "hall.", "\n", "\n\n"]), max_size=30).map(
    " ".join
)


def words(pieces: tuple[Piece, ...], without: str) -> list[str]:
    return "".join(piece.text for piece in pieces if piece.kind != without).split()


@given(PROSE, PROSE)
def test_the_pieces_of_a_diff_restore_both_texts(before: str, after: str) -> None:
    pieces = word_diff(before, after)

    assert words(pieces, without="added") == before.split()
    assert words(pieces, without="removed") == after.split()


@given(PROSE)
def test_a_text_does_not_differ_from_itself(text: str) -> None:
    assert {piece.kind for piece in word_diff(text, text)} <= {"same"}


def test_only_the_words_that_changed_are_marked() -> None:
    pieces = word_diff("A shelf in the hall for tools.", "A shelf in the cellar for tools.")

    assert pieces == (
        Piece("same", "A shelf in the "),
        Piece("removed", "hall"),
        Piece("added", "cellar"),
        Piece("same", " for tools."),
    )


def test_a_single_word_between_changes_belongs_to_them() -> None:
    pieces = word_diff("red and green hats", "blue and yellow hats")

    assert [piece.text for piece in pieces] == ["red and green", "blue and yellow", " hats"]


def test_reflowed_lines_are_not_a_change() -> None:
    assert {piece.kind for piece in word_diff("a  b\nc", "a b\nc")} == {"same"}


@given(PROSE, PROSE, st.data())
def test_any_choice_of_edits_gives_a_text_of_whole_words(
    before: str, after: str, data: st.DataObject
) -> None:
    edits = edits_between(before, after)
    chosen = [edit for edit in edits if data.draw(st.booleans())]
    words_of = {id(edit): (edit.removed.split(), edit.added.split()) for edit in edits}

    made = apply_edits(before, chosen)
    expected, at = [], 0
    for edit in edits:
        expected += before[at : edit.start].split() + words_of[id(edit)][edit in chosen]
        at = edit.end

    assert made.split() == expected + before[at:].split()
    assert len(made) == len(before) + sum(len(one.added) - len(one.removed) for one in chosen)


@given(PROSE, PROSE)
def test_all_edits_give_the_new_text_except_for_blanks_and_none_give_the_old_one(
    before: str, after: str
) -> None:
    assert apply_edits(before, edits_between(before, after)).split() == after.split()
    assert apply_edits(before, []) == before


@given(PROSE, PROSE)
def test_edits_do_not_touch_and_each_changes_something(before: str, after: str) -> None:
    edits = edits_between(before, after)

    assert all(one.end <= other.start for one, other in pairwise(edits))
    assert all(before[edit.start : edit.end] == edit.removed != edit.added for edit in edits)


def test_a_new_paragraph_is_one_edit_with_the_break_before_it() -> None:
    edits = edits_between("A shelf.", "A shelf.\n\nAsk first.")

    assert edits == (Edit(8, "", "\n\nAsk first."),)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a " * 4000, "b a " * 2000),
        (" ".join(str(i % 97) for i in range(4000)), " ".join(str(i % 89) for i in range(4000))),
        ("x" * 8000, "y" * 8000),
    ],
)
def test_no_text_makes_a_diff_slow(before: str, after: str) -> None:
    began = time.process_time()

    word_diff(before, after)

    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("before", "after", "counts"),
    [
        ("A shelf. Ask first.", "A shelf. Ask first.", (0, 0, 0)),
        ("A shelf. Ask first.", "A shelf.\n\nAsk   first.", (0, 0, 0)),
        ("A shelf. Ask first.", "A big shelf. Ask first.", (1, 0, 0)),
        ("A shelf. Ask first.", "A shelf. Ask first. Bring it back!", (0, 1, 0)),
        ("A shelf. Ask first.", "Ask first.", (0, 0, 1)),
        ("A shelf. Ask Dr. Lee.", "A shelf. Ask Dr. Kim. Then lend.", (1, 1, 0)),
        ("- one\n- two", "- one\n- three\n- four", (1, 1, 0)),
        ("", "A shelf.", (0, 1, 0)),
        ("…", "!", (0, 0, 0)),
    ],
)
def test_sentences_that_changed_came_or_went_are_counted(
    before: str, after: str, counts: tuple[int, int, int]
) -> None:
    assert count_sentences(before, after) == counts


@given(PROSE, PROSE)
def test_the_counts_of_sentences_add_up(before: str, after: str) -> None:
    there, back = count_sentences(before, after), count_sentences(after, before)

    none = count_sentences("", after).added - count_sentences("", before).added
    assert there.added - there.removed == none == back.removed - back.added
    assert min(there) >= 0


def test_texts_that_would_take_long_to_compare_by_words_are_compared_by_lines() -> None:
    # So many words, each just too rare to be ignored.
    words = [f"{first}{second}" for first in "abcdefghijk" for second in "abcdefghij"]
    lines = [f"{number}. {' '.join(words)}" for number in range(200)]
    changed = [*lines[:-1], f"last. {' '.join(words)}"]
    before, after = "\n".join(lines), "\n".join(changed)

    edits = edits_between(before, after)

    assert [(edit.removed, edit.added) for edit in edits] == [(lines[-1], changed[-1])]
    assert apply_edits(before, edits) == after


def test_texts_with_too_many_equal_lines_are_compared_as_a_whole() -> None:
    lines = [f"{first}{second}" for first in "abcdefghijk" for second in "abcdefghij"]
    before, after = "\n".join(lines * 200), "\n".join(lines[::-1] * 200)

    assert edits_between(before, after) == (Edit(0, before, after),)
    assert edits_between(before, before) == ()
