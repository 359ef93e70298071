from time import process_time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.analysis.clustering import (
    Alikeness,
    average_linkage,
    mean_alikeness,
    middle,
    suggest_titles,
)


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
