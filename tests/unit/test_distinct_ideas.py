from dataclasses import replace

import pytest

from service.errors import AnswerUnusable
from service.ideation.distinct_ideas import BrainstormWork, DistinctIdeas
from service.prompts.answers import brainstorm_answer

SHED = BrainstormWork("a tidy shed", "", "free", 8, 0.5, ())
KNOWN = (
    ("1", "Tool Wall. Hang a hook for every tool on the wall and draw around it."),
    ("2", "Sorting. Put screws and nails by size into a box with a lid, and lock it."),
)
LENDING = (
    ("3", "A shelf for borrowed tools. Neighbours lend drills and ladders from the hall."),
    ("4", "Walking bus. Children walk to school in a line with two parents."),
)
HOOKS = brainstorm_answer("Tool Wall", "Hang a hook for every tool on the wall and draw around it.")
LABELS = brainstorm_answer("Labels", "Write on every box in big letters which screws are in it.")


def test_an_idea_is_kept_with_its_angle() -> None:
    collection = DistinctIdeas(SHED)
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
def test_an_idea_too_similar_to_another_one_is_refused(again: str) -> None:
    collection = DistinctIdeas(SHED)
    collection.add(HOOKS, "")

    with pytest.raises(AnswerUnusable, match="too similar to “Tool Wall”"):
        collection.add(again, "")
    assert len(collection.made) == 1


def test_different_ideas_are_all_kept() -> None:
    collection = DistinctIdeas(SHED)
    collection.add(HOOKS, "")
    collection.add(LABELS, "")

    assert [made.title for made in collection.made] == ["Tool Wall", "Labels"]


def test_a_copy_of_a_board_idea_is_refused_and_a_similar_one_is_marked() -> None:
    collection = DistinctIdeas(replace(SHED, known=KNOWN))

    with pytest.raises(AnswerUnusable, match="on the board already"):
        collection.add(HOOKS, "")
    assert collection.add(LABELS, "").similar_to == "2"


def test_a_copy_of_a_board_idea_is_only_marked_if_the_board_need_not_be_avoided() -> None:
    collection = DistinctIdeas(replace(SHED, known=KNOWN, avoids_known=False))

    assert collection.add(HOOKS, "").similar_to == "1"


@pytest.mark.parametrize(
    ("answer", "text"), [(HOOKS, KNOWN[0][1]), (LABELS, KNOWN[1][1])], ids=["alike", "near"]
)
def test_an_idea_similar_to_an_avoided_text_is_refused(answer: str, text: str) -> None:
    collection = DistinctIdeas(replace(SHED, avoided=(text,)))

    with pytest.raises(AnswerUnusable, match="asked to avoid"):
        collection.add(answer, "")


def test_a_redrawn_idea_must_differ_from_those_beside_it() -> None:
    beside = DistinctIdeas(SHED).add(HOOKS, "")
    collection = DistinctIdeas(replace(SHED, siblings=(beside,)))

    with pytest.raises(AnswerUnusable, match="too similar to “Tool Wall”"):
        collection.add(HOOKS, "")


PARTS = (
    ("Tool Wall", "Hang a hook for every tool on the wall and draw around it."),
    ("Labels", "Write on every box in big letters which screws are in it."),
)


def test_a_combination_may_share_words_with_its_parts() -> None:
    collection = DistinctIdeas(replace(SHED, topic="Tool Wall + Labels", combined=PARTS))
    joined = "Hang a hook for every tool on the wall and write in big letters which tool it is for."

    made = collection.add(brainstorm_answer("Lettered Hooks", joined), "")

    assert made.title == "Lettered Hooks"


@pytest.mark.parametrize(
    ("title", "text", "why"),
    [
        ("Tool Wall", PARTS[0][1], "only repeats “Tool Wall”"),
        ("Both", f"{PARTS[0][1]} {PARTS[1][1]}", "one after the other"),
        ("Pizza Taxi", "A taxi brings pizza to your home within half an hour of calling.", "join"),
        ("Hooks", "Hang a hook near the door so that nobody forgets the keys at home.", "join"),
    ],
)
def test_a_combination_that_does_not_join_its_parts_is_refused(
    title: str, text: str, why: str
) -> None:
    collection = DistinctIdeas(replace(SHED, topic="Tool Wall + Labels", combined=PARTS))

    with pytest.raises(AnswerUnusable, match=why):
        collection.add(brainstorm_answer(title, text), "")
