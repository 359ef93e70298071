"""Measuring similarity: the labelled pairs, the measures, and the word vectors they justify."""

import json
from collections import Counter
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from service.analysis.similar_ideas import SIMILAR
from service.analysis.word_vectors import FILE, WORD_START, WordVectors
from service.ideation.distinct_ideas import SIMILAR_MEANING
from training.data.labelled import read_records
from training.evaluation.likeness import (
    LabelledPair,
    auc,
    by_vectors,
    by_vectors_without_topic,
    by_words,
    measure_likeness,
    precision_and_recall,
    threshold_of,
)
from training.export import word_vectors
from training.export.word_vectors import make_word_vectors

PAIRS = Path("training/datasets/similarity/pairs.jsonl")
VALUES = np.array([0.9, 0.2, 0.5, 0.1, 0.3])
IS_SAME = np.array([True, True, False, False, False])


@pytest.fixture(scope="module")
def pairs() -> tuple[LabelledPair, ...]:
    return read_records(PAIRS, LabelledPair)


def test_every_kind_has_the_same_number_of_pairs(pairs: tuple[LabelledPair, ...]) -> None:
    assert len(pairs) == 150
    assert Counter(one.label for one in pairs) == {"same": 50, "topic": 50, "unrelated": 50}
    assert len({one.id for one in pairs}) == len({(one.a, one.b) for one in pairs}) == 150
    assert all(one.a != one.b for one in pairs)


def test_no_topic_is_in_both_halves(pairs: tuple[LabelledPair, ...]) -> None:
    halves: dict[str, set[str]] = {}
    for one in pairs:
        halves.setdefault(one.topic, set()).add(one.half)

    assert all(len(half) == 1 for half in halves.values())


def test_the_card_has_the_measured_figures(pairs: tuple[LabelledPair, ...]) -> None:
    """The figures of models/word-vectors.md, which the thresholds are based on."""
    whole, rest = by_vectors(WordVectors()), by_vectors_without_topic(WordVectors())
    card = Path("models/word-vectors.md").read_text()
    for half in ("fit", "test"):
        chosen = [one for one in pairs if one.half == half]
        is_same = np.array([one.label == "same" for one in chosen])
        vectors = np.array([whole(one.a, one.b, one.topic) for one in chosen])
        marks = np.array([rest(one.a, one.b, one.topic) for one in chosen])
        words = np.array([by_words(one.a, one.b, one.topic) for one in chosen])

        assert auc(vectors, is_same) > auc(words, is_same) + 0.2
        assert f"{auc(vectors, is_same):.3f}".lstrip("0") in card
        assert f"{auc(words, is_same):.3f}".lstrip("0") in card
        for values, threshold in ((vectors, SIMILAR), (marks, SIMILAR_MEANING)):
            precision, recall = precision_and_recall(values, is_same, threshold)
            assert f"{precision:.2f}, {recall:.2f}".replace("0.", ".") in card


def test_auc_is_how_often_the_same_idea_is_more_similar() -> None:
    assert auc(VALUES, IS_SAME) == pytest.approx((3 + 1) / 6)
    assert auc(np.zeros(5), IS_SAME) == 0.5


def test_precision_and_recall_of_a_threshold() -> None:
    assert precision_and_recall(VALUES, IS_SAME, 0.4) == (0.5, 0.5)
    assert precision_and_recall(VALUES, IS_SAME, 2) == (1, 0)


def test_a_threshold_passes_no_more_wrong_pairs_than_given() -> None:
    values, is_same = np.linspace(0, 1, 101), np.zeros(101, bool)

    assert (values >= threshold_of(values, is_same, 0.05)).sum() == 5


def test_a_measure_is_reported_on_both_halves(tmp_path: Path) -> None:
    record = {
        "topic": "bread",
        "ideas": [{"title": "A", "text": "b."}, {"title": "C", "text": "d."}],
    }
    ideas = tmp_path / "brainstorm.jsonl"
    ideas.write_text(json.dumps(record) + "\n")
    lines: list[str] = []

    measure_likeness(PAIRS, [ideas], lines.append)
    text = "\n".join(lines)
    assert "shared words: 150 labelled pairs, 1 pairs of one brainstorm" in text
    assert "word vectors: 150 labelled pairs" in text
    assert text.count("AUC on the test half") == 3


def test_word_vectors_are_reproducible_and_close_to_their_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vocabulary = {"<s>": 0, "A": 1, WORD_START + "a": 2, "s": 3, "!": 4, WORD_START: 5}
    vectors = np.random.default_rng(0).normal(size=(6, 8)).astype(np.float16)
    header = json.dumps({"w": {"dtype": "F16", "shape": [6, 8], "data_offsets": [0, 96]}}).encode()
    weights = len(header).to_bytes(8, "little") + header + vectors.tobytes()
    tokenizer = json.dumps({"model": {"vocab": vocabulary}}).encode()
    # What is fetched is the one thing that is not ours.
    monkeypatch.setattr(word_vectors, "fetch_files", lambda *_: [weights, tokenizer])
    lines: list[str] = []
    for name in ("one.npz", "two.npz"):
        make_word_vectors(tmp_path / name, lines.append)
    content = (tmp_path / "one.npz").read_bytes()

    assert content == (tmp_path / "two.npz").read_bytes()
    assert "2 pieces" in lines[0]
    made = WordVectors(tmp_path / "one.npz", sha256(content).hexdigest())
    word = vectors[2].astype(np.float32)
    assert made.embed(["A!"])[0] @ word / np.linalg.norm(word) > 0.98


def test_the_word_vectors_are_small_enough_for_the_repository() -> None:
    assert FILE.stat().st_size < 4 * 1024 * 1024
