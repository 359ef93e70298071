"""A score head: from a served model's embeddings of labelled notes to scores from 1 to 10.

The head is fitted to the file that is served and carries its hash. It is judged on subjects it has
not seen, on pairs of a better and a worse note, and by what must not move it: praise of oneself and
words that say nothing.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.prompts import embedding_text
from service.scoring import HIGHEST, LOWEST, ScoreHead
from training.errors import DataProblem, Report
from training.exporting.cards import head_card
from training.learning.ridge import Floats, Ridge, choose, cross_validated, fit
from training.measuring.statistics import Interval, spearman, wilson
from training.records.labelled import (
    CONTRASTS,
    LabelledNote,
    Note,
    Pair,
    Praised,
    groups_of,
    read_labelled,
    read_records,
)
from training.served import served

# Says nothing of the idea; repeated, it makes a note longer.
FILLER = " This note was written on a Tuesday afternoon and copied here by hand."
FILLERS = 3
EMBEDDED_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Agreement:
    """Over notes whose subject was left out of the fit, by criterion."""

    notes: int
    subjects: int
    spearman: dict[str, float]
    error: dict[str, float]

    @property
    def mean_spearman(self) -> float:
        return float(np.mean(list(self.spearman.values())))

    @property
    def mean_error(self) -> float:
        return float(np.mean(list(self.error.values())))


@dataclass(frozen=True, slots=True)
class Choices:
    """How many pairs are put in the right order; `by_criterion` holds right ones and all."""

    right: int
    pairs: int
    share: Interval
    by_criterion: dict[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Shift:
    """By how much a text that should not count moves the scores: the mean, by criterion, and the
    largest change of the overall score."""

    notes: int
    mean: dict[str, float]
    overall: float
    largest: float


@dataclass(frozen=True, slots=True)
class HeadReport:
    """`length` is the rank correlation of what is predicted too high with the number of words."""

    model: str
    weights_sha256: str
    records: str
    penalties: dict[str, float]
    agreement: Agreement
    pairs: Choices
    praise: Shift
    filler: Shift
    length: float


def train_head(
    gguf: Path, records: Path, pairs: Path, praise: Path, *, target: Path, report: Report
) -> HeadReport:
    """Writes the head to `target` (.npz), its figures (.json) and its card (.md) beside it.

    Embeddings are kept in `target`'s folder until all is done, so that an interrupted job goes on.

    Raises:
        DataProblem: names the file and the line that is wrong.
        ModelUnavailable: the model cannot be loaded.
    """
    notes = read_labelled(records)
    chosen = read_records(pairs, Pair)
    praised = read_records(praise, Praised)
    _check_pairs(notes, chosen, pairs)
    groups = groups_of(notes, records.with_name(CONTRASTS))
    texts = [embedding_text(note.title, note.body) for note in notes]
    variants = _variants(chosen, praised)
    target.parent.mkdir(parents=True, exist_ok=True)
    vectors, sha256 = embeddings(
        gguf, texts + variants, cache=target.with_suffix(".embeddings.npz"), report=report
    )
    report("Fitting")
    criteria = tuple(notes[0].scores)
    x = vectors[: len(notes)]
    y = np.array([[note.scores[name] for name in criteria] for note in notes], dtype=np.float64)
    penalties = choose(x, y, groups)
    ridge = fit(x, y, penalties)
    checks = _Checks(criteria, _clipped(ridge.predict(vectors[len(notes) :])))
    held_out = _clipped(cross_validated(x, y, groups))
    result = HeadReport(
        model=gguf.name,
        weights_sha256=sha256,
        records=f"{records.name}, SHA-256 {hashlib.sha256(records.read_bytes()).hexdigest()}",
        penalties=dict(zip(criteria, penalties, strict=True)),
        agreement=_agreement(criteria, held_out, y, len(set(groups))),
        pairs=checks.choices(chosen),
        praise=checks.shift(2 * len(chosen), len(praised), 1),
        filler=checks.shift(2 * len(chosen), len(praised), 2),
        length=_length_effect(notes, held_out, y),
    )
    _write(target, _head(ridge, criteria, sha256), result)
    target.with_suffix(".embeddings.npz").unlink(missing_ok=True)
    return result


def embeddings(
    gguf: Path, texts: Sequence[str], *, cache: Path, report: Report
) -> tuple[Floats, str]:
    """A row for each text, as served, and the hash of the file; what `cache` has is not redone."""
    known: dict[str, NDArray[np.float64]] = {}
    with served(gguf) as model:
        key = f"{model.sha256}\n"
        names = [hashlib.sha256((key + text).encode()).hexdigest() for text in texts]
        if cache.exists():
            with np.load(cache, allow_pickle=False) as file:
                known = dict(zip(map(str, file["names"]), file["vectors"], strict=True))
        wanted = dict(zip(names, texts, strict=True))
        missing = [name for name in wanted if name not in known]
        for start in range(0, len(missing), EMBEDDED_AT_ONCE):
            part = missing[start : start + EMBEDDED_AT_ONCE]
            known |= zip(part, model.embed([wanted[name] for name in part]), strict=True)
            _keep(cache, known)
            report(f"Embedded {start + len(part)} of {len(missing)} texts")
        return np.array([known[name] for name in names]), model.sha256


def _keep(cache: Path, known: dict[str, NDArray[np.float64]]) -> None:
    draft = cache.with_name(f".{os.getpid()}.{cache.name}")
    np.savez(draft, names=np.array(list(known)), vectors=np.array(list(known.values())))
    draft.replace(cache)


def _variants(pairs: Sequence[Pair], praised: Sequence[Praised]) -> list[str]:
    """Better and worse notes in turn; then all plain notes, all praised ones, all with filler."""
    notes: list[Note] = [note for pair in pairs for note in (pair.better, pair.worse)]
    bodies = [one.body for one in praised]
    bodies += [one.praised_body for one in praised]
    bodies += [one.body + FILLERS * FILLER for one in praised]
    titles = [one.title for one in praised] * 3
    return [embedding_text(note.title, note.body) for note in notes] + [
        embedding_text(title, body) for title, body in zip(titles, bodies, strict=True)
    ]


def _check_pairs(notes: Sequence[LabelledNote], pairs: Sequence[Pair], path: Path) -> None:
    trained = {note.body for note in notes}
    for pair in pairs:
        if pair.criterion not in notes[0].scores:
            raise DataProblem(
                f"no note is labelled for {pair.criterion!r}.", path=path, row=pair.id
            )
        if trained & {pair.better.body, pair.worse.body}:
            raise DataProblem("the note is among those trained on.", path=path, row=pair.id)


def _clipped(scores: Floats) -> Floats:
    return np.clip(scores, LOWEST, HIGHEST)


def _agreement(
    criteria: Sequence[str], predicted: Floats, labels: Floats, subjects: int
) -> Agreement:
    columns = list(enumerate(criteria))
    return Agreement(
        notes=len(labels),
        subjects=subjects,
        spearman={name: spearman(predicted[:, i], labels[:, i]) for i, name in columns},
        error={name: float(np.abs(predicted - labels)[:, i].mean()) for i, name in columns},
    )


def _length_effect(notes: Sequence[Note], predicted: Floats, labels: Floats) -> float:
    words = [len(note.body.split()) for note in notes]
    return spearman((predicted - labels).mean(axis=1), words)


class _Checks:
    """What the head says of the texts of `_variants`."""

    def __init__(self, criteria: Sequence[str], scores: Floats) -> None:
        self._criteria = list(criteria)
        self._scores = scores

    def choices(self, pairs: Sequence[Pair]) -> Choices:
        counts = dict.fromkeys(self._criteria, (0, 0))
        for index, pair in enumerate(pairs):
            column = self._criteria.index(pair.criterion)
            better, worse = self._scores[2 * index : 2 * index + 2, column]
            right, total = counts[pair.criterion]
            counts[pair.criterion] = right + bool(better > worse), total + 1
        right = sum(one for one, _ in counts.values())
        return Choices(right, len(pairs), wilson(right, len(pairs)), counts)

    def shift(self, start: int, count: int, variant: int) -> Shift:
        plain = self._scores[start : start + count]
        changed = self._scores[start + variant * count : start + (variant + 1) * count]
        moves = changed - plain
        overall = moves.mean(axis=1)
        means = dict(zip(self._criteria, map(float, moves.mean(axis=0)), strict=True))
        return Shift(count, means, float(overall.mean()), float(np.abs(overall).max()))


def _head(ridge: Ridge, criteria: tuple[str, ...], sha256: str) -> ScoreHead:
    return ScoreHead(
        weights_sha256=sha256,
        criteria=criteria,
        mean=ridge.mean.astype(np.float32),
        scale=ridge.scale.astype(np.float32),
        weights=ridge.weights.astype(np.float32),
        bias=ridge.bias.astype(np.float32),
    )


def _write(target: Path, head: ScoreHead, result: HeadReport) -> None:
    figures = asdict(result)
    draft = target.with_name(f".{os.getpid()}.{target.name}")
    head.save(draft)
    draft.replace(target)
    text = json.dumps(figures, indent=2, ensure_ascii=False) + "\n"
    target.with_suffix(".json").write_text(text, encoding="utf-8")
    target.with_suffix(".md").write_text(head_card(target.name, figures), encoding="utf-8")
