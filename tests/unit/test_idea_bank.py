"""What the idea bank finds for a topic, and what it says when a file is damaged."""

import shutil
from collections import Counter
from pathlib import Path

import pytest

from service.analysis.idea_bank import FOLDER, IDEAS, INDEX, IdeaBank
from service.analysis.sentence_encoder import SentenceEncoder
from service.errors import ModelUnavailable
from service.ideation.inspirations import NEAR_TOPIC, Inspirations

OWN = "gift for my grandmother in a care home"


@pytest.fixture(scope="module")
def bank() -> IdeaBank:
    return IdeaBank(SentenceEncoder())


def test_a_topic_of_the_bank_finds_its_own_ideas_first(bank: IdeaBank) -> None:
    found = bank.near(OWN, NEAR_TOPIC, 3)

    assert found[0].written_for == OWN
    assert found[0].likeness == pytest.approx(1, abs=0.01)
    assert [one.likeness for one in found] == sorted((one.likeness for one in found), reverse=True)


def test_only_near_topics_give_ideas(bank: IdeaBank) -> None:
    topic = "a present for grandma"

    assert all(one.likeness >= 0.8 for one in bank.near(topic, 0.8, 50))
    assert bank.near("xqzv plorbt", NEAR_TOPIC, 50) == []
    assert len({one.written_for for one in bank.near(topic, 0.3, 2)}) == 2


def test_no_two_inspirations_are_alike(bank: IdeaBank) -> None:
    found = list(Inspirations(bank).find("a present for grandma"))

    assert len(found) >= 8
    assert len({one.title.casefold() for one in found}) == len(found)


def test_one_topic_gives_a_few_of_its_ideas(bank: IdeaBank) -> None:
    found = Counter(one.written_for for one in Inspirations(bank).find("a present for grandma"))
    likeness = {one.written_for: one.likeness for one in bank.near("a present for grandma", 0.6, 8)}

    assert all(count <= (8 if likeness[topic] >= 0.7 else 3) for topic, count in found.items())


@pytest.mark.parametrize(
    ("topic", "asks_for_name"),
    [("a street party everyone helps with", False), ("name for our street party", True)],
)
def test_only_a_topic_that_asks_for_a_name_gets_names(
    bank: IdeaBank, topic: str, asks_for_name: bool
) -> None:
    found = list(Inspirations(bank).find(topic))

    assert found
    assert all(("name" in one.written_for) is asks_for_name for one in found)


def test_a_language_that_the_bank_lacks_gets_nothing(bank: IdeaBank) -> None:
    inspirations = Inspirations(bank)

    assert list(inspirations.find(OWN, "fi")) == []
    assert list(inspirations.find(OWN, "en")) == list(inspirations.find(OWN))


@pytest.mark.parametrize(
    "topic", ["present till mormor", "ein Geschenk für meine Oma im Pflegeheim"]
)
def test_topics_in_swedish_and_german_find_their_neighbours(bank: IdeaBank, topic: str) -> None:
    found = list(Inspirations(bank).find(topic))

    assert len(found) >= 3
    assert all("mor" in one.written_for or "Oma" in one.written_for for one in found[:3])


def test_a_bank_that_is_switched_off_gives_nothing() -> None:
    assert list(Inspirations(None).find(OWN)) == []


@pytest.mark.parametrize("name", [IDEAS, INDEX])
def test_a_missing_or_changed_file_is_named(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "bank"
    shutil.copytree(FOLDER, folder)
    with (folder / name).open("ab") as file:
        file.write(b"\n")
    with pytest.raises(ModelUnavailable, match=name):
        IdeaBank(SentenceEncoder(), folder).near(OWN, NEAR_TOPIC, 1)

    (folder / name).unlink()
    with pytest.raises(ModelUnavailable, match=name):
        IdeaBank(SentenceEncoder(), folder).near(OWN, NEAR_TOPIC, 1)
