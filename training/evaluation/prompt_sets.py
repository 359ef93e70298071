"""The prompts that models are measured with: topics, and the held-out records of a run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from service.analysis.calibration.notes import LabelledNote
from service.prompts.tasks import DEFAULT_CRITERIA
from training.config import RunConfig
from training.data.decontamination import evaluation_files
from training.data.graded import best_places
from training.data.rows import OWN_TASKS, Row, read_rows
from training.data.sources import RawRecord, raw_records
from training.data.tasks import EvaluateRecord, Record, RefineRecord, read_record
from training.errors import DataProblem
from training.evaluation.constraints import CONSTRAINTS
from training.evaluation.ideas import Prompt
from training.evaluation.refinements import Note
from training.runs.run_directory import RunDirectory


@dataclass(frozen=True, slots=True)
class PromptSets:
    """`rows` has the test rows of the run, with only the best graded one of each prompt.

    `notes` and `labelled` are their records. `prompts` is empty if the run learnt only other tasks of
    the service than brainstorming.
    """

    prompts: tuple[Prompt, ...]
    rows: tuple[Row, ...]
    notes: tuple[Note, ...]
    labelled: tuple[LabelledNote, ...]


def read_sets(config: RunConfig, rundir: RunDirectory) -> PromptSets:
    """Raises `DataProblem` for a prompt or row that cannot be read."""
    rows = read_rows(rundir.rows("test"))
    best = best_places([row.prompt for row in rows], [row.grade for row in rows])
    records = list(_held_out(config, {row.id for row in rows}))
    return PromptSets(
        prompts=_prompts(config) if _has_ideas(rundir) else (),
        rows=tuple(rows[place] for place in best),
        notes=tuple(
            Note(one.id, one.title, one.body, one.instruction)
            for one in records
            if isinstance(one, RefineRecord)
        ),
        labelled=tuple(
            LabelledNote(id=one.id, title=one.title, body=one.body, scores=one.scores)
            for one in records
            if isinstance(one, EvaluateRecord)
            and all(criterion.name in one.scores for criterion in DEFAULT_CRITERIA)
        ),
    )


def read_prompts(path: Path) -> tuple[Prompt, ...]:
    """Reads a file in our own format or that of NoveltyBench."""
    return tuple(_prompt(path, raw) for raw in raw_records(path))


def _prompts(config: RunConfig) -> tuple[Prompt, ...]:
    count = config.evaluation.prompt_count
    files = evaluation_files(config.evaluation)
    return tuple(prompt for path in files for prompt in read_prompts(path)[:count])


def _has_ideas(rundir: RunDirectory) -> bool:
    """Whether to ask for ideas: the run learnt them, or it learnt none of the service's tasks."""
    learnt = {row.task for row in read_rows(rundir.rows("train"))}
    return "brainstorm" in learnt or learnt.isdisjoint(OWN_TASKS)


def _prompt(path: Path, raw: RawRecord) -> Prompt:
    topic = raw.data.get("topic") or raw.data.get("prompt")
    if not isinstance(topic, str) or not topic.strip():
        raise DataProblem(
            "the record has neither a `topic` nor a `prompt`.", path=path, row=raw.number
        )
    try:
        constraints = CONSTRAINTS.validate_python(raw.data.get("constraints") or {})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, ("constraints", *first["loc"])))
        raise DataProblem(f"{where}: {first['msg']}.", path=path, row=raw.number) from error
    return Prompt(
        id=str(raw.data.get("id", raw.number)),
        set=path.stem,
        topic=topic,
        context=str(raw.data.get("context") or ""),
        constraints=constraints,
    )


def _held_out(config: RunConfig, test_ids: set[str]) -> Iterator[Record]:
    for source in config.data.sources:
        if source.kind != "ideation" or source.path is None:
            continue
        folder = source.path if source.path.is_dir() else source.path.parent
        for raw in _records_of(source.path, source.tasks):
            record = read_record(raw.data)
            if f"{folder.name}/{record.id}" in test_ids:
                yield record


def _records_of(path: Path, tasks: Sequence[str]) -> Iterator[RawRecord]:
    """The records of the files of a source."""
    files = [path / f"{task}.jsonl" for task in tasks] if path.is_dir() else [path]
    for file in files:
        if file.exists():
            yield from raw_records(file)
