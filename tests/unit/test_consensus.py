"""How far people agree, on votes that were made up to be known."""

from random import Random

import pytest

from service.analysis.consensus import FEWEST_PAIRS, Ballot, consensus, krippendorff_alpha
from service.schemas.fields import Outcome

# The data of Krippendorff's own example (2011, section C); None is a missing value.
OBSERVERS = (
    (1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None),
    (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3),
    (None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None),
    (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None),
)
IDEAS = [f"idea-{number:02}" for number in range(12)]
PAIRS = [(one, other) for one in IDEAS for other in IDEAS if one < other]


def votes(person: str, outcomes: list[Outcome]) -> list[Ballot]:
    return [Ballot(person, *pair, outcome) for pair, outcome in zip(PAIRS, outcomes, strict=False)]


def test_alpha_of_the_published_example_is_the_published_one() -> None:
    by_unit = zip(*OBSERVERS, strict=True)
    units = [[value for value in unit if value is not None] for unit in by_unit]

    assert krippendorff_alpha(units) == pytest.approx(0.849, abs=0.0005)


def test_alpha_is_unknown_where_all_values_are_the_same() -> None:
    assert krippendorff_alpha([[1, 1], [1, 1, 1]]) is None
    assert krippendorff_alpha([[1], [2]]) is None


def test_people_who_always_agree_have_full_agreement() -> None:
    outcomes: list[Outcome] = ["first", "second"] * 6

    found = consensus(votes("Ada", outcomes) + votes("Ben", outcomes))

    assert (found.people, found.shared_pairs) == (2, 12)
    assert (found.agreement, found.alpha) == (1, 1)
    assert found.contested == ()


def test_people_who_always_differ_agree_less_than_by_chance() -> None:
    ones: list[Outcome] = ["first"] * 12
    others: list[Outcome] = ["second"] * 12

    found = consensus(votes("Ada", ones) + votes("Ben", others))

    assert found.agreement == 0
    assert found.alpha == pytest.approx(-1, abs=0.05)
    assert len(found.contested) == len({idea for pair in PAIRS[:12] for idea in pair})


def test_people_who_guess_have_an_alpha_near_zero() -> None:
    draw = Random(7)
    guesses: list[list[Outcome]] = [
        [draw.choice(("first", "second")) for _ in PAIRS] for _ in range(6)
    ]

    found = consensus([one for place in range(6) for one in votes(str(place), guesses[place])])

    assert found.agreement == pytest.approx(0.5, abs=0.06)
    assert found.alpha == pytest.approx(0, abs=0.12)


def test_which_idea_is_called_first_does_not_matter() -> None:
    draw = Random(3)
    ballots = [
        Ballot(person, *pair, draw.choice(("first", "tie", "second")))
        for person in ("Ada", "Ben", "Cleo")
        for pair in PAIRS[:20]
    ]
    swap: dict[Outcome, Outcome] = {"first": "second", "second": "first", "tie": "tie"}
    swapped = [Ballot(one.person, one.second, one.first, swap[one.outcome]) for one in ballots]
    mixed = [pair[place % 2] for place, pair in enumerate(zip(ballots, swapped, strict=True))]

    assert consensus(swapped) == consensus(ballots)
    assert consensus(mixed) == consensus(ballots)


def test_a_tie_lies_between_the_two_others() -> None:
    base: list[Outcome] = ["first"] * 11
    lasts: tuple[Outcome, ...] = ("first", "tie", "second")
    alphas = [
        consensus(votes("Ada", [*base, "first"]) + votes("Ben", [*base, last])).alpha or 0
        for last in lasts
    ]

    assert alphas == sorted(alphas, reverse=True)
    assert len(set(alphas)) == 3


def test_only_the_newest_vote_of_a_person_on_a_pair_counts() -> None:
    outcomes: list[Outcome] = ["first"] * 12
    early: list[Outcome] = ["second"] * 12

    found = consensus(votes("Ada", early) + votes("Ben", outcomes) + votes("Ada", outcomes))

    assert (found.people, found.shared_pairs, found.agreement) == (2, 12, 1)


def test_few_shared_pairs_are_too_little_to_tell() -> None:
    few: list[Outcome] = ["first"] * (FEWEST_PAIRS - 1)

    found = consensus(votes("Ada", few) + votes("Ben", few))
    alone = consensus(votes("Ada", ["first"] * 40))

    assert (found.shared_pairs, found.agreement, found.alpha) == (FEWEST_PAIRS - 1, None, None)
    assert (alone.people, alone.shared_pairs, alone.agreement) == (1, 0, None)
    assert consensus([]).people == 0


def test_the_idea_with_the_most_contested_pairs_comes_first() -> None:
    ballots = [
        Ballot("Ada", "a", "b", "first"),
        Ballot("Ben", "a", "b", "second"),
        Ballot("Ada", "a", "c", "first"),
        Ballot("Ben", "c", "a", "first"),
        Ballot("Ada", "b", "c", "tie"),
        Ballot("Ben", "b", "c", "second"),
    ]

    found = consensus(ballots).contested

    assert [(one.idea_id, one.contested, one.shared) for one in found] == [
        ("a", 2, 2),
        ("b", 1, 2),
        ("c", 1, 2),
    ]
