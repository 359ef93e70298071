import math
from itertools import combinations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.analysis.bradley_terry import PRIOR_SD, Ranking, Result
from service.schemas.fields import Outcome

ITEMS = tuple("abcdef")
PAIRS = st.tuples(st.sampled_from(ITEMS), st.sampled_from(ITEMS)).filter(lambda p: p[0] != p[1])
OUTCOMES: tuple[Outcome, ...] = ("first", "second", "tie")
RESULTS = st.lists(
    st.builds(
        lambda pair, outcome: Result(pair[0], pair[1], outcome), PAIRS, st.sampled_from(OUTCOMES)
    ),
    max_size=25,
)
OTHER_WAY: dict[Outcome, Outcome] = {"first": "second", "second": "first", "tie": "tie"}


def values(results: list[Result]) -> dict[str, float]:
    return {item: one.value for item, one in Ranking(ITEMS, results).strengths.items()}


def near(numbers: dict[str, float]) -> object:
    return pytest.approx(numbers, abs=1e-6)


@given(RESULTS)
def test_strengths_are_finite_with_mean_zero_and_never_less_certain_than_the_prior(
    results: list[Result],
) -> None:
    ranking = Ranking(ITEMS, results)

    assert sum(values(results).values()) == pytest.approx(0, abs=1e-6)
    for one in ranking.strengths.values():
        assert math.isfinite(one.value)
        assert 0 < one.standard_error <= PRIOR_SD + 1e-9
        assert 0 <= one.low <= one.score <= one.high <= 100


@given(RESULTS, PAIRS)
def test_one_more_win_makes_an_idea_stronger_and_the_other_weaker(
    results: list[Result], pair: tuple[str, str]
) -> None:
    before, after = values(results), values([*results, Result(*pair, "first")])

    assert after[pair[0]] > before[pair[0]]
    assert after[pair[1]] < before[pair[1]]


@given(RESULTS)
def test_reversing_every_result_reverses_every_strength(results: list[Result]) -> None:
    turned = [Result(one.first, one.second, OTHER_WAY[one.outcome]) for one in results]

    assert values(turned) == near({item: -value for item, value in values(results).items()})


@given(RESULTS, st.integers(0, 99))
def test_neither_the_order_of_results_nor_the_order_within_a_pair_matters(
    results: list[Result], seed: int
) -> None:
    swapped = [Result(one.second, one.first, OTHER_WAY[one.outcome]) for one in results]
    Random(seed).shuffle(swapped)

    assert values(swapped) == near(values(results))


@given(RESULTS, PAIRS)
def test_two_ties_count_as_one_win_each(results: list[Result], pair: tuple[str, str]) -> None:
    ties = [Result(*pair, "tie")] * 2
    wins = [Result(*pair, "first"), Result(*pair, "second")]

    assert values([*results, *ties]) == near(values([*results, *wins]))


@given(RESULTS)
def test_at_the_mode_wins_equal_expected_wins_less_the_pull_of_the_prior(
    results: list[Result],
) -> None:
    found = values(results)

    for item in ITEMS:
        wins = expected = 0.0
        for one in results:
            if item in one.pair:
                other = next(iter(one.pair - {item}))
                won = "first" if one.first == item else "second"
                wins += 0.5 if one.outcome == "tie" else float(one.outcome == won)
                expected += 1 / (1 + math.exp(found[other] - found[item]))
        assert wins - expected == pytest.approx(found[item] / PRIOR_SD**2, abs=1e-6)


@given(RESULTS)
def test_ranks_follow_strengths_and_ideas_never_compared_have_none(
    results: list[Result],
) -> None:
    ranking = Ranking(ITEMS, results)
    strengths, ranks = ranking.strengths, ranking.ranks

    for one, other in combinations(ranks, 2):
        if ranks[one] < ranks[other]:
            assert strengths[one].value > strengths[other].value
    assert set(ranks) == {item for item in ITEMS if strengths[item].comparisons}
    assert sorted(ranking.order) == sorted(ITEMS)
    assert [ranks[item] for item in ranking.order if item in ranks] == sorted(ranks.values())


def test_equal_ideas_share_a_rank() -> None:
    ring = [Result("a", "b", "first"), Result("b", "c", "first"), Result("c", "a", "first")]

    assert Ranking("abc", ring).ranks == {"a": 1, "b": 1, "c": 1}
    assert Ranking("abc", [Result("a", "b", "tie"), Result("a", "c", "first")]).ranks["c"] == 3


def test_many_noisy_results_give_the_true_order() -> None:
    draw = Random(7)
    truth = {item: 4.0 - place for place, item in enumerate(ITEMS)}
    pairs = [draw.sample(ITEMS, 2) for _ in range(600)]
    results = [
        Result(
            a, b, "first" if draw.random() < 1 / (1 + math.exp(truth[b] - truth[a])) else "second"
        )
        for a, b in pairs
    ]

    assert Ranking(ITEMS, results).order == list(ITEMS)


def test_more_comparisons_lower_the_uncertainty() -> None:
    def error(rounds: int) -> float:
        results = [Result(a, b, "tie") for a, b in combinations(ITEMS, 2)] * rounds
        return Ranking(ITEMS, results).strengths["a"].standard_error

    assert PRIOR_SD > error(1) > error(4) > error(16)


@given(
    RESULTS,
    st.integers(0, 2**31),
    st.sets(st.frozensets(st.sampled_from(ITEMS), min_size=2, max_size=2)),
)
def test_the_next_question_is_the_most_informative_one_allowed(
    results: list[Result], seed: int, without: set[frozenset[str]]
) -> None:
    ranking = Ranking(ITEMS, results)
    question = ranking.next_question(seed=seed, without=without)
    others = {frozenset(pair) for pair in combinations(ITEMS, 2)} - without

    assert question == ranking.next_question(seed=seed, without=without)
    assert (question is None) == (not others)
    if question is not None:
        assert frozenset((question.first, question.second)) in others
        for other in others:
            alone = ranking.next_question(
                without={frozenset(p) for p in combinations(ITEMS, 2)} - {other}
            )
            assert alone is not None
            assert alone.information <= question.information + 1e-9


def test_ideas_never_compared_are_asked_about_first() -> None:
    results = [Result("a", "b", "first"), Result("b", "c", "first")]

    question = Ranking(ITEMS, results).next_question(seed=3)

    assert question is not None
    assert {question.first, question.second} <= {"d", "e", "f"}


def test_close_pairs_are_asked_before_clear_ones() -> None:
    clear = [Result("a", "c", "first"), Result("b", "c", "first")] * 6

    question = Ranking("abc", clear).next_question()

    assert question is not None
    assert {question.first, question.second} == {"a", "b"}


def test_the_seed_puts_either_idea_first_about_half_of_the_time() -> None:
    ranking = Ranking("ab", [])
    questions = [ranking.next_question(seed=seed) for seed in range(200)]

    assert 70 < sum(one is not None and one.first == "a" for one in questions) < 130


def test_every_idea_is_ranked_after_few_well_chosen_questions() -> None:
    items = [f"{number:02}" for number in range(16)]
    results: list[Result] = []
    for seed in range(48):
        question = Ranking(items, results).next_question(seed=seed)
        assert question is not None
        outcome: Outcome = "first" if question.first < question.second else "second"
        results.append(Result(question.first, question.second, outcome))

    order = Ranking(items, results).order
    assert sum(abs(place - items.index(item)) for place, item in enumerate(order)) <= 16
    assert set(order[:3]) <= set(items[:4])


def test_no_idea_or_a_single_one_has_no_question() -> None:
    assert Ranking([], []).next_question() is None
    assert Ranking(["a"], []).next_question() is None
    assert Ranking(["a"], [Result("a", "gone", "first")]).comparisons == 0


def test_a_large_board_is_ranked_quickly() -> None:
    draw = Random(1)
    items = [str(number) for number in range(5000)]
    pairs = [draw.sample(items[:150], 2) for _ in range(500)]
    results = [Result(one, other, "first") for one, other in pairs]

    assert Ranking(items, results).next_question() is not None
