"""The sentence about an evaluation claims only what its scores and their errors show."""

import pytest

from service.analysis.insight import insight, leading, listed
from service.analysis.ties import Place
from service.messages import Text
from service.web.translation import Translator

SURE = "the difference is larger than the usual error."


@pytest.mark.parametrize(
    ("scores", "errors", "sentence"),
    [
        ((8, 5, 6, 9), (1, 1, 1, 1), f"Strong on clarity and novelty; weakest on feasibility and impact, and {SURE}"),
        ((3, 6, 6, 9), (1, 1, 1, 1), f"Strong on clarity and weak on novelty: {SURE}"),
        ((2, 6, 5, 5), (1, 1, 1, 1), f"Weak on novelty; strongest on feasibility, impact and clarity, and {SURE}"),
        ((5, 6, 6, 6), (0.6, 0.6, 0.6, 0.6), f"Strongest on feasibility, impact and clarity, weakest on novelty; {SURE}"),
        ((5, 6, 7, 7), (2, 2, 2, 2), "About the same on all criteria: no difference is larger than the usual error."),
        ((1, 9, 9, 9), (None, 1, 1, 1), "About the same on all criteria: no difference is larger than the usual error."),
        ((1, 9, 9, 9), (None,) * 4, "How far off these scores may be is not known, so their differences say little."),
    ],
)  # fmt: skip
def test_the_sentence_follows_from_the_scores(
    scores: tuple[float, ...], errors: tuple[float | None, ...], sentence: str
) -> None:
    names = ("novelty", "feasibility", "impact", "clarity")
    found = insight(dict(zip(names, scores, strict=True)), dict(zip(names, errors, strict=True)))

    assert found == sentence


@pytest.mark.parametrize(
    ("score", "sentence"),
    [(8, "Strong on cost."), (3, "Weak on cost."), (6, "In the middle on cost.")],
)
def test_a_single_criterion_is_compared_with_the_middle(score: float, sentence: str) -> None:
    assert insight({"cost": score}, {"cost": 1.0}) == sentence


def test_only_default_criteria_are_translated() -> None:
    assert isinstance(listed(["novelty"]), Text)
    assert not isinstance(listed(["cost %s"]), Text)
    assert Translator("sv").text(listed(["cost %s", "fun"])).startswith("cost %s ")


def test_a_leader_is_named_only_if_nobody_shares_its_place() -> None:
    titles = {"a": "Soup", "b": "Chalk", "c": "Bench"}

    assert leading(titles, {"a": Place(1, 1), "b": Place(2, 3), "c": Place(2, 3)}) == (
        "“Soup” scores highest, by more than the usual error."
    )
    assert leading(titles, {"a": Place(1, 2), "b": Place(1, 2), "c": Place(3, 3)}) == (
        "2 ideas could come first: they score about the same."
    )
    assert leading(titles, dict.fromkeys(titles, Place(1, 3))) == (
        "The ideas score about the same: no difference is larger than the usual error."
    )
