"""Keeps rows out of the training data that contain a text of an evaluation set."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from service.analysis.calibration.notes import LabelledNote, Note
from training.config import EvaluationConfig
from training.data.rows import Dropped, Row
from training.data.sources import OWN_DATA, raw_records
from training.data.texts import Shingles, shingles, user_text, words
from training.errors import DataProblem

OWN_TOPICS = OWN_DATA / "evaluation" / "topics.jsonl"
IN_EVALUATION = "the prompt is in an evaluation set"
OVERLAP = 0.8
# A shorter text occurs inside others by chance, so it has to make up the whole prompt.
WORDS_TO_BE_FOUND_INSIDE = 8
_TEXT_KEYS = (
    "prompt", "prompt_paraphrases", "topic", "instruction", "question", "turns", "text", "body",
    "messages", "conversations",
)  # fmt: skip
_ANSWERERS = ("assistant", "gpt", "model")


@dataclass(frozen=True, slots=True)
class _EvaluationText:
    name: str
    shingles: Shingles
    length: int


class EvaluationTexts:
    """Texts of evaluation sets. One is found in a text that has nearly all of its shingles."""

    def __init__(self, texts: Iterable[tuple[str, str]]) -> None:
        """`texts` are pairs of a name and a text."""
        self._texts = [
            _EvaluationText(name, shingles(text), len(words(text))) for name, text in texts
        ]
        self._having: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for index, text in enumerate(self._texts):
            for shingle in text.shingles:
                self._having[shingle].append(index)

    def found_in(self, text: str) -> str | None:
        """The name of an evaluation text that is in this text, or None."""
        own = shingles(text)
        shared: dict[int, int] = defaultdict(int)
        for shingle in own:
            for index in self._having.get(shingle, ()):
                shared[index] += 1
        for index, count in shared.items():
            measured = self._texts[index]
            whole = len(measured.shingles)
            if measured.length < WORDS_TO_BE_FOUND_INSIDE:
                whole += len(own) - count
            if count >= OVERLAP * whole:
                return measured.name
        return None


def evaluation_files(config: EvaluationConfig) -> tuple[Path, ...]:
    """The prompt files that every model is measured with, and the one that the config names."""
    return (OWN_TOPICS,) if config.prompts is None else (OWN_TOPICS, config.prompts)


def without_evaluation_prompts(
    rows: Sequence[Row], evaluation_sets: Sequence[Path]
) -> tuple[list[Row], list[Dropped]]:
    """Returns the kept and the dropped rows. Raises `DataProblem` for a set without prompts."""
    prompts = EvaluationTexts(chain.from_iterable(map(_prompts, evaluation_sets)))
    kept: list[Row] = []
    dropped: list[Dropped] = []
    for row in rows:
        found = prompts.found_in(user_text(row))
        if found is None:
            kept.append(row)
        else:
            dropped.append(Dropped(row, IN_EVALUATION, found))
    return kept, dropped


def check_disjoint(
    labelled: Iterable[LabelledNote], path: Path, tested: Iterable[tuple[str, Note]]
) -> None:
    """`tested` has the ids and the notes of the test file `path`.

    Raises `DataProblem` for a test note that is the same, or nearly, as a labelled one.
    """
    texts = EvaluationTexts((row, _words_of(note)) for row, note in tested)
    for note in labelled:
        row = texts.found_in(_words_of(note))
        if row is not None:
            raise DataProblem(
                f"the note is nearly the same as {note.id!r}, which is trained on. Leave out one of "
                "them.",
                path=path,
                row=row,
            )


def _words_of(note: Note) -> str:
    # A note with another title is still the same note.
    return note.body or note.title


def _prompts(path: Path) -> Iterator[tuple[str, str]]:
    is_empty = True
    for raw in raw_records(path):
        for key in _TEXT_KEYS:
            for text in _texts(raw.data.get(key)):
                is_empty = False
                place = f"{Path(raw.file).name} row {raw.number}"
                yield place, text
    if is_empty:
        raise DataProblem(f"has no prompts under {', '.join(_TEXT_KEYS)}.", path=path)


def _texts(value: Any) -> Iterator[str]:
    """The texts in a value: a text, a list of texts, or the user's turns of a chat."""
    if isinstance(value, str) and words(value):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict) and (value.get("role") or value.get("from")) not in _ANSWERERS:
        yield from _texts(value.get("content") or value.get("value"))
