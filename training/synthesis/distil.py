"""Makes new records with a teacher: a larger model behind any OpenAI-compatible URL.

A record has the fields of the ideation set and passes the checks of training rows. Rejected answers
are written to another file with the reason. An existing file is continued.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from service.analysis.word_overlap import SAME_IDEA, resemblance
from service.engine.types import Message
from service.prompts.tasks import DEFAULT_CRITERIA
from service.text.cleaning import count_words
from training.config import FilterConfig
from training.data.filters import keep_good
from training.data.rows import Row
from training.data.sources import raw_records
from training.data.tasks import (
    BrainstormRecord,
    EvaluateRecord,
    Origin,
    Record,
    RefineRecord,
    read_record,
    render,
)
from training.errors import DataProblem, Report
from training.evaluation.refinements import Note, measure
from training.inference.endpoint import Endpoint, open_endpoint
from training.runs.run_directory import now
from training.synthesis.teacher_prompts import STYLE, Task, TeacherRequest, read_answer, read_inputs

ATTEMPTS = 3
IDEA_WORDS = range(12, 49)
TEMPERATURE = 0.8
MAX_TOKENS = 1500


@dataclass(frozen=True, slots=True)
class DistilJob:
    """The settings of a distillation.

    `inputs` is a JSONL file of topics (`topic`, `context`, `method`) or notes (`title`, `body`,
    `instruction`). `count` is the number of records that the file should have. `licence` is that of
    the teacher's output.
    """

    url: str
    model: str
    task: Task
    inputs: Path
    count: int
    licence: str


@dataclass(frozen=True, slots=True)
class Distilled:
    written: int
    rejected: int
    records: int


def distil(order: DistilJob, target: Path, *, report: Report) -> Distilled:
    """Adds records to `target`, and rejected answers to `*.rejected.jsonl` beside it.

    Raises:
        DataProblem: an input is invalid, or there are too few inputs for the records.
        JudgeFailed: the teacher cannot be reached; the records written so far are kept.
    """
    known = _known_ids(target)
    pending = [one for one in read_inputs(order.task, order.inputs) if one.id not in known]
    written = rejected = 0
    with open_endpoint(order.url, order.model) as teacher:
        while pending and len(known) + written < order.count:
            missing = order.count - len(known) - written
            batch, pending = pending[:missing], pending[missing:]
            for record, reason in teacher.map(lambda one: _ask_teacher(teacher, order, one), batch):
                _append(target if reason is None else _rejects(target), record)
                written, rejected = written + (reason is None), rejected + (reason is not None)
                report(f"{len(known) + written} of {order.count} records, {rejected} rejected")
    records = len(known) + written
    if records < order.count:
        raise DataProblem(
            f"{records} of {order.count} records are written and no input is left. Add inputs; "
            f"{_rejects(target)} has the rejected answers.",
            path=order.inputs,
        )
    return Distilled(written, rejected, records)


def _ask_teacher(
    teacher: Endpoint, order: DistilJob, wanted: TeacherRequest
) -> tuple[dict[str, Any], str | None]:
    """The record; or a rejected answer and the reason."""
    messages = [Message("system", STYLE), Message("user", wanted.request)]
    provenance = {
        "licence": order.licence,
        "source": f"distilled from {teacher.model}",
        "teacher": teacher.model,
        "written_at": now(),
    }
    answer, reason = "", ""
    for _ in range(ATTEMPTS):
        answer = teacher.ask(messages, max_tokens=MAX_TOKENS, temperature=TEMPERATURE)
        try:
            record = read_answer(order.task, wanted, answer)
            _check(read_record(record | provenance))
        except DataProblem as error:
            reason = error.detail
            messages = [
                *messages[:2],
                Message("assistant", answer),
                Message("user", f"That cannot be used: {reason} Write the whole object again."),
            ]
            continue
        return record | provenance, None
    return {"id": wanted.id, "reason": reason, "answer": answer} | provenance, reason


def _check(record: Record) -> None:
    """Raises `DataProblem` if a training row of the record would be dropped, or a rule is broken."""
    rendered = list(render(record, record.id, Origin("", "", record.id)))
    _, dropped = keep_good(rendered, FilterConfig())
    if dropped:
        raise DataProblem(f"{dropped[0].reason}: {dropped[0].row.answer!r}.")
    match record:
        case BrainstormRecord():
            _check_ideas(record, [one.row for one in rendered])
        case RefineRecord():
            _check_refinement(record, rendered[0].row)
        case EvaluateRecord():
            if set(record.scores) != {criterion.name for criterion in DEFAULT_CRITERIA}:
                raise DataProblem("the scores have other criteria than were asked for.")


def _check_ideas(record: BrainstormRecord, rows: list[Row]) -> None:
    for idea in record.ideas:
        if count_words(idea.text) not in IDEA_WORDS:
            raise DataProblem(f"the text of '{idea.title}' has {count_words(idea.text)} words.")
    for one, other in combinations(rows, 2):
        if resemblance(one.answer, other.answer, ignore=record.topic) >= SAME_IDEA:
            raise DataProblem(f"two ideas are too similar: {one.answer!r} and {other.answer!r}.")


def _check_refinement(record: RefineRecord, row: Row) -> None:
    note = Note(record.id, record.title, record.body, record.instruction)
    found = measure(note, row.answer)
    if found.facts_kept < 1:
        raise DataProblem("a name or a number of the note is lost.")
    if found.obeyed == 0:
        raise DataProblem("it does not follow the wish, or is too long.")


def _known_ids(target: Path) -> set[str]:
    """The ids of the records in the file. Removes a last line that was only partly written."""
    if not target.exists():
        return set()
    content = target.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        target.write_bytes(whole)
    return {str(raw.data.get("id")) for raw in raw_records(target)}


def _rejects(target: Path) -> Path:
    return target.with_suffix(".rejected.jsonl")


def _append(path: Path, record: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")
