from dataclasses import replace
from pathlib import Path
from time import perf_counter

import pytest

from service.answers import brainstorm_answer
from service.errors import AnswerUnusable
from service.ideation.brainstorm import Collection
from service.ideation.brainstorm_plan import BrainstormWork
from service.ideation.known import KnownIdeas
from service.word_vectors import WordVectors

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
    collection = Collection(SHED)
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
    collection = Collection(SHED)
    collection.add(HOOKS, "")

    with pytest.raises(AnswerUnusable, match="too like “Tool Wall”"):
        collection.add(again, "")
    assert len(collection.made) == 1


def test_different_ideas_stand_side_by_side() -> None:
    collection = Collection(SHED)
    collection.add(HOOKS, "")
    collection.add(LABELS, "")

    assert [made.title for made in collection.made] == ["Tool Wall", "Labels"]


def test_an_idea_of_the_board_is_refused_and_one_near_to_it_is_marked() -> None:
    collection = Collection(replace(SHED, known=KNOWN))

    with pytest.raises(AnswerUnusable, match="on the board already"):
        collection.add(HOOKS, "")
    assert collection.add(LABELS, "").similar_to == "2"


def test_what_is_on_the_board_is_only_marked_if_it_need_not_be_avoided() -> None:
    collection = Collection(replace(SHED, known=KNOWN, avoids_known=False))

    assert collection.add(HOOKS, "").similar_to == "1"


@pytest.mark.parametrize(
    ("answer", "text"), [(HOOKS, KNOWN[0][1]), (LABELS, KNOWN[1][1])], ids=["alike", "near"]
)
def test_what_comes_near_to_an_avoided_text_is_refused(answer: str, text: str) -> None:
    collection = Collection(replace(SHED, avoided=(text,)))

    with pytest.raises(AnswerUnusable, match="shall be avoided"):
        collection.add(answer, "")


def test_an_idea_drawn_anew_is_unlike_those_beside_it() -> None:
    beside = Collection(SHED).add(HOOKS, "")
    collection = Collection(replace(SHED, beside=(beside,)))

    with pytest.raises(AnswerUnusable, match="too like “Tool Wall”"):
        collection.add(HOOKS, "")


def test_a_combination_may_share_words_with_its_parts_but_not_repeat_one() -> None:
    parts = (
        ("Tool Wall", "Hang a hook for every tool on the wall and draw around it."),
        ("Labels", "Write on every box in big letters which screws are in it."),
    )
    collection = Collection(replace(SHED, topic="Tool Wall + Labels", combined=parts))
    joined = "Hang a hook for every tool on the wall and write in big letters which tool it is for."

    with pytest.raises(AnswerUnusable, match="only repeats “Tool Wall”"):
        collection.add(HOOKS, "")
    assert collection.add(brainstorm_answer("Lettered Hooks", joined), "").title == "Lettered Hooks"


def test_an_idea_that_means_the_same_in_other_words_is_marked() -> None:
    collection = Collection(replace(SHED, known=LENDING))
    library = brainstorm_answer(
        "Tool library", "Drills and saws belong to all and are signed out on a list."
    )

    assert collection.add(library, "").similar_to is None, "by its words it is like none"
    collection.made.clear()
    collection.known = KnownIdeas.read(WordVectors(), LENDING, SHED.topic)
    assert collection.add(library, "").similar_to == "3"
    assert collection.add(LABELS, "").similar_to is None


def test_without_word_vectors_words_decide(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    missing = WordVectors(tmp_path / "gone.npz")

    assert KnownIdeas.read(missing, LENDING, "") is None
    assert "gone.npz" in caplog.text
    assert KnownIdeas.read(WordVectors(), (), "") is None


def test_a_mark_costs_next_to_nothing_beside_a_thousand_ideas() -> None:
    known = [
        (str(number), f"{LENDING[number % 2][1]} In house {number}.") for number in range(1000)
    ]
    ideas = KnownIdeas(WordVectors(), known, SHED.topic)

    started = perf_counter()
    for number in range(20):
        ideas.like(f"Tool library. Drills and saws belong to all {number} houses of the street.")
    assert (perf_counter() - started) / 20 < 0.005
