"""How alike ideas are, on boards made for it."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from service.analysis.likeness import SCALES, Measured, measure, verdict
from service.analysis.sentence_encoder import Matrix, SentenceEncoder

DATASETS = Path(__file__).parents[2] / "training" / "datasets"
# One idea ten times: half portions in the canteen.
PARAPHRASES = (
    "Half portions. Let guests ask for half a portion and come back for more.",
    "Small helpings first. Serve smaller portions; whoever is still hungry gets more.",
    "Portions on request. People say whether they want a half or a whole portion.",
    "A smaller plate. Offer half portions on small plates, with a second helping for free.",
    "Ask before serving. Let each guest choose a half portion and return for more.",
    "Come back for more. Start with a half portion; a second one costs nothing.",
    "Half for the less hungry. Guests with little appetite take half a portion.",
    "Two sizes of portion. A half one and a whole one, and refills for all.",
    "Less on the plate. Give half portions and let hungry guests fetch another.",
    "Choose your portion. Half or whole, and anybody may ask for a second helping.",
)
DIFFERENT = (
    "A walking bus. Children walk to school in a line with two parents.",
    "Tool shelf. Neighbours lend drills and ladders from a shelf in the hall.",
    "Night sky evening. Switch off the street lamps and look at the stars together.",
    "Invoice by phone. A photo of the receipt fills in the form for expenses.",
    "Choir in the lift. Sing one verse between the floors on Fridays.",
    "Rain barrel map. Show which gardens have water to spare in July.",
    "Meetings without chairs. Whoever speaks stands, so that it ends sooner.",
    "Soup from one pot. Each household brings one vegetable at noon.",
    "Grandparents' radio. Record stories of the old days and play them on Sundays.",
    "Spare keys at the bakery. Leave a key there for the day you lock yourself out.",
)


class Encoder(SentenceEncoder):
    """Reads each text once for all tests."""

    @cache  # noqa: B019
    def one(self, text: str) -> Matrix:
        vector: Matrix = self.embed([text])[0]
        return vector


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder()


def measured(encoder: Encoder, *texts: str) -> Measured:
    vectors = np.stack([encoder.one(text) for text in texts]).astype(np.float64)
    return measure(vectors, SCALES["sentences"].repeated)


def test_paraphrases_of_one_idea_are_very_alike(encoder: Encoder) -> None:
    found = measured(encoder, *PARAPHRASES)

    assert SCALES["sentences"].level(found.mean) == "very_alike"
    assert found.distinct <= 3


def test_different_ideas_are_varied_and_distinct(encoder: Encoder) -> None:
    found = measured(encoder, *DIFFERENT)

    assert SCALES["sentences"].level(found.mean) == "varied"
    assert found.distinct == len(DIFFERENT)


def test_half_paraphrases_are_in_between(encoder: Encoder) -> None:
    alike, mixed, different = (
        measured(encoder, *texts)
        for texts in (PARAPHRASES, PARAPHRASES[:5] + DIFFERENT[:5], DIFFERENT)
    )

    assert different.mean < mixed.mean < alike.mean
    assert alike.distinct < mixed.distinct < different.distinct


def test_ideas_for_one_topic_are_more_alike_than_ideas_for_many(encoder: Encoder) -> None:
    lines = (DATASETS / "bank" / "food.jsonl").read_text().splitlines()[:16]
    topics = [
        [f"{one['title']}. {one['text']}" for one in json.loads(line)["ideas"]] for line in lines
    ]

    of_one = [measured(encoder, *topic).mean for topic in topics[:6]]
    of_many = measured(encoder, *(topic[0] for topic in topics)).mean

    assert np.mean(of_one) > of_many
    assert sum(one > of_many for one in of_one) >= 5


def test_a_clear_difference_is_called_one_and_chance_is_not(encoder: Encoder) -> None:
    alike, different = measured(encoder, *PARAPHRASES), measured(encoder, *DIFFERENT)
    halves = (measured(encoder, *DIFFERENT[:5]), measured(encoder, *DIFFERENT[5:]))

    assert verdict(different, alike) == "people_more_varied"
    assert verdict(alike, different) == "model_more_varied"
    assert verdict(*halves) == "no_clear_difference"
    assert verdict(alike, None) is None


def test_the_interval_holds_the_mean_and_narrows_with_more_ideas() -> None:
    rng = np.random.default_rng(3)
    many = rng.normal(size=(120, 16)) + 1
    vectors = many / np.linalg.norm(many, axis=1, keepdims=True)

    few_found, found = measure(vectors[:10], 0.9), measure(vectors, 0.9)

    low, high = found.interval
    few_low, few_high = few_found.interval
    assert low < found.mean < high
    assert high - low < few_high - few_low


def test_the_same_ideas_give_the_same_result(encoder: Encoder) -> None:
    one, again = measured(encoder, *DIFFERENT), measured(encoder, *DIFFERENT)

    assert one.interval == again.interval
