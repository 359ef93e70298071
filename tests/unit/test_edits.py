import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import InvalidInput
from service.text.edits import Note, ProposedEdit, Segment, compose, proposed_edits, segments

WORDS = st.lists(st.sampled_from(["a", "tool", "shelf", "hall.", "\n", "\n\n", "  "]), max_size=25)
TEXTS = st.builds(Note, st.sampled_from(["Shelf", "Tool shelf"]), WORDS.map(" ".join))
SHELF = Note("tool shelf", "A shelf in the hall for tools. Ask first.")
CELLAR = Note("Tool Shelf", "A shelf in the cellar for tools. Ask Lena first.")


@given(TEXTS, TEXTS)
def test_all_edits_give_the_new_text_and_none_give_the_old_one(before: Note, after: Note) -> None:
    edits = proposed_edits(before, after)

    assert compose(before, after, edits, [edit.number for edit in edits]) == after
    if edits:
        assert compose(before, after, edits, []) == before


@given(TEXTS, TEXTS, st.data())
def test_any_choice_of_edits_gives_the_accepted_and_the_unchanged_text(
    before: Note, after: Note, data: st.DataObject
) -> None:
    edits = proposed_edits(before, after)
    taken = {edit.number for edit in edits if data.draw(st.booleans())}

    made = compose(before, after, edits, taken)
    expected = []
    for segment in segments(before, edits):
        edit = segment.edit
        is_taken = edit is not None and edit.number in taken
        expected.append(segment.text if edit is None else edit.added if is_taken else edit.removed)

    assert made.title in (before.title, after.title)
    assert made.body.split() == "".join(expected).split()


@given(TEXTS, TEXTS)
def test_edits_are_numbered_from_one_without_gaps(before: Note, after: Note) -> None:
    numbers = [edit.number for edit in proposed_edits(before, after)]

    assert numbers == list(range(1, len(numbers) + 1))


@given(TEXTS, TEXTS)
def test_segments_with_removed_text_restore_the_old_body(before: Note, after: Note) -> None:
    found = segments(before, proposed_edits(before, after))

    assert "".join(one.edit.removed if one.edit else one.text for one in found) == before.body


def test_the_title_changes_as_a_whole() -> None:
    edits = proposed_edits(SHELF, CELLAR)

    assert edits == [
        ProposedEdit(1, "title", 0, "tool shelf", "Tool Shelf"),
        ProposedEdit(2, "body", 15, "hall", "cellar"),
        ProposedEdit(3, "body", 35, "", "Lena "),
    ]


def test_single_edits_can_be_accepted_without_the_rest() -> None:
    made = compose(SHELF, CELLAR, proposed_edits(SHELF, CELLAR), [3])

    assert made == Note("tool shelf", "A shelf in the hall for tools. Ask Lena first.")


def test_an_unknown_edit_number_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"no edit 4\. The proposal has 3"):
        compose(SHELF, CELLAR, proposed_edits(SHELF, CELLAR), [1, 4])


def test_unchanged_text_is_shown_between_the_edits() -> None:
    found = segments(SHELF, proposed_edits(SHELF, CELLAR))

    assert [one.text if one.edit is None else one.edit.number for one in found] == [
        "A shelf in the ",
        2,
        " for tools. Ask ",
        3,
        "first.",
    ]
    assert found[1] == Segment(edit=ProposedEdit(2, "body", 15, "hall", "cellar"))
