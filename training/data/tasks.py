"""Turns records of the service's own tasks into rows with the service's prompts and answers.

A row has a reason for refusal if the service would change its answer or its grammar does not allow it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from service.engine.types import Message
from service.errors import AnswerUnusable
from service.prompts.answers import (
    brainstorm_answer,
    evaluate_answer,
    parse_assessment,
    parse_refinement,
    parse_suggestion,
    refine_answer,
)
from service.prompts.methods import METHODS, Angle
from service.prompts.tasks import Prompt, brainstorm_prompt, evaluate_prompt, refine_prompt
from training.data.acceptance import allows
from training.data.rows import Row
from training.errors import DataProblem

NOT_ALLOWED = "the grammar does not allow the answer"
CHANGED = "the service would change or refuse the answer"

NonEmptyText = Annotated[str, Field(min_length=1)]
NonEmptyTexts = Annotated[tuple[NonEmptyText, ...], Field(min_length=1)]
Score = Annotated[int, Field(ge=1, le=10)]


class _Record(BaseModel):
    """Other fields, such as who wrote a record, are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: NonEmptyText
    source: str | None = None
    licence: str | None = None


class Idea(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    angle: NonEmptyText
    title: NonEmptyText
    text: NonEmptyText
    hint: str = ""


class BrainstormRecord(_Record):
    task: Literal["brainstorm"]
    method: str = "free"
    topic: NonEmptyText
    context: str = ""
    ideas: Annotated[tuple[Idea, ...], Field(min_length=1)]


class RefineRecord(_Record):
    task: Literal["refine"]
    title: str
    body: str
    instruction: str = ""
    refined_title: NonEmptyText
    refined_body: NonEmptyText
    changes: NonEmptyTexts


class EvaluateRecord(_Record):
    task: Literal["evaluate"]
    title: str
    body: str
    scores: dict[str, Score]
    strengths: NonEmptyTexts
    concerns: NonEmptyTexts
    next_step: NonEmptyText


Record = BrainstormRecord | RefineRecord | EvaluateRecord
_RECORD: TypeAdapter[Record] = TypeAdapter(Annotated[Record, Field(discriminator="task")])


@dataclass(frozen=True, slots=True)
class Origin:
    source: str
    licence: str
    group: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """`refusal` is the reason why the row should not be learnt, or None."""

    row: Row
    refusal: str | None = None


def read_record(data: Mapping[str, Any]) -> Record:
    """Raises `DataProblem` without the place, which the caller adds."""
    try:
        return _RECORD.validate_python(data)
    except ValidationError as error:
        listing = "; ".join(
            f"{'.'.join(map(str, issue['loc'][1:])) or 'task'}: {issue['msg']}"
            for issue in error.errors()
        )
        raise DataProblem(f"{listing}.") from error


def angle_of(method: str, idea: Idea) -> Angle:
    """The angle that the service would use: that of the method if it has one of this name."""
    if idea.hint:
        return Angle(idea.angle, idea.hint)
    known = _angles(method).get(idea.angle)
    return known or Angle(idea.angle, f"The idea has to do with {idea.angle}.")


def render(record: Record, row_id: str, origin: Origin) -> Iterator[Rendered]:
    """Yields one row for each idea of a brainstorm, or one for a refinement or an evaluation."""
    match record:
        case BrainstormRecord():
            for number, idea in enumerate(record.ideas, start=1):
                yield _brainstorm(record, idea, f"{row_id}/{number}", origin)
        case RefineRecord():
            yield _refine(record, row_id, origin)
        case EvaluateRecord():
            yield _evaluate(record, row_id, origin)


def _brainstorm(record: BrainstormRecord, idea: Idea, row_id: str, origin: Origin) -> Rendered:
    angle = angle_of(record.method, idea)
    prompt = brainstorm_prompt(record.topic, angle, context=record.context)
    answer = brainstorm_answer(idea.title, idea.text)

    def reads_back() -> bool:
        read = parse_suggestion(answer, topic=record.topic)
        return (read.title, read.text) == (idea.title, idea.text)

    return _rendered(_row(row_id, record.task, prompt, answer, origin), prompt, reads_back)


def _refine(record: RefineRecord, row_id: str, origin: Origin) -> Rendered:
    prompt = refine_prompt(record.title, record.body, instruction=record.instruction)
    answer = refine_answer(record.refined_title, record.refined_body, record.changes)

    def reads_back() -> bool:
        read = parse_refinement(answer)
        changes = tuple(change.rstrip(".") for change in record.changes)
        written = (record.refined_title, record.refined_body, changes)
        return (read.title, read.body, read.changes) == written

    return _rendered(_row(row_id, record.task, prompt, answer, origin), prompt, reads_back)


def _evaluate(record: EvaluateRecord, row_id: str, origin: Origin) -> Rendered:
    prompt = evaluate_prompt(record.title, record.body)
    answer = evaluate_answer(record.strengths, record.concerns, record.next_step)

    def reads_back() -> bool:
        read = parse_assessment(answer)
        written = (record.strengths, record.concerns, record.next_step)
        return (read.strengths, read.concerns, read.next_step) == written

    return _rendered(_row(row_id, record.task, prompt, answer, origin), prompt, reads_back)


def _row(row_id: str, task: str, prompt: Prompt, answer: str, origin: Origin) -> Row:
    messages = (*prompt.messages, Message("assistant", answer))
    return Row(row_id, task, messages, origin.source, origin.licence, origin.group)


def _rendered(row: Row, prompt: Prompt, reads_back: Callable[[], bool]) -> Rendered:
    try:
        is_kept = reads_back()
    except AnswerUnusable:
        is_kept = False
    if not is_kept:
        return Rendered(row, CHANGED)
    return Rendered(row, None if allows(prompt.grammar, row.answer) else NOT_ALLOWED)


@lru_cache(maxsize=16)
def _angles(method: str) -> Mapping[str, Angle]:
    known = METHODS[method].angles if method in METHODS else ()
    # The first angle of a name wins: every draw uses it first.
    return {angle.name: angle for angle in reversed(known)}
