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

from service.analysis.calibration.agreement import HeldOut, held_out
from service.analysis.calibration.fitting import Material, clipped, fit_notes, texts_of
from service.analysis.calibration.ridge import Floats
from service.analysis.score_heads import ScoreHead
from service.engine.files.atomic_write import replacing, write_whole
from service.engine.files.checksums import sha256_of
from training.data.decontamination import check_disjoint
from training.data.labelled import (
    Pair,
    PraisedNote,
    contrasts_of,
    read_labelled,
    read_records,
)
from training.data.rows import name_of
from training.errors import DataProblem, Report
from training.export.cards import head_card
from training.inference.served import Source, identity, served
from training.score_head.quality import Choices, Shift, check, notes_to_check

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
class _Data:
    """The notes to fit to and to test with. `sets` maps each file to its range of labelled notes."""

    material: Material
    pairs: tuple[Pair, ...]
    praised: tuple[PraisedNote, ...]
    sets: dict[str, slice]


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
    data = _data(records, pairs, praise)
    material = data.material
    target.parent.mkdir(parents=True, exist_ok=True)
    cache = target.with_suffix(".embeddings.npz")
    known = material.texts()
    texts = known + texts_of(notes_to_check(data.pairs, data.praised))
    vectors, sha256 = embeddings(source, texts, cache=cache, report=report)
    report("Fitting")
    fitted = fit_notes(material, vectors[: len(known)])
    criteria = fitted.criteria
    checks = check(criteria, clipped(fitted.ridge.predict(vectors[len(known) :])), data.pairs)

    def agreement(part: slice) -> HeldOut:
        return held_out(
            criteria, fitted.predicted[part], fitted.labels[part], material.labelled[part]
        )

    result = HeadReport(
        model=source.name,
        weights_sha256=sha256,
        identity=identity(source),
        records={name_of(path): sha256_of(path) for path in records},
        subjects=fitted.subjects,
        penalties=dict(zip(criteria, fitted.penalties, strict=True)),
        agreement=agreement(slice(None)),
        agreement_by_set={name: agreement(part) for name, part in data.sets.items()},
        pairs=checks.choices,
        praise=checks.praise,
        filler=checks.filler,
    )
    _write(target, fitted.head(result.identity), result)
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


def _data(records: Sequence[Path], pairs: Path, praise: Path) -> _Data:
    sets = read_labelled(records)
    labelled = tuple(chain.from_iterable(sets))
    ends = list(accumulate(map(len, sets)))
    data = _Data(
        material=Material.of(labelled, contrasts_of(labelled, [path.parent for path in records])),
        pairs=read_records(pairs, Pair),
        praised=read_records(praise, PraisedNote),
        sets={
            name_of(path): slice(start, end)
            for path, start, end in zip(records, (0, *ends), ends, strict=False)
        },
    )
    for pair in data.pairs:
        if pair.criterion not in data.material.criteria:
            problem = f"no note has a label for {pair.criterion!r}."
            raise DataProblem(problem, path=pairs, row=pair.id)
    halves = ((pair.id, half) for pair in data.pairs for half in (pair.better, pair.worse))
    check_disjoint(labelled, pairs, halves)
    check_disjoint(labelled, praise, ((one.id, one) for one in data.praised))
    return data


def _write(target: Path, head: ScoreHead, result: HeadReport) -> None:
    figures = asdict(result)
    with replacing(target) as draft:
        head.save(draft)
    text = json.dumps(figures, indent=2, ensure_ascii=False) + "\n"
    write_whole(target.with_suffix(".json"), text)
    write_whole(target.with_suffix(".md"), head_card(target.name, figures))
