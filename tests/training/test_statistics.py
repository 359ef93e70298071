import math

import numpy as np
import pytest

from service.analysis.calibration.agreement import spearman
from training.evaluation.statistics import (
    LEAST_PAIRS,
    change_over_seeds,
    holm,
    paired_difference,
    rate_at_equal_length,
    relative_change,
    sign_test,
    wilson,
)


def test_a_difference_that_every_prompt_shows_excludes_zero() -> None:
    base = np.linspace(0, 1, 40)

    found = paired_difference(base, base + 0.1)

    assert found.n == 40
    assert found.difference.value == pytest.approx(0.1)
    assert found.difference.excludes_zero
    assert found.p < 0.01


def test_a_difference_that_half_of_the_prompts_contradict_includes_zero() -> None:
    base = np.zeros(40)
    tuned = np.array([0.1, -0.1] * 20)

    found = paired_difference(base, tuned)

    assert not found.difference.excludes_zero
    assert found.p > 0.5


def test_pairing_finds_a_small_gain_despite_large_differences_between_prompts() -> None:
    random = np.random.default_rng(1)
    base = random.normal(0, 10, 60)
    tuned = base + random.normal(0.5, 0.5, 60)

    assert paired_difference(base, tuned).difference.low > 0


def test_prompts_with_a_value_from_only_one_system_do_not_count() -> None:
    found = paired_difference([1.0, math.nan, 3.0], [2.0, 5.0, math.nan])

    assert (found.n, found.base, found.tuned) == (1, 1.0, 2.0)


def test_the_same_seed_gives_the_same_interval() -> None:
    values = [1.0, 4.0, 2.0, 8.0, 3.0, 5.0], [2.0, 3.0, 5.0, 7.0, 9.0, 1.0]

    assert paired_difference(*values, seed=3) == paired_difference(*values, seed=3)
    assert paired_difference(*values, seed=3) != paired_difference(*values, seed=4)


def test_no_values_give_no_difference() -> None:
    found = paired_difference([], [])

    assert found.n == 0
    assert math.isnan(found.p)
    assert not found.difference.excludes_zero


@pytest.mark.parametrize("n", [1, LEAST_PAIRS - 1])
def test_too_few_pairs_have_a_difference_but_neither_interval_nor_p(n: int) -> None:
    found = paired_difference([1.0] * n, [0.0] * n)

    assert (found.n, found.base, found.tuned, found.difference.value) == (n, 1, 0, -1)
    assert all(map(math.isnan, (found.difference.low, found.difference.high, found.p)))
    assert not found.difference.excludes_zero


def test_the_least_number_of_pairs_is_the_first_that_an_exact_test_can_find_significant() -> None:
    assert sign_test(LEAST_PAIRS, 0) < 0.05 < sign_test(LEAST_PAIRS - 1, 0)
    assert paired_difference([1.0] * LEAST_PAIRS, [0.0] * LEAST_PAIRS).p < 0.05


def test_too_few_rows_have_a_relative_change_without_an_interval() -> None:
    few = relative_change([100.0] * 5, [90.0] * 5)

    assert few.value == pytest.approx(-0.1)
    assert math.isnan(few.low)
    assert math.isnan(few.high)
    assert relative_change([100.0] * 6, [90.0] * 6).excludes_zero


def test_relative_change_weighs_rows_by_their_likelihood() -> None:
    found = relative_change([100.0, 1.0], [90.0, 2.0])

    assert found.value == pytest.approx(92 / 101 - 1)


def test_the_same_rows_of_both_systems_are_drawn_together() -> None:
    random = np.random.default_rng(2)
    base = random.normal(100, 30, 40)

    found = relative_change(base, 0.9 * base)

    assert [found.low, found.value, found.high] == pytest.approx([-0.1] * 3)


def test_a_gain_of_one_seed_only_is_uncertain() -> None:
    base = np.full((3, 40), 100.0)
    tuned = base.copy()
    tuned[0] = 70

    found = change_over_seeds(base, tuned)

    assert found.value == pytest.approx(-0.1)
    assert (found.low, found.high) == pytest.approx((-0.3, 0.0))


def test_unequal_numbers_of_values_cannot_be_paired() -> None:
    with pytest.raises(ValueError, match="cannot be paired"):
        paired_difference([1.0], [1.0, 2.0])


# The seed's three of four, and other known intervals.
@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [(3, 4, 0.3006, 0.9544), (0, 10, 0.0, 0.2775), (50, 100, 0.4038, 0.5962)],
)
def test_wilson_gives_known_intervals(hits: int, n: int, low: float, high: float) -> None:
    found = wilson(hits, n)

    assert [found.low, found.high] == pytest.approx([low, high], abs=1e-3)


@pytest.mark.parametrize(("wins", "losses", "p"), [(3, 1, 0.625), (0, 0, 1.0), (9, 1, 0.0215)])
def test_the_sign_test_is_exact_and_two_sided(wins: int, losses: int, p: float) -> None:
    assert sign_test(wins, losses) == pytest.approx(p, abs=1e-3)
    assert sign_test(losses, wins) == sign_test(wins, losses)


def test_holm_multiplies_the_smallest_by_all_and_never_falls() -> None:
    adjusted = holm({"a": 0.04, "b": 0.01, "c": 0.03})

    assert adjusted == {
        "a": pytest.approx(0.06),
        "b": pytest.approx(0.03),
        "c": pytest.approx(0.06),
    }


def test_holm_counts_only_tests_that_have_a_p() -> None:
    adjusted = holm({"a": math.nan, "b": 0.02, "c": 0.03})

    assert list(adjusted) == ["a", "b", "c"]
    assert math.isnan(adjusted["a"])
    assert (adjusted["b"], adjusted["c"]) == (0.04, 0.04)


def test_spearman_sees_order_only_and_shares_ranks_of_equals() -> None:
    assert spearman([1, 2, 3, 4], [1, 10, 100, 1000]) == pytest.approx(1)
    assert spearman([1, 2, 3, 4], [4, 3, 2, 1]) == pytest.approx(-1)
    assert spearman([1, 2, 2, 4], [1, 2, 3, 4]) == pytest.approx(0.9487, abs=1e-4)
    assert math.isnan(spearman([1, 2, 3], [5, 5, 5]))


def test_a_judge_that_prefers_length_has_no_preference_at_equal_length() -> None:
    random = np.random.default_rng(0)
    gaps = random.normal(30, 20, 200)
    wins = (random.random(200) < 1 / (1 + np.exp(-gaps / 10))).astype(float)

    found = rate_at_equal_length(list(wins), list(gaps))

    assert wins.mean() > 0.85
    assert found.low < 0.5 < found.high


def test_a_judge_that_ignores_length_keeps_its_rate() -> None:
    random = np.random.default_rng(0)
    gaps = random.normal(0, 20, 400)
    wins = (random.random(400) < 0.7).astype(float)

    found = rate_at_equal_length(list(wins), list(gaps))

    assert found.value == pytest.approx(0.7, abs=0.05)
    assert found.low > 0.6
