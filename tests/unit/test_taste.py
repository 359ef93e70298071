"""What is learnt from decisions about ideas."""

import pytest

from service.analysis.taste import Choice, Decision, Subject, TasteLearner
from service.analysis.word_vectors import WordVectors

FOOD = (
    "Soup for the whole street",
    "Bake bread with the neighbours",
    "A breakfast of cheese and jam",
    "Cook potatoes over a fire",
)
PAPER = (
    "Fill in a form for the office",
    "Write a report with a table",
    "A contract with the council",
    "Print a list of all invoices",
)
NEW_FOOD, NEW_PAPER = "A cake for the guests", "File the documents in a folder"


@pytest.fixture(scope="module")
def vectors() -> WordVectors:
    return WordVectors()


def bank(text: str, likeness: float = 0.7) -> Subject:
    return Subject(text, "bank", likeness)


def decisions(*, weight: float = 1) -> list[Decision]:
    """Food is kept, paper is not; a pair of each is decided on together."""
    return [
        Decision(bank(text), is_wanted, weight, f"run {number}")
        for texts, is_wanted in ((FOOD, True), (PAPER, False))
        for number, text in enumerate(texts)
    ]


def test_ideas_like_those_that_were_kept_are_likelier(vectors: WordVectors) -> None:
    taste = TasteLearner(vectors, decisions()).fit()

    food, paper = taste.probabilities([bank(NEW_FOOD), bank(NEW_PAPER)])

    assert food > 0.5 > paper


def test_without_decisions_nearer_topics_and_then_the_model_follow(vectors: WordVectors) -> None:
    taste = TasteLearner(vectors, []).fit()

    near, less_near, model = taste.probabilities(
        [bank(NEW_FOOD, 0.8), bank(NEW_FOOD, 0.6), Subject(NEW_FOOD, "model")]
    )

    assert near > less_near > model


def test_a_strong_opinion_weighs_more(vectors: WordVectors) -> None:
    usual = TasteLearner(vectors, decisions()).fit().probabilities([bank(NEW_FOOD)])
    strong = TasteLearner(vectors, decisions(weight=2)).fit().probabilities([bank(NEW_FOOD)])

    assert strong > usual


def test_comparisons_alone_order_ideas_but_do_not_say_how_many_are_wanted(
    vectors: WordVectors,
) -> None:
    choices = [Choice(food, paper) for food, paper in zip(FOOD, PAPER, strict=True)]
    untaught = TasteLearner(vectors, []).fit()
    taste = TasteLearner(vectors, [], choices).fit()
    subjects = [bank(NEW_FOOD), bank(NEW_PAPER)]

    food, paper = taste.probabilities(subjects)
    before = untaught.probabilities(subjects)

    assert food > before[0]
    assert paper < before[1]
    assert food + paper == pytest.approx(sum(before), abs=0.2)


def test_accuracy_counts_pairs_of_runs_that_were_left_out(vectors: WordVectors) -> None:
    accuracy = TasteLearner(vectors, decisions()).accuracy()

    assert accuracy.pairs == 4
    assert accuracy.learnt == 1
    assert accuracy.prior == 0.5  # all are equally near


def test_accuracy_leaves_out_what_was_only_not_chosen(vectors: WordVectors) -> None:
    assert TasteLearner(vectors, decisions(weight=0.25)).accuracy().pairs == 0


def test_one_run_leaves_nothing_to_measure_on(vectors: WordVectors) -> None:
    together = [Decision(one.subject, one.is_wanted, 1, "one run") for one in decisions()]

    accuracy = TasteLearner(vectors, together).accuracy()

    # Learnt from nothing, so it is as good as the prior.
    assert accuracy.learnt == accuracy.prior == 0.5


def test_words_that_speak_for_and_against_are_those_of_several_ideas(vectors: WordVectors) -> None:
    taste = TasteLearner(vectors, decisions()).fit()

    found = taste.words(
        ["Bread", "Bread for guests", "Warm bread"], ["Forms", "Forms again", "Old forms"], 5
    )

    assert found == (["bread"], ["forms"])


def test_a_word_of_discarded_ideas_never_speaks_for_one(vectors: WordVectors) -> None:
    taste = TasteLearner(vectors, decisions()).fit()

    assert taste.words(["Sun", "Moon"], ["Bread", "Warm bread", "Dry bread"], 5) == ([], [])


def test_nothing_has_no_probability(vectors: WordVectors) -> None:
    assert TasteLearner(vectors, decisions()).fit().probabilities([]) == []
