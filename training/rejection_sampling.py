"""A model's own ideas to learn from: several drafts for a topic, of which a reader takes the best.

A small model that imitates a better writer gets the style without the sense; one that learns the
best of its own drafts stays within what it can say (rejection sampling, as in RAFT, Dong et al.
2023, and in Llama 2). The reader may mend a draft where a few words make it good.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from service.answers import ParsedSuggestion, parse_suggestion
from service.engine.types import GenerateRequest
from service.errors import AnswerUnusable
from service.methods import Angle, draw_angles
from service.prompts import brainstorm_prompt
from training.drafts import write_whole
from training.errors import DataProblem, Report
from training.records.sources import raw_records
from training.records.teaching import Topic, read_topics
from training.served import Kept, request_of, served

CREATIVITY = 0.8
"""Above what the service takes by itself, so that there is something to choose from."""
SLOTS = 24


@dataclass(frozen=True, slots=True)
class Drafts:
    """Of one topic and angle; those that cannot be used are left out."""

    id: str
    method: str
    topic: str
    context: str
    angle: str
    hint: str
    drafts: tuple[ParsedSuggestion, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """`best` counts the drafts from 1; None if no draft is worth learning.

    `title` and `text` are given where the reader has mended the draft's.
    """

    id: str
    best: int | None
    title: str | None = None
    text: str | None = None

    def of(self, drafts: Sequence[ParsedSuggestion]) -> ParsedSuggestion | None:
        """Raises `DataProblem`, without the place, for a draft that is not there."""
        if self.best is None:
            return None
        if not 1 <= self.best <= len(drafts):
            raise DataProblem(f"there is no draft {self.best}.")
        draft = drafts[self.best - 1]
        return ParsedSuggestion(self.title or draft.title, self.text or draft.text)


_DRAFTS = TypeAdapter(Drafts)
_CHOICE = TypeAdapter(Choice)


def draw_drafts(gguf: Path, topics: Path, target: Path, count: int, *, report: Report) -> int:
    """Writes `target` (JSONL), and tells how many drafts it has; a job that was stopped goes on.

    Raises:
        DataProblem: a topic cannot be used.
        ModelUnavailable: the model cannot be loaded.
    """
    asked = list(_angled(read_topics(topics)))
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
    write_whole(
        target, "".join(f"{json.dumps(asdict(one), ensure_ascii=False)}\n" for one in found)
    )
    kept_at.unlink()
    return sum(len(one.drafts) for one in found)


def choose_drafts(drafts: Path, choices: Path, target: Path, *, source: str, licence: str) -> int:
    """Writes the chosen drafts as brainstorm records, and tells how many there are.

    Raises `DataProblem`: a line cannot be read, or a choice is none of the drafts.
    """
    chosen = {one.id: one for one in _read(choices, _CHOICE)}
    records = []
    for one in _read(drafts, _DRAFTS):
        choice = chosen.pop(one.id, None)
        try:
            taken = choice.of(one.drafts) if choice is not None else None
        except DataProblem as error:
            raise DataProblem(error.detail, path=choices, row=one.id) from error
        if taken is not None:
            records.append(_record(one, taken, source, licence))
    if chosen:
        raise DataProblem("there are no drafts for it.", path=choices, row=next(iter(chosen)))
    write_whole(target, "".join(f"{json.dumps(one, ensure_ascii=False)}\n" for one in records))
    return len(records)


def _angled(topics: Sequence[Topic]) -> Iterator[Drafts]:
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
    found: dict[ParsedSuggestion, None] = {}
    for text in texts:
        try:
            found[parse_suggestion(text, topic=topic)] = None
        except AnswerUnusable:
            continue
    return tuple(found)


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


def _read(path: Path, shape: TypeAdapter[Any]) -> Iterator[Any]:
    for raw in raw_records(path):
        try:
            yield shape.validate_python(raw.data)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise DataProblem(f"{where}: {first['msg']}.", path=path, row=raw.number) from error
