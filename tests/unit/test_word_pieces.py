"""Topics in languages that the sentence encoder does not know are compared by pieces of words."""

import numpy as np
import pytest

from service.analysis.word_pieces import PieceIndex

TEXTS = ("grannfest i kvarteret", "namn på en segelbåt", "billiga middagar för barnfamiljer", "")


@pytest.fixture(scope="module")
def index() -> PieceIndex:
    return PieceIndex.build(TEXTS)


def test_a_text_is_most_like_itself(index: PieceIndex) -> None:
    for place, text in enumerate(TEXTS[:3]):
        likeness = index.likeness(text)

        assert likeness[place] == pytest.approx(1, abs=0.01)
        assert likeness.argmax() == place


@pytest.mark.parametrize(
    ("topic", "place"),
    [("fest med grannarna", 0), ("vad ska båten heta, namn?", 1), ("middag för familjer", 2)],
)
def test_inflected_and_compound_words_are_found(index: PieceIndex, topic: str, place: int) -> None:
    likeness = index.likeness(topic)

    assert likeness.argmax() == place
    assert likeness[place] > 0.1


@pytest.mark.parametrize("topic", ["", "!", "xqzv"])
def test_a_text_without_known_pieces_is_like_nothing(index: PieceIndex, topic: str) -> None:
    assert not index.likeness(topic).any()


def test_an_index_survives_packing(index: PieceIndex) -> None:
    unpacked = PieceIndex.unpack(index.pack("sv"), "sv")

    topic = "grannarnas fest"
    assert np.array_equal(unpacked.likeness(topic), index.likeness(topic))
