"""How far people agree who compared the same pairs of ideas, and about which ideas they differ.

Agreement is the chance that two people who judged the same pair gave the same answer. Chance alone
gives about half of that, so Krippendorff's alpha stands beside it (K. Krippendorff, "Computing
Krippendorff's Alpha-Reliability", 2011): 1 - observed / expected disagreement. It takes any number
of people, and pairs that only some of them judged. An answer is -1, 0 or 1, and the distance of two
answers is their squared difference (the interval metric), so a tie lies between the two others.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from service.schemas.fields import Outcome

# With ten pairs, the standard error of a share of one half is 0.16. With fewer it says little.
FEWEST_PAIRS = 10
_VALUES: Mapping[Outcome, int] = {"first": 1, "tie": 0, "second": -1}


@dataclass(frozen=True, slots=True)
class Ballot:
    """A person's answer about two ideas. `person` is empty for whoever needs no name."""

    person: str
    first: str
    second: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Contested:
    """In `contested` of the `shared` pairs with this idea, people put different ideas first."""

    idea_id: str
    contested: int
    shared: int


@dataclass(frozen=True, slots=True)
class Consensus:
    """`agreement` and `alpha` are None if fewer than `FEWEST_PAIRS` pairs have several judges."""

    people: int
    shared_pairs: int
    agreement: float | None
    alpha: float | None
    contested: tuple[Contested, ...]


def consensus(ballots: Sequence[Ballot]) -> Consensus:
    """Takes the ballots oldest first; each person's newest on a pair counts."""
    answers: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for one in ballots:
        value = _VALUES[one.outcome]
        if one.first < one.second:
            answers[one.first, one.second][one.person] = value
        else:
            answers[one.second, one.first][one.person] = -value
    shared = {pair: list(by.values()) for pair, by in answers.items() if len(by) > 1}
    is_enough = len(shared) >= FEWEST_PAIRS
    return Consensus(
        people=len({one.person for one in ballots}),
        shared_pairs=len(shared),
        agreement=_agreement(list(shared.values())) if is_enough else None,
        alpha=_alpha_of_pairs(list(shared.values())) if is_enough else None,
        contested=_contested(shared),
    )


def krippendorff_alpha(units: Sequence[Sequence[float]]) -> float | None:
    """Alpha with the interval metric; `units` has the values that each unit was given.

    Units with one value are left out. None if the values do not differ, because then there is
    nothing to disagree about.
    """
    paired = [unit for unit in units if len(unit) > 1]
    values = [value for unit in paired for value in unit]
    total = _disagreement(values)
    if not total:
        return None
    observed = sum(_disagreement(unit) / (len(unit) - 1) for unit in paired)
    return 1 - (len(values) - 1) * observed / total


def _disagreement(values: Sequence[float]) -> float:
    """The sum of the squared differences of all pairs of values, each pair in one direction."""
    return len(values) * sum(value * value for value in values) - sum(values) ** 2


def _alpha_of_pairs(units: Sequence[Sequence[int]]) -> float | None:
    """Each pair counts in both directions, so that it does not matter which idea is called first."""
    return krippendorff_alpha([*units, *([-value for value in unit] for unit in units)])


def _agreement(units: Sequence[Sequence[int]]) -> float:
    """A pair with more judges has more pairs of judges, but counts as much as any other."""
    shares = []
    for unit in units:
        both = [one == other for one, other in combinations(unit, 2)]
        shares.append(sum(both) / len(both))
    return sum(shares) / len(shares)


def _contested(shared: Mapping[tuple[str, str], Sequence[int]]) -> tuple[Contested, ...]:
    """The ideas of contested pairs, those with the most first, then those with the largest share."""
    all_pairs = Counter(idea for pair in shared for idea in pair)
    contested = Counter(
        idea for pair, values in shared.items() if {1, -1} <= set(values) for idea in pair
    )
    found = [Contested(idea, number, all_pairs[idea]) for idea, number in contested.items()]
    return tuple(sorted(found, key=lambda one: (-one.contested, one.shared, one.idea_id)))
