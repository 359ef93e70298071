import pytest

from service.answers import brainstorm_answer
from service.errors import AnswerUnusable
from service.ideation.brainstorm import Collection

HOOKS = brainstorm_answer("Tool Wall", "Hang a hook for every tool on the wall and draw around it.")
LABELS = brainstorm_answer("Labels", "Write on every box in big letters which screws are in it.")


def test_an_idea_is_kept_with_its_angle() -> None:
    collection = Collection("a tidy shed")
    made = collection.add(HOOKS, "a sign")

    assert (made.title, made.angle, made.similar_to) == ("Tool Wall", "a sign", None)
    assert collection.made == [made]


@pytest.mark.parametrize(
    "again",
    [
        HOOKS,
        brainstorm_answer("Hooks", "On the wall hang a hook for every tool, and draw around it."),
        brainstorm_answer("Tool wall", "Ask a neighbour to sort what has been lying on the floor."),
    ],
)
def test_an_idea_like_one_that_is_there_is_refused(again: str) -> None:
    collection = Collection("a tidy shed")
    collection.add(HOOKS, "")

    with pytest.raises(AnswerUnusable, match="too like “Tool Wall”"):
        collection.add(again, "")
    assert len(collection.made) == 1


def test_different_ideas_stand_side_by_side() -> None:
    collection = Collection("a tidy shed")
    collection.add(HOOKS, "")
    collection.add(LABELS, "")

    assert [made.title for made in collection.made] == ["Tool Wall", "Labels"]


def test_an_idea_of_the_board_is_refused_and_one_near_to_it_is_marked() -> None:
    collection = Collection(
        "a tidy shed",
        (
            ("1", "Tool Wall. Hang a hook for every tool on the wall and draw around it."),
            ("2", "Sorting. Put screws and nails by size into a box with a lid, and lock it."),
        ),
    )

    with pytest.raises(AnswerUnusable, match="on the board already"):
        collection.add(HOOKS, "")
    assert collection.add(LABELS, "").similar_to == "2"
