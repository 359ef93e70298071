"""Fits a score head, which maps a served model's embeddings of notes to scores from 1 to 10.

The head is fitted to the served files and records their identity; it is useless for other models.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate, chain
from pathlib import Path

import numpy as np

from service.analysis.scoring import HIGHEST, LOWEST, ScoreHead
from service.engine.files.checksums import sha256_of
from service.prompts.tasks import embedding_text
from training.data.decontamination import check_disjoint
from training.data.labelled import (
    LabelledNote,
    Note,
    Pair,
    PraisedNote,
    contrasts_of,
    groups_of,
    read_labelled,
    read_records,
)
from training.data.rows import name_of
from training.data.variants import padded
from training.errors import DataProblem, Report
from training.export.cards import head_card
from training.inference.served import Source, identity, served
from training.runs.atomic_write import replacing, write_whole
from training.score_head.quality import Choices, HeldOut, Shift, check, held_out, notes_to_check
from training.score_head.ridge import Examples, Floats, Ridge, choose, cross_validated, fit

PADDED_NOTES = 120
EMBEDDING_BATCH = 32


@dataclass(frozen=True, slots=True)
class HeadReport:
    """The figures of a head.

    `records` maps the files of labelled notes to their hashes. `subjects` is the number of subjects
    of the notes. `agreement_by_set` is by file.
    """

    model: str
    weights_sha256: str
    identity: str
    records: dict[str, str]
    subjects: int
    penalties: dict[str, float]
    agreement: HeldOut
    agreement_by_set: dict[str, HeldOut]
    pairs: Choices
    praise: Shift
    filler: Shift


@dataclass(frozen=True, slots=True)
class _Material:
    """The notes to fit to and to test with.

    `padded` has positions of labelled notes with longer copies that say no more. `contrasts` has
    pairs of positions. `sets` maps each file to its range of notes.
    """

    labelled: tuple[LabelledNote, ...]
    padded: list[tuple[int, Note]]
    pairs: tuple[Pair, ...]
    praised: tuple[PraisedNote, ...]
    contrasts: list[tuple[int, int]]
    sets: dict[str, slice]

    @property
    def criteria(self) -> tuple[str, ...]:
        return tuple(self.labelled[0].scores)

    def texts(self) -> list[str]:
        added = [note for _, note in self.padded]
        notes = [*self.labelled, *added, *notes_to_check(self.pairs, self.praised)]
        return [embedding_text(note.title, note.body) for note in notes]

    def examples(self, vectors: Floats) -> tuple[Examples, Floats]:
        """The examples to fit to, and the vectors of the test notes."""
        x, moved, tests = np.split(
            vectors, (len(self.labelled), len(self.labelled) + len(self.padded))
        )
        labels = [[note.scores[name] for name in self.criteria] for note in self.labelled]
        places = np.array([position for position, _ in self.padded], dtype=np.int64)
        examples = Examples(
            x=x,
            y=np.array(labels, dtype=np.float64),
            groups=np.array(groups_of(self.labelled, self.contrasts)),
            differences=np.array(self.contrasts, dtype=np.int64).reshape(-1, 2),
            moves=moved - x[places],
            moved=places,
        )
        return examples, tests


def train_head(
    source: Source,
    records: Sequence[Path],
    pairs: Path,
    praise: Path,
    *,
    target: Path,
    report: Report,
) -> HeadReport:
    """Writes the head to `target` (.npz), its figures (.json) and its card (.md) beside it.

    Embeddings are cached in the folder of `target` until the end, so that a stopped job can continue.

    Raises:
        DataProblem: a file has an invalid line; the error names both.
        ModelUnavailable: the model cannot be loaded.
    """
    material = _material(records, pairs, praise)
    target.parent.mkdir(parents=True, exist_ok=True)
    cache = target.with_suffix(".embeddings.npz")
    vectors, sha256 = embeddings(source, material.texts(), cache=cache, report=report)
    report("Fitting")
    examples, tests = material.examples(vectors)
    criteria, penalties = material.criteria, choose(examples)
    ridge = fit(examples, penalties)
    checks = check(criteria, _clipped(ridge.predict(tests)), material.pairs)
    predicted = _clipped(cross_validated(examples))

    def agreement(part: slice) -> HeldOut:
        return held_out(criteria, predicted[part], examples.y[part], material.labelled[part])

    result = HeadReport(
        model=source.name,
        weights_sha256=sha256,
        identity=identity(source),
        records={name_of(path): sha256_of(path) for path in records},
        subjects=len(np.unique(examples.groups)),
        penalties=dict(zip(criteria, penalties, strict=True)),
        agreement=agreement(slice(None)),
        agreement_by_set={name: agreement(part) for name, part in material.sets.items()},
        pairs=checks.choices,
        praise=checks.praise,
        filler=checks.filler,
    )
    _write(target, _head(ridge, criteria, result.identity), result)
    cache.unlink(missing_ok=True)
    return result


def embeddings(
    source: Source, texts: Sequence[str], *, cache: Path, report: Report
) -> tuple[Floats, str]:
    """The embedding of each text, as a row, and the hash of the file. Reuses those in `cache`."""
    known: dict[str, Floats] = {}
    with served(source) as model:
        names = [hashlib.sha256(f"{model.sha256}\n{text}".encode()).hexdigest() for text in texts]
        if cache.exists():
            with np.load(cache, allow_pickle=False) as file:
                known = dict(zip(map(str, file["names"]), file["vectors"], strict=True))
        wanted = dict(zip(names, texts, strict=True))
        missing = [name for name in wanted if name not in known]
        for start in range(0, len(missing), EMBEDDING_BATCH):
            part = missing[start : start + EMBEDDING_BATCH]
            known |= zip(part, model.embed([wanted[name] for name in part]), strict=True)
            _keep(cache, known)
            report(f"Embedded {start + len(part)} of {len(missing)} texts")
        return np.array([known[name] for name in names]), model.sha256


def _keep(cache: Path, known: dict[str, Floats]) -> None:
    with replacing(cache) as draft:
        np.savez(draft, names=np.array(list(known)), vectors=np.array(list(known.values())))


def _material(records: Sequence[Path], pairs: Path, praise: Path) -> _Material:
    sets = read_labelled(records)
    labelled = tuple(chain.from_iterable(sets))
    ends = list(accumulate(map(len, sets)))
    step = max(1, len(labelled) // PADDED_NOTES)
    material = _Material(
        labelled=labelled,
        padded=[(step * position, note) for position, note in padded(labelled[::step])],
        pairs=read_records(pairs, Pair),
        praised=read_records(praise, PraisedNote),
        contrasts=contrasts_of(labelled, [path.parent for path in records]),
        sets={
            name_of(path): slice(start, end)
            for path, start, end in zip(records, (0, *ends), ends, strict=False)
        },
    )
    for pair in material.pairs:
        if pair.criterion not in material.criteria:
            problem = f"no note has a label for {pair.criterion!r}."
            raise DataProblem(problem, path=pairs, row=pair.id)
    halves = ((pair.id, half) for pair in material.pairs for half in (pair.better, pair.worse))
    check_disjoint(labelled, pairs, halves)
    check_disjoint(labelled, praise, ((one.id, one) for one in material.praised))
    return material


def _clipped(scores: Floats) -> Floats:
    return np.clip(scores, LOWEST, HIGHEST)


def _head(ridge: Ridge, criteria: tuple[str, ...], identity: str) -> ScoreHead:
    return ScoreHead(
        identity=identity,
        criteria=criteria,
        mean=ridge.mean.astype(np.float32),
        scale=ridge.scale.astype(np.float32),
        weights=ridge.weights.astype(np.float32),
        bias=ridge.bias.astype(np.float32),
    )


def _write(target: Path, head: ScoreHead, result: HeadReport) -> None:
    figures = asdict(result)
    with replacing(target) as draft:
        head.save(draft)
    text = json.dumps(figures, indent=2, ensure_ascii=False) + "\n"
    write_whole(target.with_suffix(".json"), text)
    write_whole(target.with_suffix(".md"), head_card(target.name, figures))
