"""Drawing, choosing and grading a model's own drafts."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.training.conftest import quiet
from training.config import SourceConfig
from training.data.sources import read_source
from training.errors import DataProblem
from training.synthesis.rejection_sampling import choose_drafts, draw_drafts, grade_drafts

TOPICS: tuple[dict[str, str], ...] = (
    {"topic": "a quieter office", "method": "questions"},
    {"topic": "more people at the choir", "context": "We are twelve and sing on Mondays."},
)
DRAFT = {
    "id": "drafts-0001",
    "method": "free",
    "topic": "a quieter office",
    "context": "",
    "angle": "reminders",
    "hint": "The idea has to do with a reminder at the right moment.",
    "drafts": [
        {"title": "A Lamp", "text": "Whoever makes a call puts a small red lamp on the desk."},
        {"title": "A Bell", "text": "At two o'clock a bell asks everybody for an hour of silence."},
    ],
}


def write(path: Path, lines: Sequence[Any]) -> Path:
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    return path


def read(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def made(folder: Path, make: Callable[..., int], answers: Sequence[Any], source: str) -> Path:
    """The file made from the drafts and the reader's answers."""
    drafts = write(folder / "drafts.jsonl", [DRAFT])
    read_so = write(folder / "answers.jsonl", answers)
    # Records of a task lie in a file of its name.
    target = folder / "brainstorm.jsonl"
    make(drafts, read_so, target, source=source, licence="CC0-1.0")
    return target


def chosen(folder: Path, choices: Sequence[Any]) -> Path:
    return made(folder, choose_drafts, choices, "a model, chosen by hand")


def graded(folder: Path, grades: Sequence[Any]) -> Path:
    return made(folder, grade_drafts, grades, "a model, graded by hand")


@pytest.mark.slow
def test_every_topic_gets_drafts_from_the_served_model(small_gguf: Path, tmp_path: Path) -> None:
    target = tmp_path / "drafts.jsonl"

    count = draw_drafts(
        small_gguf, write(tmp_path / "topics.jsonl", TOPICS), target, 3, report=quiet
    )
    found = read(target)

    assert [one["topic"] for one in found] == [one["topic"] for one in TOPICS]
    assert all(one["hint"].startswith("The idea ") for one in found)
    assert sum(len(one["drafts"]) for one in found) == count > 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["drafts.jsonl", "topics.jsonl"]


def test_a_chosen_draft_is_learnt_like_any_record(tmp_path: Path) -> None:
    target = chosen(tmp_path, [{"id": "drafts-0001", "best": 2}])

    (rendered,) = read_source(SourceConfig(kind="ideation", path=target)).rows

    assert rendered.refusal is None
    assert rendered.row.answer == (
        "Title: A Bell\nIdea: At two o'clock a bell asks everybody for an hour of silence."
    )
    assert rendered.row.licence == "CC0-1.0"
    assert rendered.row.source.endswith("a model, chosen by hand")


def test_a_reader_may_correct_a_draft(tmp_path: Path) -> None:
    target = chosen(tmp_path, [{"id": "drafts-0001", "best": 1, "title": "A Red Lamp for Calls"}])

    (record,) = read(target)

    (idea,) = record["ideas"]
    assert idea["title"] == "A Red Lamp for Calls"
    assert idea["text"] == "Whoever makes a call puts a small red lamp on the desk."


@pytest.mark.parametrize("choices", [[], [{"id": "drafts-0001", "best": None}]])
def test_a_topic_without_a_good_draft_is_left_out(tmp_path: Path, choices: list[Any]) -> None:
    assert read(chosen(tmp_path, choices)) == []


@pytest.mark.parametrize(
    ("choice", "problem"),
    [
        ({"id": "drafts-0001", "best": 3}, "there is no draft 3"),
        ({"id": "drafts-0009", "best": 1}, "there are no drafts for it"),
        ({"id": "drafts-0001", "best": "the second"}, "best: "),
    ],
)
def test_a_choice_of_a_missing_draft_is_named(
    tmp_path: Path, choice: dict[str, Any], problem: str
) -> None:
    with pytest.raises(DataProblem, match=problem):
        chosen(tmp_path, [choice])


def test_graded_drafts_become_rows_with_one_prompt(tmp_path: Path) -> None:
    target = graded(tmp_path, [{"id": "drafts-0001", "grades": [0, 2]}])

    rows = read_source(SourceConfig(kind="graded", path=target)).rows
    first, second = (one.row for one in rows)

    assert (first.grade, second.grade) == (0, 2)
    assert first.prompt == second.prompt
    assert first.group == second.group
    assert second.source.endswith("a model, graded by hand")


@pytest.mark.parametrize(
    ("grades", "problem"),
    [
        ({"id": "drafts-0001", "grades": [1]}, "there are 1 grades for 2 drafts"),
        ({"id": "drafts-0009", "grades": [1, 2]}, "there are no drafts for it"),
        ({"id": "drafts-0001", "grades": ["good", 1]}, "grades.0: "),
    ],
)
def test_grades_without_matching_drafts_are_named(
    tmp_path: Path, grades: dict[str, Any], problem: str
) -> None:
    with pytest.raises(DataProblem, match=problem):
        graded(tmp_path, [grades])
