"""Scores are told apart only by more than their usual error, and places say so."""

import pytest

from service.analysis.ties import (
    Measured,
    Place,
    is_higher,
    overall_error,
    places,
    places_by_range,
)
from service.schemas.evaluation import CriterionShape


@pytest.mark.parametrize(
    ("one", "other", "higher"),
    [
        ((8.0, 1.5), (5.8, 1.5), True),
        ((8.0, 1.5), (5.9, 1.5), False),
        ((8.0, 3.0), (4.0, 4.0), False),
        ((9.1, 3.0), (4.0, 4.0), True),
        ((5.0, 0.0), (5.0, 0.0), False),
        ((5.0, 1.0), (8.0, 1.0), False),
        ((10.0, None), (1.0, 0.1), False),
        ((10.0, 0.1), (1.0, None), False),
    ],
)
def test_a_score_is_higher_by_more_than_the_error_of_the_difference(
    one: tuple[float, float | None], other: tuple[float, float | None], higher: bool
) -> None:
    assert is_higher(Measured(*one), Measured(*other)) is higher


def test_ideas_that_cannot_be_told_apart_share_their_places() -> None:
    found = places([Measured(value, 1.0) for value in (8.0, 7.0, 5.9, 2.0)])

    # The second is close to the first and to the third, which are apart.
    assert [str(one) for one in found] == ["1–2", "1–3", "2–3", "4"]
    assert [one.is_shared for one in found] == [True, True, True, False]


def test_places_of_exact_values_are_certain_and_equal_values_share_one() -> None:
    assert places([Measured(3.0, 0.0), Measured(5.0, 0.0)]) == [Place(2, 2), Place(1, 1)]
    assert places([Measured(3.0, 0.0)] * 2) == [Place(1, 2)] * 2
    assert places([Measured(3.0, 1.0)]) == [Place(1, 1)]
    assert places([]) == []


def test_a_score_of_unknown_error_may_have_any_place() -> None:
    found = places([Measured(9.0, 0.5), Measured(5.0, None), Measured(1.0, 0.5)])

    assert [str(one) for one in found] == ["1–2", "1–3", "2–3"]


def test_ranges_that_meet_share_a_place() -> None:
    found = places_by_range([(60, 90), (40, 60), (10, 39)])

    assert [str(one) for one in found] == ["1–2", "1–2", "3"]


def test_the_error_of_the_overall_score_is_weighted_and_unknown_if_one_is() -> None:
    criteria = [CriterionShape(name="cost", weight=3), CriterionShape(name="fun")]

    assert overall_error({"cost": 1.0, "fun": 2.0}, criteria) == 1.25
    assert overall_error({"cost": 1.0, "fun": None}, criteria) is None
    assert overall_error({"cost": 1.0}, criteria) is None
