"""Measures whether a served model's scores agree with labels, and stay stable.

Scores are read through `service.analysis.scoring`, as users get them, but without a score head: a head
of the base does not fit the weights of the tuned model, and the shipped heads are fitted to the labels
of the same notes that a run holds out. Heads have figures of their own.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from service.analysis.calibration.agreement import spearman
from service.analysis.calibration.notes import LabelledNote
from service.analysis.scoring import Scorer
from service.engine.catalog import CatalogModel, Selection
from service.engine.embedded.backend import EmbeddedBackend
from service.engine.types import Event
from service.prompts.tasks import DEFAULT_CRITERIA
from training.errors import Report
from training.inference.served import Source, as_model

CRITERIA = tuple(criterion.name for criterion in DEFAULT_CRITERIA)
NEUTRAL = "This note was written on a Tuesday."
PRAISE = "This is a brilliant, unique idea that everybody will love."
"""Neither sentence says anything about the idea, so it should not change the order of two notes."""
CLEAR_DIFFERENCE = 2
"""The least difference of labels that a reader can see."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """The agreement for each criterion.

    `stability` is the share of clearly different pairs that keep their order after a sentence that
    is neutral, or praise, is added to the lower of the two.
    """

    notes: int
    spearman: dict[str, float]
    error: dict[str, float]
    stability: dict[str, float]


def measure(
    source: Source, notes: Sequence[LabelledNote], *, threads: int | None = None, report: Report
) -> Agreement:
    """Scores by the probabilities of digits. Raises the `ServiceError`s of the engine."""
    variants = [
        (note.title, f"{note.body} {addition}".strip())
        for addition in ("", NEUTRAL, PRAISE)
        for note in notes
    ]
    model = as_model("scored", source)
    with asyncio.Runner() as runner:
        given = runner.run(_scores(model, variants, threads, report))
    count = len(notes)
    return agreement(notes, given[:count], (given[count : 2 * count], given[2 * count :]))


def agreement(
    notes: Sequence[LabelledNote],
    plain: Sequence[Mapping[str, float]],
    added: Sequence[Sequence[Mapping[str, float]]],
) -> Agreement:
    """`added` has the scores of the notes with each of the added sentences."""
    correlations, errors, kept = {}, {}, {}
    for name in CRITERIA:
        labels = [note.scores[name] for note in notes]
        values = [scores[name] for scores in plain]
        correlations[name] = spearman(labels, values)
        gaps = [abs(a - b) for a, b in zip(labels, values, strict=True)]
        errors[name] = sum(gaps) / max(1, len(gaps))
        kept[name] = _stability(
            labels, values, [[scores[name] for scores in variant] for variant in added]
        )
    return Agreement(len(notes), correlations, errors, kept)


def _stability(
    labels: Sequence[float], plain: Sequence[float], added: Sequence[Sequence[float]]
) -> float:
    kept = [
        plain[high] > variant[low]
        for a, b in combinations(range(len(labels)), 2)
        if abs(labels[a] - labels[b]) >= CLEAR_DIFFERENCE
        for low, high in [(a, b) if plain[a] < plain[b] else (b, a)]
        if plain[low] != plain[high]
        for variant in added
    ]
    return sum(kept) / len(kept) if kept else float("nan")


async def _scores(
    model: CatalogModel, notes: Sequence[tuple[str, str]], threads: int | None, report: Report
) -> list[dict[str, float]]:
    backend = EmbeddedBackend(
        Selection(None, (model,), dict.fromkeys(model.roles, model)),
        models_dir=Path(),
        queue_limit=len(notes),
        threads=threads,
    )
    await backend.start()
    try:
        scorer, info, done = Scorer(backend), backend.model_for("general"), 0

        async def score(title: str, body: str) -> dict[str, float]:
            nonlocal done
            found = await scorer.score(
                info, title, body, DEFAULT_CRITERIA, client="", observe=_ignore
            )
            done += 1
            if done % 20 == 0:
                report(f"Scored {done} of {len(notes)} notes")
            return found.values

        return list(await asyncio.gather(*(score(*note) for note in notes)))
    finally:
        await backend.close()


async def _ignore(_: Event) -> None:
    pass
