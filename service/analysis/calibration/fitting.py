"""Fits a score head to labelled notes that a model has embedded. Knows neither models nor files."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from service.analysis.calibration.agreement import Scores
from service.analysis.calibration.notes import LabelledNote, Note, groups_of, padded
from service.analysis.calibration.ridge import Examples, Floats, Ridge, choose, cross_validated, fit
from service.analysis.score_heads import HIGHEST, LOWEST, ScoreHead
from service.prompts.tasks import embedding_text

PADDED_NOTES = 120


@dataclass(frozen=True, slots=True)
class Material:
    """The notes to fit to.

    `padded` has positions of labelled notes with longer copies that say no more. `contrasts` has
    pairs of positions.
    """

    labelled: tuple[LabelledNote, ...]
    contrasts: list[tuple[int, int]]
    padded: list[tuple[int, Note]]

    @classmethod
    def of(cls, labelled: tuple[LabelledNote, ...], contrasts: list[tuple[int, int]]) -> "Material":
        step = max(1, len(labelled) // PADDED_NOTES)
        copies = [(step * position, note) for position, note in padded(labelled[::step])]
        return cls(labelled, contrasts, copies)

    @property
    def criteria(self) -> tuple[str, ...]:
        return tuple(self.labelled[0].scores)

    def texts(self) -> list[str]:
        """What the model embeds, in the order of the vectors."""
        return texts_of([*self.labelled, *(note for _, note in self.padded)])

    def examples(self, vectors: Floats) -> Examples:
        """`vectors` has a row for each of the texts."""
        x, moved = np.split(vectors, [len(self.labelled)])
        labels = [[note.scores[name] for name in self.criteria] for note in self.labelled]
        places = np.array([position for position, _ in self.padded], dtype=np.int64)
        return Examples(
            x=x,
            y=np.array(labels, dtype=np.float64),
            groups=np.array(groups_of(self.labelled, self.contrasts)),
            differences=np.array(self.contrasts, dtype=np.int64).reshape(-1, 2),
            moves=moved - x[places],
            moved=places,
        )


@dataclass(frozen=True, slots=True)
class Fit:
    """`predicted` has the score of each note by a fit to other subjects."""

    criteria: tuple[str, ...]
    ridge: Ridge
    penalties: tuple[float, ...]
    predicted: Scores
    labels: Scores
    subjects: int

    def head(self, identity: str) -> ScoreHead:
        ridge = self.ridge
        return ScoreHead(
            identity=identity,
            criteria=self.criteria,
            mean=ridge.mean.astype(np.float32),
            scale=ridge.scale.astype(np.float32),
            weights=ridge.weights.astype(np.float32),
            bias=ridge.bias.astype(np.float32),
        )


def fit_notes(material: Material, vectors: Floats, go_on: Callable[[], None] = lambda: None) -> Fit:
    """`vectors` has a row for each of the material's texts. `go_on` as in `cross_validated`."""
    examples = material.examples(vectors)
    penalties = choose(examples)
    return Fit(
        criteria=material.criteria,
        ridge=fit(examples, penalties),
        penalties=penalties,
        predicted=clipped(cross_validated(examples, go_on=go_on)),
        labels=examples.y,
        subjects=len(np.unique(examples.groups)),
    )


def texts_of(notes: Sequence[Note]) -> list[str]:
    return [embedding_text(note.title, note.body) for note in notes]


def clipped(scores: Scores) -> Scores:
    return np.clip(scores, LOWEST, HIGHEST)
