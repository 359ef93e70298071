"""Keeps rows out of training whose prompts are in a set that the model is measured with."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.config import EvaluationConfig
from training.errors import DataProblem
from training.records.rows import Dropped, Row
from training.records.sources import OWN_DATA, raw_records
from training.records.texts import Shingles, asked, shingles, words

OWN_TOPICS = OWN_DATA / "evaluation" / "topics.jsonl"
IN_EVALUATION = "the prompt is in an evaluation set"
OVERLAP = 0.8
# Fewer words than these are found inside many texts by chance: they have to be all of the prompt.
WORDS_TO_BE_FOUND_INSIDE = 8
_TEXT_KEYS = (
    "prompt", "prompt_paraphrases", "topic", "instruction", "question", "turns", "text", "body",
    "messages", "conversations",
)  # fmt: skip
_ANSWERERS = ("assistant", "gpt", "model")


@dataclass(frozen=True, slots=True)
class _Prompt:
    name: str
    shingles: Shingles
    length: int


def measured_with(config: EvaluationConfig) -> tuple[Path, ...]:
    """The files of prompts that models are always measured with, and those of the config."""
    return (OWN_TOPICS,) if config.prompts is None else (OWN_TOPICS, config.prompts)


def without_evaluation_prompts(
    rows: Sequence[Row], evaluation_sets: Sequence[Path]
) -> tuple[list[Row], list[Dropped]]:
    """Raises `DataProblem` for a set that has no prompts."""
    prompts = [prompt for path in evaluation_sets for prompt in _prompts(path)]
    having: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for index, prompt in enumerate(prompts):
        for shingle in prompt.shingles:
            having[shingle].append(index)
    kept: list[Row] = []
    dropped: list[Dropped] = []
    for row in rows:
        found = _found_in(shingles(asked(row)), prompts, having)
        if found is None:
            kept.append(row)
        else:
            dropped.append(Dropped(row, IN_EVALUATION, found.name))
    return kept, dropped


def _found_in(
    text: Shingles, prompts: Sequence[_Prompt], having: Mapping[tuple[str, ...], Sequence[int]]
) -> _Prompt | None:
    shared: dict[int, int] = defaultdict(int)
    for shingle in text:
        for index in having.get(shingle, ()):
            shared[index] += 1
    for index, count in shared.items():
        prompt = prompts[index]
        whole = len(prompt.shingles)
        if prompt.length < WORDS_TO_BE_FOUND_INSIDE:
            whole += len(text) - count
        if count >= OVERLAP * whole:
            return prompt
    return None


def _prompts(path: Path) -> Iterator[_Prompt]:
    is_empty = True
    for raw in raw_records(path):
        for key in _TEXT_KEYS:
            for text in _texts(raw.data.get(key)):
                is_empty = False
                place = f"{Path(raw.file).name} row {raw.number}"
                yield _Prompt(place, shingles(text), len(words(text)))
    if is_empty:
        raise DataProblem(f"has no prompts under {', '.join(_TEXT_KEYS)}.", path=path)


def _texts(value: Any) -> Iterator[str]:
    """Of a text, a list of them or the turns of users."""
    if isinstance(value, str) and words(value):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict) and (value.get("role") or value.get("from")) not in _ANSWERERS:
        yield from _texts(value.get("content") or value.get("value"))
