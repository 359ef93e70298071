import json
from itertools import pairwise
from random import Random
from time import process_time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.analysis.clustering import (
    Alikeness,
    average_linkage,
    grouped,
    joins_of,
    mean_alikeness,
    middle,
    steps_of,
    suggest_titles,
)
from service.analysis.similar_ideas import BROADEST, SIMILAR
from service.analysis.word_vectors import WordVectors
from service.schemas.overview import FINEST
from service.settings import PROJECT_ROOT

DATA = PROJECT_ROOT / "training" / "datasets" / "ideation"


@st.composite
def alikenesses(draw: st.DrawFn) -> Alikeness:
    size = draw(st.integers(0, 14))
    seed = draw(st.integers(0, 2**32 - 1))
    vectors = np.random.default_rng(seed).normal(size=(size, 3))
    # Some stand on the same place, as ideas that were typed twice do.
    if size > 2 and draw(st.booleans()):
        vectors[1] = vectors[0]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors @ vectors.T)


thresholds = st.floats(-1.1, 1.1)


@given(alikenesses(), thresholds)
def test_every_item_is_in_exactly_one_group(alikeness: Alikeness, threshold: float) -> None:
    groups = average_linkage(alikeness, threshold)

    assert sorted(place for group in groups for place in group) == list(range(len(alikeness)))
    assert all(group == sorted(group) for group in groups)


@given(alikenesses(), thresholds, thresholds)
def test_a_higher_threshold_only_divides_the_groups(
    alikeness: Alikeness, one: float, other: float
) -> None:
    coarse = average_linkage(alikeness, min(one, other))
    fine = average_linkage(alikeness, max(one, other))

    assert all(any(set(small) <= set(big) for big in coarse) for small in fine)


@given(alikenesses(), thresholds)
def test_a_group_of_two_meets_the_threshold(alikeness: Alikeness, threshold: float) -> None:
    for group in average_linkage(alikeness, threshold):
        if len(group) == 2:
            assert alikeness[group[0], group[1]] >= threshold


@given(alikenesses(), thresholds)
def test_the_same_similarities_give_the_same_groups(alikeness: Alikeness, threshold: float) -> None:
    before = alikeness.copy()

    assert average_linkage(alikeness, threshold) == average_linkage(alikeness, threshold)
    assert (alikeness == before).all()


def texts_of_brainstorms(seed: int, count: int) -> list[str]:
    """Real ideas: those of a few brainstorms, as they stand together on a board."""
    lines = (DATA / "brainstorm.jsonl").read_text().splitlines()
    chosen = Random(seed).sample(lines, count)
    ideas = [idea for line in chosen for idea in json.loads(line)["ideas"]]
    return [f"{idea['title']}. {idea['text']}" for idea in ideas]


def check_steps(alikeness: Alikeness) -> None:
    joins = joins_of(alikeness, BROADEST)
    steps = steps_of(joins, FINEST, SIMILAR)
    groups = [
        [group for group in grouped(len(alikeness), joins[: step.joins]) if len(group) > 1]
        for step in steps
    ]
    every = [grouped(len(alikeness), joins[:count]) for count in range(len(joins) + 1)]

    assert [step.groups for step in steps] == [len(each) for each in groups]
    for broad, close in pairwise(groups):
        assert len(broad) <= len(close), "more groups are asked for"
        assert all(any(set(small) <= set(big) for big in broad) for small in close)
    if joins:
        assert len(steps) == FINEST
        assert groups[0], "there is always a group left"
        most = max(sum(len(group) > 1 for group in each) for each in every)
        # What is equally alike is joined together, so that a count in between may be passed by.
        assert len(groups[-1]) <= most
    else:
        assert steps == []


@given(alikenesses())
def test_another_step_never_means_fewer_groups(alikeness: Alikeness) -> None:
    check_steps(alikeness)


@pytest.mark.parametrize("count", [1, 2, 4, 8, 20])
@pytest.mark.parametrize("seed", range(4))
def test_another_step_never_means_fewer_groups_of_real_ideas(seed: int, count: int) -> None:
    vectors = WordVectors().embed(texts_of_brainstorms(seed, count)).astype(np.float64)
    alikeness = (vectors @ vectors.T).round(6)

    check_steps(alikeness)
    steps = steps_of(joins_of(alikeness, BROADEST), FINEST, SIMILAR)
    peak = max(
        sum(len(group) > 1 for group in average_linkage(alikeness, threshold))
        for threshold in np.linspace(BROADEST, 0.6, 30)
    )
    assert steps[-1].groups >= peak


def test_as_many_groups_still_join_what_is_much_alike() -> None:
    """A third copy of an idea makes no further group, and belongs to that of the other two."""
    alikeness = np.array([[1.0, 0.9, 0.6, 0], [0.9, 1, 0.6, 0], [0.6, 0.6, 1, 0], [0, 0, 0, 1.0]])
    joins = joins_of(alikeness, 0.1)

    assert [step.joins for step in steps_of(joins, 5, preferred=0.3)] == [2] * 5
    assert [step.joins for step in steps_of(joins, 5, preferred=0.7)] == [1] * 5
    assert steps_of([], 5, preferred=0.3) == []


def test_groups_join_by_the_mean_of_their_pairs() -> None:
    alikeness = np.array(
        [[1.0, 0.9, 0.5, 0.1], [0.9, 1, 0.3, 0.1], [0.5, 0.3, 1, 0], [0.1, 0.1, 0, 1]]
    )

    assert average_linkage(alikeness, 0.41) == [[0, 1], [2], [3]]
    assert average_linkage(alikeness, 0.39) == [[0, 1, 2], [3]]
    assert middle(alikeness, [0, 1, 2]) == 0
    assert mean_alikeness(alikeness, [0, 1, 2]) == pytest.approx((0.9 + 0.5 + 0.3) / 3)


def test_a_thousand_items_are_grouped_within_seconds() -> None:
    vectors = np.random.default_rng(1).normal(size=(1000, 16))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)

    started = process_time()
    average_linkage(vectors @ vectors.T, 0.3)
    assert process_time() - started < 3


def test_a_title_has_words_that_the_group_shares_and_others_lack() -> None:
    texts = [
        "Bread at half price. Bread is cheaper after four.",
        "Happy hour for bread. The price falls in the afternoon.",
        "A course for bakers. People learn about price and taste.",
        "Baking course. Learn with bakers to make dough.",
    ]

    assert suggest_titles(texts, [[0, 1], [2, 3]], 40) == ["Bread & price", "Bakers & course"]


def test_a_title_has_only_words_of_the_texts_and_keeps_the_limit() -> None:
    texts = ["Straßenbahnhaltestellenbeleuchtung blau", "Straßenbahnhaltestellenbeleuchtung rot"]

    assert suggest_titles(texts, [[0, 1]], 20) == ["Strassenbahnhalteste"]
    assert suggest_titles([], [], 20) == []
    assert suggest_titles(["", "..."], [[0, 1]], 20) == [""]
