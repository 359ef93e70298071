from hashlib import sha256
from pathlib import Path
from threading import Thread
from time import process_time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.analysis.word_vectors import FILE, FILE_SHA256, Table, WordVectors
from service.errors import ModelUnavailable

BREAD = "Bread at half price after four."
ROLLS = "Happy hour for rolls: everything costs fifty percent less late in the day."
SHELF = "A shelf for borrowed tools. Neighbours lend drills and ladders from a shelf in the hall."
LIBRARY = "Tool library in the stairwell. Drills, saws and ladders belong to all."
BUS = "Walking bus. Children walk to school in a line."


@pytest.fixture(scope="module")
def vectors() -> WordVectors:
    return WordVectors()


def likeness(vectors: WordVectors, a: str, b: str, ignore: str = "") -> float:
    one, other = vectors.embed([a, b], ignore=ignore)
    return float(one @ other)


def test_the_same_idea_in_other_words_is_closer_than_another_idea(vectors: WordVectors) -> None:
    assert likeness(vectors, SHELF, LIBRARY) > 0.4 > likeness(vectors, SHELF, BUS) + 0.2
    assert likeness(vectors, BREAD, ROLLS) > likeness(vectors, BREAD, BUS) + 0.1


def test_case_and_punctuation_do_not_matter(vectors: WordVectors) -> None:
    assert likeness(vectors, "Bread, at HALF price!", "bread at half price") == pytest.approx(1)


def test_words_of_the_topic_can_be_left_out(vectors: WordVectors) -> None:
    a, b = "Less food waste with labels", "Less food waste with soup"

    assert likeness(vectors, a, b, "less food waste") < likeness(vectors, a, b) - 0.2
    assert likeness(vectors, a, a, a) == pytest.approx(1)


@pytest.mark.parametrize("text", ["", "...", "\n", "\U0001f600", "\u2581"])
def test_a_text_without_words_is_similar_to_nothing(vectors: WordVectors, text: str) -> None:
    assert likeness(vectors, text, BREAD) == 0
    assert likeness(vectors, text, text) == 0


@given(st.lists(st.text(max_size=60), max_size=4))
def test_rows_have_length_one_or_zero_and_are_reproducible(
    vectors: WordVectors, texts: list[str]
) -> None:
    rows = vectors.embed(texts)

    lengths = np.linalg.norm(rows, axis=1)
    assert rows.shape == (len(texts), 256)
    assert all(length == 0 or abs(length - 1) < 1e-5 for length in lengths)
    assert (vectors.embed(texts) == rows).all()


@given(st.text(alphabet=st.characters(categories=["L", "N"]), min_size=1, max_size=30))
def test_the_pieces_of_a_word_join_to_the_word(word: str) -> None:
    table = Table(
        ["\u2581a", "b", "ab", "\u2581ab"], np.zeros((4, 2), np.uint8), np.ones((4, 1), np.float32)
    )

    assert "".join(table.pieces(word)) == "\u2581" + word


def test_frequent_pieces_are_joined_first() -> None:
    table = Table(
        ["bc", "\u2581a", "\u2581abc"], np.zeros((3, 2), np.uint8), np.ones((3, 1), np.float32)
    )

    assert table.pieces("abc") == ["\u2581abc"]
    assert table.pieces("abd") == ["\u2581a", "b", "d"]


def test_the_file_has_the_measured_hash() -> None:
    assert sha256(FILE.read_bytes()).hexdigest() == FILE_SHA256


def test_a_missing_or_changed_file_is_named(tmp_path: Path) -> None:
    changed = tmp_path / "vectors.npz"
    with pytest.raises(ModelUnavailable, match=r"vectors\.npz cannot be read"):
        WordVectors(changed).embed(["a"])
    changed.write_bytes(FILE.read_bytes()[:-1])
    with pytest.raises(ModelUnavailable, match="SHA-256 is another one"):
        WordVectors(changed).embed(["a"])


def test_many_threads_may_ask_at_once(vectors: WordVectors) -> None:
    rows: list[bool] = []
    expected = vectors.embed([BREAD, ROLLS])

    def ask() -> None:
        rows.append(bool((vectors.embed([BREAD, ROLLS]) == expected).all()))

    threads = [Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rows == [True] * 8


def test_comparing_a_text_with_a_thousand_takes_almost_no_time(vectors: WordVectors) -> None:
    known = vectors.embed([f"{BUS} {number} {ROLLS}" for number in range(1000)])

    started = process_time()
    for number in range(20):
        known @ vectors.embed([f"{BREAD} Sold in {number} bags by the door."], ignore="bags")[0]
    assert (process_time() - started) / 20 < 0.005


def test_the_plane_of_maps_has_two_directions_at_right_angles() -> None:
    plane = WordVectors().plane()

    assert plane.shape == (256, 2)
    assert np.allclose(plane.T @ plane, np.eye(2))
    # A library may turn a direction round.
    assert (plane[np.abs(plane).argmax(axis=0), [0, 1]] > 0).all()
