"""Measures how well a similarity tells the same idea in other words from another idea.

On labelled pairs, a threshold is chosen on one half of the topics and reported on the other. Pairs of
ideas from one brainstorm, which are all different, show how often it would be wrong in use.
"""

from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from service.analysis.word_overlap import resemblance
from service.analysis.word_vectors import WordVectors
from training.data.labelled import read_records

Likeness = Callable[[str, str, str], float]
"""The similarity of two texts, given their topic."""
Values = NDArray[np.float64]
SHOWN = (0.2, 0.3, 0.4, 0.5, 0.55)


class LabelledPair(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    half: Literal["fit", "test"]
    topic: str
    language: str
    a: str
    b: str
    label: Literal["same", "topic", "unrelated"]


class Brainstorm(BaseModel):
    """The needed fields of a brainstorm record."""

    topic: str
    ideas: list[dict[str, str]]


def by_words(a: str, b: str, topic: str) -> float:
    return resemblance(a, b, ignore=topic)


def by_vectors(vectors: WordVectors) -> Likeness:
    """The similarity that finds similar ideas and clusters."""
    return lambda a, b, _topic: float(np.prod(vectors.embed([a, b]), axis=0).sum())


def by_vectors_without_topic(vectors: WordVectors) -> Likeness:
    """The similarity that compares suggestions with the ideas of a board."""
    return lambda a, b, topic: float(np.prod(vectors.embed([a, b], ignore=topic), axis=0).sum())


def auc(values: Values, is_same: NDArray[np.bool_]) -> float:
    """How often a pair of the same idea is more similar than another pair; ties count half."""
    same, others = values[is_same][:, None], values[~is_same]
    return float((same > others).mean() + (same == others).mean() / 2)


def precision_and_recall(
    values: Values, is_same: NDArray[np.bool_], threshold: float
) -> tuple[float, float]:
    """Precision is 1 if nothing is found."""
    found = values >= threshold
    right = int((found & is_same).sum())
    return right / int(found.sum()) if found.any() else 1.0, right / int(is_same.sum())


def threshold_of(values: Values, is_same: NDArray[np.bool_], wrong: float) -> float:
    """The lowest threshold that at most the share `wrong` of the other pairs reaches."""
    others = np.sort(values[~is_same])[::-1]
    return float(np.nextafter(others[int(wrong * len(others))], 1))


def measure_likeness(pairs_path: Path, sets: Sequence[Path], report: Callable[[str], None]) -> None:
    pairs = read_records(pairs_path, LabelledPair)
    ideas = [record for path in sets for record in read_records(path, Brainstorm)][::4]
    vectors = WordVectors()
    for name, likeness in (
        ("shared words", by_words),
        ("word vectors", by_vectors(vectors)),
        ("word vectors, topic left out", by_vectors_without_topic(vectors)),
    ):
        values = np.array([likeness(one.a, one.b, one.topic) for one in pairs])
        _report(name, pairs, values, _different(ideas, likeness), report)


def _different(records: Sequence[Brainstorm], likeness: Likeness) -> Values:
    values = []
    for record in records:
        texts = [f"{idea['title']}. {idea['text']}" for idea in record.ideas]
        values += [likeness(a, b, record.topic) for a, b in combinations(texts, 2)]
    return np.array(values)


def _report(
    name: str,
    pairs: Sequence[LabelledPair],
    values: Values,
    different: Values,
    report: Callable[[str], None],
) -> None:
    is_same = np.array([one.label == "same" for one in pairs])
    halves = {half: np.array([one.half == half for one in pairs]) for half in ("fit", "test")}
    report(f"\n{name}: {len(pairs)} labelled pairs, {len(different)} pairs of one brainstorm")
    for half, chosen in halves.items():
        report(f"  AUC on the {half} half {auc(values[chosen], is_same[chosen]):.3f}")
    for language in sorted({one.language for one in pairs}):
        chosen = np.array([one.language == language for one in pairs])
        report(f"  AUC in {language} {auc(values[chosen], is_same[chosen]):.3f}")
    fit = halves["fit"]
    calibrated = threshold_of(values[fit], is_same[fit], 0.05)
    report("  threshold  fit: P    R     test: P    R     different ideas of one brainstorm")
    for threshold in sorted({*SHOWN, round(calibrated, 3)}):
        cells = [f"  {threshold:9.3f}"]
        for chosen in halves.values():
            precision, recall = precision_and_recall(values[chosen], is_same[chosen], threshold)
            cells.append(f"{precision:8.2f} {recall:4.2f}")
        report("   ".join([*cells, f"{(different >= threshold).mean():8.2%}"]))
