"""Makes records from a model's own ideas: a reader chooses the best of several drafts for a topic.

A small model that imitates a better writer learns the style without the sense. A model that learns
the best of its own drafts stays within its abilities (rejection sampling, as in RAFT, Dong et al.
2023, and in Llama 2). The reader may correct a draft, or grade all drafts, so that the model learns
which ones to prefer.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from service.engine.files.atomic_write import write_whole
from service.engine.types import GenerateRequest
from service.prompts.answers import ParsedSuggestion
from service.prompts.methods import Angle, draw_angles
from service.prompts.tasks import brainstorm_prompt
from training.data.sources import typed_records
from training.errors import DataProblem, Report
from training.evaluation.ideas import parse
from training.inference.served import Kept, request_of, served
from training.synthesis.teacher_prompts import Topic, read_topics

CREATIVITY = 0.8
"""Higher than the service's default, so that the drafts differ."""
SLOTS = 24


@dataclass(frozen=True, slots=True)
class Drafts:
    """The usable drafts for one topic and angle."""

    id: str
    method: str
    topic: str
    context: str
    angle: str
    hint: str
    drafts: tuple[ParsedSuggestion, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """`best` is the number of a draft, from 1, or None if no draft is good enough.

    `title` and `text` replace those of the draft if the reader has corrected them.
    """

    id: str
    best: int | None
    title: str | None = None
    text: str | None = None

    def of(self, drafts: Sequence[ParsedSuggestion]) -> ParsedSuggestion | None:
        """Raises `DataProblem` without the place if there is no draft with this number."""
        if self.best is None:
            return None
        if not 1 <= self.best <= len(drafts):
            raise DataProblem(f"there is no draft {self.best}.")
        draft = drafts[self.best - 1]
        return ParsedSuggestion(self.title or draft.title, self.text or draft.text)


@dataclass(frozen=True, slots=True)
class Grades:
    """The grades in the order of the drafts; higher is better."""

    id: str
    grades: tuple[float, ...]


ReaderAnswer = TypeVar("ReaderAnswer", Choice, Grades)


def draw_drafts(gguf: Path, topics: Path, target: Path, count: int, *, report: Report) -> int:
    """Writes `target` (JSONL) and returns the number of drafts. Continues a job that was stopped.

    Raises:
        DataProblem: a topic is invalid.
        ModelUnavailable: the model cannot be loaded.
    """
    asked = list(_draw_angle_for_each(read_topics(topics)))
    kept_at = target.with_suffix(".kept.jsonl")
    requests = [_request(one, seed) for one in asked for seed in range(count)]

    def on_done(done: int, of: int) -> None:
        if done % 50 == 0 or done == of:
            report(f"{done} of {of} drafts")

    with served(gguf, slots=SLOTS, kept=Kept(kept_at)) as model:
        answers = model.generate(requests, on_done=on_done)
    texts = [answer.text for answer in answers]
    found = [
        replace(one, drafts=_usable(texts[place * count : (place + 1) * count], one.topic))
        for place, one in enumerate(asked)
    ]
    _write(target, map(asdict, found))
    kept_at.unlink()
    return sum(len(one.drafts) for one in found)


def choose_drafts(drafts: Path, choices: Path, target: Path, *, source: str, licence: str) -> int:
    """Writes the chosen drafts as brainstorm records and returns their number.

    Raises `DataProblem` for an invalid line, or a choice of a draft that does not exist.
    """
    records = []
    for one, choice in _with_answers(drafts, choices, Choice):
        try:
            taken = choice.of(one.drafts)
        except DataProblem as error:
            raise DataProblem(error.detail, path=choices, row=one.id) from error
        if taken is not None:
            records.append(_record(one, taken, source, licence))
    _write(target, records)
    return len(records)


def grade_drafts(drafts: Path, grades: Path, target: Path, *, source: str, licence: str) -> int:
    """Writes the drafts with their grades and returns the number of drafts.

    Raises `DataProblem` for an invalid line, or if the numbers of grades and drafts differ.
    """
    records, count = [], 0
    for one, given in _with_answers(drafts, grades, Grades):
        if len(given.grades) != len(one.drafts):
            raise DataProblem(
                f"there are {len(given.grades)} grades for {len(one.drafts)} drafts.",
                path=grades,
                row=one.id,
            )
        if one.drafts:
            pairs = zip(one.drafts, given.grades, strict=True)
            graded = [asdict(draft) | {"grade": grade} for draft, grade in pairs]
            records.append(asdict(one) | {"drafts": graded, "source": source, "licence": licence})
            count += len(graded)
    _write(target, records)
    return count


def _with_answers(
    drafts: Path, answers: Path, kind: type[ReaderAnswer]
) -> Iterator[tuple[Drafts, ReaderAnswer]]:
    """Yields drafts with the reader's answer. Raises `DataProblem` for an answer without drafts."""
    by_id = {one.id: one for _, one in typed_records(answers, kind)}
    for _, one in typed_records(drafts, Drafts):
        if one.id in by_id:
            yield one, by_id.pop(one.id)
    if by_id:
        raise DataProblem("there are no drafts for it.", path=answers, row=next(iter(by_id)))


def _draw_angle_for_each(topics: Sequence[Topic]) -> Iterator[Drafts]:
    for number, one in enumerate(topics, start=1):
        (angle,) = draw_angles(one.method, 1, number)
        name = f"drafts-{number:04}"
        yield Drafts(name, one.method, one.topic, one.context, angle.name, angle.hint, ())


def _request(one: Drafts, seed: int) -> GenerateRequest:
    angle = Angle(one.angle, one.hint)
    return request_of(
        brainstorm_prompt(one.topic, angle, context=one.context, creativity=CREATIVITY, seed=seed)
    )


def _usable(texts: Sequence[str], topic: str) -> tuple[ParsedSuggestion, ...]:
    """The usable drafts, without repetitions."""
    found = (parse(text, topic) for text in texts)
    return tuple(dict.fromkeys(one for one in found if one is not None))


def _record(one: Drafts, draft: ParsedSuggestion, source: str, licence: str) -> Mapping[str, Any]:
    idea = {"angle": one.angle, "hint": one.hint, "title": draft.title, "text": draft.text}
    return {
        "id": one.id,
        "task": "brainstorm",
        "method": one.method,
        "topic": one.topic,
        "context": one.context,
        "ideas": [idea],
        "source": source,
        "licence": licence,
    }


def _write(target: Path, records: Iterable[Mapping[str, Any]]) -> None:
    lines = (json.dumps(one, ensure_ascii=False) for one in records)
    write_whole(target, "".join(f"{line}\n" for line in lines))
