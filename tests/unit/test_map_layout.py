"""Places on a map: the same each time, near their old ones, and none on top of another."""

import random
import time

import numpy as np
import pytest

from service.analysis.clustering import average_linkage
from service.analysis.map_layout import Layout, Points, block, lay_out, outline
from service.analysis.word_vectors import WordVectors

# Five subjects, so that there are groups.
TEXTS = [
    "Tool wall at the library. Members borrow drills, saws and ladders with their card.",
    "Shelf of board games that neighbours borrow and return.",
    "Lend tents and stoves of the sports club. Members borrow them for a weekend.",
    "Soup from one pot. Each household brings a vegetable for the cook.",
    "Winter soup kitchen. Each week another courtyard cooks soup.",
    "Bread oven in the courtyard. Families bake bread on Fridays.",
    "Cooking class. Grandmothers teach the recipes of their childhood.",
    "Fridge for leftover food from shops and neighbours.",
    "Herb bed at the bus stop with basil, mint and thyme.",
    "Fruit trees along the school wall. Plant apple and pear trees.",
    "Compost bins behind the garages and a rota to turn the soil.",
    "Rain barrels to water the flower beds and vegetable gardens.",
    "Wild flowers for bees instead of a lawn.",
    "Window concerts. Ten minutes of music, announced by a flag.",
    "Choir without auditions. Neighbours sing songs in the evening.",
    "Dance in the market hall. A band plays music once a month.",
    "Play street. Close the road to cars so that children can play.",
    "Slow zone near the school. Cars drive at walking speed.",
    "Walking bus. Parents walk with children to school.",
    "Chalk the road with the children on a car-free afternoon.",
    "Repair café. Menders help to repair broken lamps and toasters.",
    "Bicycle repair stand with a pump and tools in the square.",
]
ALIKE = 0.14


@pytest.fixture(scope="module")
def words() -> WordVectors:
    return WordVectors()


@pytest.fixture(scope="module")
def vectors(words: WordVectors) -> Points:
    return words.embed(TEXTS).astype(np.float64)


def grouped(vectors: Points) -> list[list[int]]:
    found = average_linkage((vectors @ vectors.T).round(6), ALIKE)
    return [group for group in found if len(group) > 1]


def laid_out(words: WordVectors, vectors: Points) -> Layout:
    return lay_out(vectors, words.plane(), grouped(vectors))


def many(words: WordVectors, count: int) -> Points:
    chance = random.Random(5)
    every = " ".join(TEXTS).split()
    texts = [" ".join(chance.choices(every, k=18)) for _ in range(count)]
    return words.embed(texts).astype(np.float64)


def overlapping(places: Points) -> int:
    away = np.abs(places[:, None] - places[None, :])
    is_near = (away < 0.999).all(axis=2)
    return int(is_near.sum()) - len(places)


def is_inside(point: Points, corners: Points) -> bool:
    ways = np.roll(corners, -1, axis=0) - corners
    to = point - corners
    turns = ways[:, 0] * to[:, 1] - ways[:, 1] * to[:, 0]
    return bool((turns > 0).all() or (turns < 0).all())


def test_the_same_ideas_have_the_same_places(words: WordVectors, vectors: Points) -> None:
    again = WordVectors()

    assert (laid_out(words, vectors).places == laid_out(again, vectors).places).all()


def test_another_idea_moves_the_others_little(words: WordVectors, vectors: Points) -> None:
    layout = laid_out(words, vectors)
    after = np.array(layout.shares(layout.places))
    moves = []
    for left_out in range(len(TEXTS)):
        kept = np.delete(np.arange(len(TEXTS)), left_out)
        layout = laid_out(words, vectors[kept])
        before = np.array(layout.shares(layout.places))
        moves.append(float(np.median(np.hypot(*(after[kept] - before).T))))

    # As shares of the map. Were the places drawn by chance, it would be half of it.
    assert np.median(moves) < 0.1
    assert max(moves) < 0.3


def test_similar_ideas_are_near_each_other(words: WordVectors, vectors: Points) -> None:
    places = laid_out(words, vectors).places
    likeness = vectors @ vectors.T
    away = np.hypot(*np.moveaxis(places[:, None] - places[None, :], 2, 0))
    pairs = np.triu_indices(len(TEXTS), 1)
    alike = likeness[pairs] > 0.25

    assert alike.sum() > 10
    assert away[pairs][alike].mean() < 0.6 * away[pairs][~alike].mean()


@pytest.mark.parametrize("count", [1, 2, 3, 40, 300])
@pytest.mark.parametrize("has_groups", [True, False])
def test_no_two_cards_overlap(words: WordVectors, count: int, has_groups: bool) -> None:
    vectors = many(words, count)
    groups = [group for group in average_linkage(vectors @ vectors.T, 0.5) if len(group) > 1]

    layout = lay_out(vectors, words.plane(), groups if has_groups else [])

    assert overlapping(layout.places) == 0
    shares = np.array(layout.shares(layout.places))
    assert ((shares > 0) & (shares < 1)).all()


def test_an_area_holds_its_own_cards_and_no_other(words: WordVectors, vectors: Points) -> None:
    groups = grouped(vectors)
    places = lay_out(vectors, words.plane(), groups).places

    assert len(groups) > 3
    for group in groups:
        corners = outline(places[group])
        inside = [number for number, place in enumerate(places) if is_inside(place, corners)]
        assert inside == group


def test_the_same_text_twice_has_two_places(words: WordVectors) -> None:
    twice = words.embed(["Soup from one pot"] * 5).astype(np.float64)

    assert overlapping(lay_out(twice, words.plane(), []).places) == 0
    assert overlapping(lay_out(twice, words.plane(), [[0, 1, 2]]).places) == 0


def test_a_board_without_ideas_has_an_empty_map(words: WordVectors) -> None:
    layout = lay_out(np.zeros((0, 256)), words.plane(), [])

    assert layout.shares(layout.places) == []


@pytest.mark.parametrize("size", [1, 2, 5, 12, 100])
def test_a_block_has_a_place_for_each_card(size: int) -> None:
    places = block(size)

    assert places.shape == (size, 2)
    assert overlapping(places) == 0
    assert np.ptp(places, axis=0).max() < 2 * size**0.5


@pytest.mark.parametrize("has_groups", [True, False])
def test_a_thousand_ideas_are_placed_in_a_second(words: WordVectors, has_groups: bool) -> None:
    vectors = many(words, 1000)
    groups = average_linkage(vectors @ vectors.T, 0.5) if has_groups else []
    start = time.process_time()

    layout = lay_out(vectors, words.plane(), groups)

    assert time.process_time() - start < 1
    assert overlapping(layout.places) == 0
