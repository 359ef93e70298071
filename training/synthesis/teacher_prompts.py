"""Prompts for a teacher, and how its answers become records. Asks nobody and checks no quality."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.prompts.methods import METHODS, draw_angles
from service.prompts.tasks import DEFAULT_CRITERIA
from training.data.sources import typed_records
from training.errors import DataProblem

Task = Literal["brainstorm", "refine", "evaluate"]
FEWEST_IDEAS, MOST_IDEAS = 5, 9

STYLE = (
    "You write training data for a small model that helps people with ideas. You write plain, "
    "exact English: what is done, with which things, when and where. No praise, no filler, no "
    "invented facts, no two things that begin alike. No idea begins with 'This', 'Develop', "
    "'Encourage', 'Ensure', 'Establish', 'Implement', 'Organise' or 'Promote'; no title has two "
    "commas or a colon. You answer with one JSON object and nothing else."
)
_BRAINSTORM = (
    "Write {n} ideas for the topic '{topic}'{context}. Each follows its own line below, in this "
    'order:\n{angles}\n\nThe form: {{"ideas": [{{"title": "two to six words", "text": "one or two '
    'sentences of 14 to 40 words"}}, …]}}'
)
_REFINE = (
    "Rewrite this note, with this wish: {wish}\n\nTitle: {title}\n{body}\n\nKeep every name, "
    'number, place, time and price. The form: {{"refined_title": "two to seven words", '
    '"refined_body": "…", "changes": ["what was changed, in at most ten words, without a full '
    'stop", …]}} with one to four changes.'
)
_EVALUATE = (
    "Judge this idea.\n\nTitle: {title}\n{body}\n\nScores are whole numbers from 1 to 10 over the "
    "whole range; praise of itself counts for nothing: {criteria}. Points are whole sentences that "
    'name details of the note. The form: {{"scores": {{{names}}}, "strengths": ["…", "…"], '
    '"concerns": ["…", "…"], "next_step": "one small thing to try, a whole sentence"}}'
)
_ANSWER_FIELDS: Mapping[Task, tuple[str, ...]] = {
    "brainstorm": ("ideas",),
    "refine": ("refined_title", "refined_body", "changes"),
    "evaluate": ("scores", "strengths", "concerns", "next_step"),
}
_WISH = "the whole note in complete sentences, so that a stranger understands it"


@dataclass(frozen=True, slots=True)
class TeacherRequest:
    """A request to the teacher. `fields` are the record's fields that the teacher does not write."""

    id: str
    request: str
    fields: dict[str, Any]
    angles: tuple[tuple[str, str], ...] = ()


class _Input(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Topic(_Input):
    topic: Annotated[str, Field(min_length=1)]
    context: str = ""
    method: str = "free"


class _Note(_Input):
    title: str
    body: Annotated[str, Field(min_length=1)]
    instruction: str = ""


def read_inputs(task: Task, inputs: Path) -> tuple[TeacherRequest, ...]:
    """The requests for the lines of the file, without repetitions.

    Raises `DataProblem` for an invalid line.
    """
    notes = (note for _, note in typed_records(inputs, _Note))
    given = read_topics(inputs) if task == "brainstorm" else notes
    wanted = (_request_for(task, one) for one in given)
    return tuple({one.id: one for one in wanted}.values())


def read_topics(inputs: Path) -> list[Topic]:
    """Raises `DataProblem` for an invalid topic."""
    topics = []
    for raw, topic in typed_records(inputs, Topic):
        if topic.method not in METHODS:
            raise DataProblem(f"there is no method {topic.method!r}.", path=inputs, row=raw.number)
        topics.append(topic)
    return topics


def _request_for(task: Task, given: _Input) -> TeacherRequest:
    fields = given.model_dump()
    digest = hashlib.sha256(json.dumps([task, fields]).encode()).hexdigest()
    name, seed = f"{task}-{digest[:12]}", int(digest[:8], 16)
    if isinstance(given, Topic):
        count = FEWEST_IDEAS + seed % (MOST_IDEAS - FEWEST_IDEAS + 1)
        angles = tuple((one.name, one.hint) for one in draw_angles(given.method, count, seed))
        request = _BRAINSTORM.format(
            n=count,
            topic=given.topic,
            context=f", for which this is known: {given.context}" if given.context else "",
            angles="\n".join(f"{i}. {hint}" for i, (_, hint) in enumerate(angles, start=1)),
        )
        return TeacherRequest(name, request, fields, angles)
    if task == "refine":
        return TeacherRequest(
            name, _REFINE.format(wish=fields["instruction"] or _WISH, **_note(fields)), fields
        )
    criteria = "; ".join(f"{one.name} is {one.description}" for one in DEFAULT_CRITERIA)
    names = ", ".join(f'"{one.name}": 5' for one in DEFAULT_CRITERIA)
    request = _EVALUATE.format(criteria=criteria, names=names, **_note(fields))
    return TeacherRequest(name, request, _note(fields))


def read_answer(task: Task, wanted: TeacherRequest, answer: str) -> dict[str, Any]:
    """The record with the teacher's values, unchecked. Raises `DataProblem` if unreadable."""
    found = re.search(r"\{.*\}", answer, re.DOTALL)
    try:
        given = json.loads(found[0]) if found is not None else None
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise DataProblem("it is not a JSON object.")
    answered = {key: given[key] for key in _ANSWER_FIELDS[task] if key in given}
    record = {"id": wanted.id, "task": task} | wanted.fields | answered
    if wanted.angles:
        ideas = given.get("ideas")
        if not isinstance(ideas, list) or len(ideas) != len(wanted.angles):
            raise DataProblem(f"there have to be {len(wanted.angles)} ideas.")
        if not all(isinstance(idea, dict) for idea in ideas):
            raise DataProblem("each of the ideas has to be an object with `title` and `text`.")
        record["ideas"] = [
            {"angle": name, "hint": hint} | {key: idea.get(key) for key in ("title", "text")}
            for (name, hint), idea in zip(wanted.angles, ideas, strict=True)
        ]
    return record


def _note(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: fields[key] for key in ("title", "body")}
