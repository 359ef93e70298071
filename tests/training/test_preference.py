"""A model learns to prefer the better ones of several drafts for a prompt."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.conftest import MakeConfig, quiet
from training.config import RunConfig
from training.data.graded import best_places
from training.errors import DataProblem
from training.learning.likelihood import answer_nll
from training.learning.metrics import read_metrics
from training.learning.preference import PreferenceObjective, pairs_of, preferred, prompts_of
from training.learning.train import load_inputs, open_base, train
from training.learning.trainer import Job
from training.runs.run_directory import RunDirectory

pytestmark = pytest.mark.slow


class Interrupted(BaseException):
    """Stops a run."""


TOPICS = (
    "a quieter office",
    "more people at the choir",
    "a street party",
    "less food waste",
    "lunches children eat",
    "a shared garden",
    "a note on the door",
    "learning to swim",
)
TEXTS = (
    ("A Lamp", "Whoever makes a call puts a small red lamp on the desk."),
    ("A Bell", "At two o'clock a bell asks everybody for an hour of silence."),
    ("A List", "Everybody writes on a list by the door what is left over."),
)


def drafts(topic: str, grades: tuple[float, ...] = (0, 2, 1)) -> dict[str, Any]:
    return {
        "id": topic,
        "topic": topic,
        "angle": "reminders",
        "hint": "The idea has to do with a reminder at the right moment.",
        "drafts": [
            {"title": title, "text": f"For {topic}: {text}", "grade": grade}
            for (title, text), grade in zip(TEXTS, grades, strict=True)
        ],
    }


@pytest.fixture
def config(tmp_path: Path, tiny_config: MakeConfig) -> RunConfig:
    return graded(tmp_path, tiny_config, [drafts(topic) for topic in TOPICS])


def graded(folder: Path, make: MakeConfig, lines: list[dict[str, Any]], **more: Any) -> RunConfig:
    path = folder / "graded.jsonl"
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    return make(
        data__sources=[{"kind": "graded", "path": str(path), "licence": "CC0-1.0"}],
        data__test_share=0.3,
        data__validation_share=0,
        training__objective="preferences",
        training__beta=0.5,
        training__batch_size=2,
        training__epochs=8,
        training__max_steps=8,
        **more,
    )


def opened(config: RunConfig) -> Job:
    rundir = RunDirectory(config.output / config.name)
    base = open_base(config, quiet)
    ready = load_inputs(config, rundir, base, report=quiet)
    return Job(config, base, ready.splits, rundir, quiet)


def test_two_drafts_of_a_prompt_with_different_grades_are_a_pair(
    tmp_path: Path, tiny_config: MakeConfig
) -> None:
    lines = [drafts(TOPICS[0], (1, 1, 2)), drafts(TOPICS[1], (0, 0, 0)), drafts(TOPICS[2])]
    config = graded(tmp_path, tiny_config, lines, data__split_seed=3)

    rows = opened(config.model_copy(update={"data": config.data.model_copy(
        update={"test_share": 0.0})})).splits.train  # fmt: skip
    pairs = [pairs_of(rows, prompt) for prompt in prompts_of(rows)]

    assert pairs == [[(2, 0), (2, 1)], [(7, 6), (7, 8), (8, 6)]]
    assert best_places([row.prompt for row in rows], [row.grade for row in rows]) == [2, 3, 7]


@pytest.mark.parametrize("width", [768, 240])
@pytest.mark.parametrize("weight", [0.0, 0.4])
def test_the_loss_matches_the_papers(
    tmp_path: Path, tiny_config: MakeConfig, weight: float, width: int
) -> None:
    """With all drafts in one bin, and in several bins."""
    lines = [drafts(topic) for topic in TOPICS]
    config = graded(
        tmp_path, tiny_config, lines, training__best_weight=weight, data__max_tokens=width
    )
    job = opened(config)
    rows = job.splits.train
    alone = [answer_nll(job.base.model, [row])[0].nll for row in rows]
    # The untuned model differs from this one by something else for each draft.
    reference = {place: nll + place % 4 for place, nll in enumerate(alone)}
    expected = []
    for prompt in prompts_of(rows):
        raised = {place: reference[place] - alone[place] for place in prompt}
        pairs = [
            math.log1p(math.exp(-0.5 * (raised[better] - raised[worse])))
            for better, worse in pairs_of(rows, prompt)
        ]
        best = next(place for place in prompt if rows[place].grade == 2)
        expected.append(sum(pairs) / len(pairs) + weight * alone[best] / rows[best].labels)
    step = PreferenceObjective(job, prompts_of(rows), reference)

    with torch.no_grad():
        loss = step.loss(job.base.model, step.lay_out(range(len(expected))), None)

    assert float(loss) == pytest.approx(sum(expected) / len(expected), abs=1e-4)


def test_a_run_makes_better_drafts_likelier_than_worse_ones(config: RunConfig) -> None:
    rundir = RunDirectory(config.output / config.name)

    result = train(config, rundir, report=quiet)

    first, *_, last = (one.loss for one in read_metrics(rundir) if one.loss is not None)
    assert first == pytest.approx(math.log(2), abs=0.05)
    assert last < first
    assert result.preferred is not None
    assert result.preferred.pairs == 3 * result.preferred.prompts > 0
    assert result.tasks["brainstorm"]["rows"] == result.preferred.prompts


def test_best_weight_keeps_the_best_draft_likely(tmp_path: Path, tiny_config: MakeConfig) -> None:
    lines = [drafts(topic) for topic in TOPICS]

    def best_nll(name: str, weight: float) -> float:
        config = graded(tmp_path, tiny_config, lines, name=name, training__best_weight=weight)
        return float(train(config, RunDirectory(config.output / name), report=quiet).test_nll or 0)

    assert best_nll("beside", 2.0) < best_nll("alone", 0.0)


def test_drafts_with_equal_grades_cannot_be_learnt_from(
    tmp_path: Path, tiny_config: MakeConfig
) -> None:
    config = graded(tmp_path, tiny_config, [drafts(topic, (1, 1, 1)) for topic in TOPICS])

    with pytest.raises(DataProblem, match="no prompt has drafts with different grades"):
        train(config, RunDirectory(config.output / config.name), report=quiet)


def test_rows_with_equal_or_no_grades_have_no_preferences(config: RunConfig) -> None:
    rows = opened(config).splits.train
    nlls = answer_nll(opened(config).base.model, rows)

    for grade in (1.0, None):
        alike = [replace(row, grade=grade) for row in rows]
        assert preferred(alike, nlls, nlls) is None


def test_a_resumed_run_ends_like_one_that_was_not_stopped(config: RunConfig) -> None:
    """The progress report stops the run, because there are no validations that could."""
    straight = train(config, RunDirectory(config.output / "straight"), report=quiet)
    killed = RunDirectory(config.output / "killed")

    def kill(line: str) -> None:
        if line.startswith("step 5/"):
            raise Interrupted

    with pytest.raises(Interrupted):
        train(config, killed, report=kill)
    result = train(config, killed, resume=True, report=quiet)

    assert result.preferred == straight.preferred
    assert result.test_nll == straight.test_nll
