import json
import math
import re
import zlib
from collections.abc import Sequence

import numpy as np
import pytest

from service.text.preserved_facts import digits, spoken
from training.data.decontamination import OWN_TOPICS
from training.evaluation.constraints import CONSTRAINTS, Constraints, broken, language_of
from training.evaluation.embedder import Vectors, open_embedder
from training.evaluation.ideas import (
    Draft,
    IdeaMeasures,
    Prompt,
    is_in_form,
    measure,
    partition,
    rouge_1,
    vendi,
)
from training.evaluation.prompt_sets import read_prompts
from training.evaluation.quantities import minutes, prices

TOPIC = "helping children eat more vegetables"
IDEAS = (
    "Colour plates: Children eat more vegetables when three small bowls of colours are offered.",
    "Window herbs: Vegetables in a pot beside the kitchen window get children to eat more greens.",
    "Market walk: Let children pick one unknown root on Saturday and eat more vegetables at lunch.",
)


def words_as_vectors(texts: Sequence[str]) -> Vectors:
    """Embeds texts so that their cosine depends on the words in common."""
    vectors = np.zeros((len(texts), 512), dtype=np.float32)
    for row, text in zip(vectors, texts, strict=True):
        for word in re.findall(r"\w+", text.casefold()):
            row[zlib.crc32(word.encode()) % 512] = 1
    unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def draft(idea: str, tokens: int = 30) -> Draft:
    title, _, text = idea.partition(": ")
    return Draft(f"Title: {title}\nIdea: {text}", tokens, is_whole=True)


def measured(*drafts: Draft, **constraints: object) -> IdeaMeasures:
    checked = CONSTRAINTS.validate_python(constraints)
    prompt = Prompt("1", "test", TOPIC, "", checked)
    return measure([(prompt, drafts)], words_as_vectors)[0]


def test_different_ideas_on_topic_all_count() -> None:
    found = measured(*map(draft, IDEAS))

    assert (found.valid, found.on_topic) == (1, 1)
    assert (found.distinct, found.udi) == (3, 3)
    assert found.udi_per_1000_tokens == pytest.approx(3 / 90 * 1000)
    assert found.self_repetition == 0


def test_an_idea_given_twice_counts_once() -> None:
    found = measured(draft(IDEAS[0]), draft(IDEAS[0]), draft(IDEAS[1]))

    assert (found.distinct, found.udi) == (2, 2)
    assert found.vendi < measured(*map(draft, IDEAS)).vendi


def test_an_idea_about_something_else_is_valid_but_not_useful() -> None:
    stray = draft(
        "Bike bells: Cyclists ring twice before each narrow bridge along that canal path."
    )

    found = measured(draft(IDEAS[0]), stray)

    assert (found.valid, found.on_topic) == (1, 0.5)
    assert (found.distinct, found.udi) == (2, 1)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "Title: Plates\nIdea: <one or two sentences>",
        f"Title: Plates\nIdea: {TOPIC}.",
        "Title: Plates\nIdea: Children eat more vegetables when three small bowls of",
    ],
)
def test_empty_cut_and_echoed_answers_are_not_valid(answer: str) -> None:
    found = measured(Draft(answer, 10, is_whole=False), draft(IDEAS[0]))

    assert found.valid == 0.5
    assert found.udi == 1


def test_without_a_valid_idea_only_validity_is_measured() -> None:
    found = measured(Draft("no", 5, is_whole=True))

    assert (found.valid, found.udi, found.vendi) == (0, 0, 0)
    assert math.isnan(found.words)
    assert math.isnan(found.kept)


def test_phrases_repeated_under_other_prompts_are_self_repetition() -> None:
    prompts = [Prompt(str(n), "test", TOPIC, "", Constraints()) for n in range(2)]
    stock = "Make a chart of vegetables and put it up where all children can see it."
    answered = [(prompt, [draft(f"Chart {prompt.id}: {stock}")]) for prompt in prompts]

    assert [one.self_repetition for one in measure(answered, words_as_vectors)] == [1, 1]


def test_constraints_are_checked_on_valid_ideas() -> None:
    cheap = draft("Seed swap: Parents swap packets of vegetables for two euros at the school door.")
    dear = draft("Chef day: A chef cooks vegetables with the children for 200 euros at school.")

    assert measured(cheap, dear, max_price=20).kept == 0.5


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Title: A plate\nIdea: Put it there.", True),
        ("Here is one:\nTitle: A plate\nIdea: Put it there.", False),
        ("**Title:** A plate\n**Idea:** Put it there.", False),
        ("Title: A plate\nIdea: Put it there.\n\nTitle: B\nIdea: No.", False),
    ],
)
def test_an_answer_in_form_has_exactly_the_asked_lines(answer: str, expected: bool) -> None:
    assert is_in_form(Draft(answer, 10, is_whole=True)) is expected


def test_an_answer_that_did_not_end_is_not_in_form() -> None:
    assert not is_in_form(Draft("Title: A\nIdea: B.", 130, is_whole=False))


def test_rouge_counts_each_common_word_as_often_as_both_have_it() -> None:
    assert rouge_1("a b c", "a b d") == pytest.approx(2 / 3)
    assert rouge_1("a a a", "a") == pytest.approx(0.5)
    assert rouge_1("", "") == 0


def test_items_join_the_class_whose_first_member_they_match() -> None:
    # 1 is like 0 and 2, but 2 is not like 0.
    assert partition(3, lambda a, b: abs(a - b) <= 1) == [[0, 1], [2]]


def test_vendi_is_the_effective_number_of_different_vectors() -> None:
    apart = np.eye(4, dtype=np.float32)
    same = np.tile(apart[:1], (4, 1))

    assert vendi(apart) == pytest.approx(4)
    assert vendi(same) == pytest.approx(1)
    assert 1 < vendi(np.concatenate([same, apart])) < 8


@pytest.mark.parametrize(
    ("constraints", "text", "is_kept"),
    [
        ({"avoids": ("phone*",)}, "Write it on paper.", True),
        ({"avoids": ("phone*",)}, "Put all Phones away.", False),
        ({"avoids": ("app",)}, "Apply for it.", True),
        ({"mentions": ("jar", "jars")}, "Fill the jars.", True),
        ({"mentions": ("jar", "jars")}, "Fill the boxes.", False),
        ({"max_price": 20}, "It costs $19.50 or twenty euros.", True),
        ({"max_price": 20}, "It costs two hundred dollars.", False),
        ({"max_minutes": 30}, "Take half an hour.", True),
        ({"max_minutes": 30}, "Take a 45-minute walk.", False),
        ({"max_words": 3}, "one two three", True),
        ({"max_words": 3}, "one two three four", False),
        ({"language": "de"}, "Die Gruppe plant den Ausflug mit einer Liste.", True),
        ({"language": "de"}, "The group plans the trip with a list.", False),
    ],
)
def test_broken_constraints_are_found_in_the_text(
    constraints: dict[str, object], text: str, is_kept: bool
) -> None:
    checked = CONSTRAINTS.validate_python(constraints)

    assert broken(checked, "", text) == (() if is_kept else checked.given)


@pytest.mark.parametrize(
    ("constraints", "title", "text"),
    [
        ({"avoids": ("phone*",)}, "A phone box", "Put them in a jar."),
        ({"max_price": 20}, "A box of 30 euros", "Put them in a jar."),
        ({"max_minutes": 30}, "An hour of silence", "Put them in a jar."),
        ({"language": "de"}, "Eine Liste für die Gruppe", "Planen wir zusammen."),
        ({"mentions": ("box",)}, "A box", "Put them in it."),
    ],
)
def test_constraints_apply_to_the_title_too(
    constraints: dict[str, object], title: str, text: str
) -> None:
    checked = CONSTRAINTS.validate_python(constraints)

    assert broken(checked, title, text) != broken(checked, "", text)


def test_the_words_of_the_title_are_not_counted() -> None:
    assert measured(draft(IDEAS[0]), max_words=12).kept == 1
    assert measured(draft(IDEAS[0]), max_words=11).kept == 0


def test_numbers_are_read_in_digits_and_in_words() -> None:
    assert digits("1,200 seats, 9:30, 4.5 and A4") == {"1200", "9:30", "4.5"}
    assert spoken("twenty-five of two hundred, a dozen and Forty") == {"25", "200", "12", "40"}
    assert prices("€5, 1,200 euros and fifty pounds, 3 hours") == (5, 1200, 50)
    assert minutes("10 min, two hours and an hour") == (10, 120, 60)


def test_a_text_in_an_unknown_language_has_no_language() -> None:
    assert language_of("12345") is None


def test_our_evaluation_set_has_a_hundred_different_prompts() -> None:
    prompts = read_prompts(OWN_TOPICS)

    assert len({prompt.topic for prompt in prompts}) == len(prompts) == 100
    assert all(prompt.constraints.given for prompt in prompts)
    assert {name for prompt in prompts for name in prompt.constraints.given} == {
        "avoids", "language", "max_minutes", "max_price", "max_words", "mentions",
    }  # fmt: skip


def test_no_evaluation_topic_is_in_a_training_set() -> None:
    ours = {prompt.topic.casefold() for prompt in read_prompts(OWN_TOPICS)}

    for file in OWN_TOPICS.parents[1].glob("*/brainstorm.jsonl"):
        lines = file.read_text(encoding="utf-8").splitlines()
        theirs = {json.loads(line)["topic"].casefold() for line in lines}
        assert not ours & theirs


@pytest.mark.slow
def test_an_idea_is_closer_to_its_own_topic_than_to_another() -> None:
    embed = open_embedder()

    topic, other, idea = embed([TOPIC, "more customers for a small bicycle repair shop", IDEAS[0]])

    assert idea @ topic > idea @ other
    assert np.linalg.norm(idea) == pytest.approx(1, abs=1e-3)
    assert embed([]).shape == (0, 384)
