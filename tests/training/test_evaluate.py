"""A whole evaluation of the real small model, and its parts without a model."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from service.analysis.calibration.notes import LabelledNote
from service.engine.types import Message
from service.settings import PROJECT_ROOT
from tests.training.chat_server import chatting
from tests.training.measured import GOOD, any_vectors, evaluation, system
from training.config import (
    BaseConfig,
    DataConfig,
    EvaluationConfig,
    RunConfig,
    SourceConfig,
    read_config,
)
from training.data.prepare import prepare
from training.data.rows import Row, write_rows
from training.errors import DataProblem, TrainingError
from training.evaluation.comparison import compare, idea_pairs
from training.evaluation.evaluate import Evaluation, evaluate, plain
from training.evaluation.evaluation_text import as_markdown, differences, p_value
from training.evaluation.likelihoods import RowLikelihood, total
from training.evaluation.prompt_sets import read_prompts, read_sets
from training.evaluation.scores import CRITERIA, agreement
from training.runs.run_directory import RunDirectory

DATA = PROJECT_ROOT / "training" / "datasets"


def config_of(folder: Path, **evaluation: object) -> RunConfig:
    """A few records of each task, and prompts in another project's format."""
    records = folder / "records"
    records.mkdir(parents=True)
    for task, source, count in (
        ("brainstorm", "plain", 3),
        ("refine", "plain", 4),
        ("evaluate", "ideation", 3),
    ):
        lines = (DATA / source / f"{task}.jsonl").read_text(encoding="utf-8").splitlines()
        (records / f"{task}.jsonl").write_text("\n".join(lines[:count]) + "\n", encoding="utf-8")
    prompts = folder / "novelty.jsonl"
    prompts.write_text('{"id": "n-0", "prompt": "Name a rule for a card game."}\n')
    return RunConfig(
        name="measured",
        output=folder,
        base=BaseConfig(gguf=folder),
        data=DataConfig(
            sources=(SourceConfig(kind="ideation", path=records, licence="CC0-1.0"),),
            test_share=0.35,
            validation_share=0,
        ),
        evaluation=EvaluationConfig.model_validate(
            {
                "prompts": prompts,
                "prompt_count": 1,
                "ideas_per_prompt": 2,
                "max_tokens_per_idea": 40,
                **evaluation,
            }
        ),
    )


@pytest.fixture(scope="module")
def run(
    tmp_path_factory: pytest.TempPathFactory, small_gguf: Path
) -> tuple[RunDirectory, Evaluation]:
    folder = tmp_path_factory.mktemp("evaluate")
    with chatting(lambda _: "Verdict: A") as judge:
        config = config_of(folder, judge_url=judge.url, judge_model="first")
        rundir = RunDirectory(folder / "run")
        prepare(config, rundir, report=lambda _: None)
        lines: list[str] = []
        evaluation = evaluate(
            config,
            rundir,
            base=small_gguf,
            tuned=small_gguf,
            report=lines.append,
            embed=any_vectors,
        )
    assert any(line.startswith("tuned: ideas: round 2 of 2") for line in lines)
    return rundir, evaluation


@pytest.mark.slow
def test_a_model_does_not_differ_from_itself(run: tuple[RunDirectory, Evaluation]) -> None:
    comparison = run[1].comparison

    assert list(comparison.ideas) == ["topics", "novelty"]
    assert comparison.ideas["topics"]["udi"].n == 1
    assert comparison.ideas["novelty"]["valid"].n == 1
    assert not comparison.ideas["topics"]["valid"].difference.excludes_zero
    assert set(comparison.likelihoods) == {"brainstorm", "refine", "evaluate"}
    for change in comparison.likelihoods.values():
        assert change.change.value == pytest.approx(0, abs=0.01)
        assert 2 < change.base.nll_per_token < 8
    assert run[1].base == run[1].tuned


@pytest.mark.slow
def test_every_answer_is_measured(run: tuple[RunDirectory, Evaluation]) -> None:
    comparison, judgements = run[1].comparison, run[1].judgements

    assert run[1].not_measured == ()
    assert comparison.refinements["valid"].n > 0
    assert comparison.assessments.n > 0
    assert comparison.agreement["base"] is not None
    assert list(judgements) == ["ideas", "refinements", "assessments"]
    for one in judgements.values():
        assert one.pairs == one.ties > 0
        assert one.is_led_by_order
    assert judgements["ideas"].pairs == 4


@pytest.mark.slow
def test_every_kind_of_answer_has_samples(run: tuple[RunDirectory, Evaluation]) -> None:
    requests = [one.request for one in run[1].samples]

    wishes = [one for one in requests if "(wish: " in one]
    assert len(wishes) == run[1].judgements["refinements"].pairs
    assert len(requests) - len(wishes) == 4 + run[1].judgements["assessments"].pairs


@pytest.mark.slow
def test_the_run_directory_holds_the_figures_the_answers_and_the_blind_pages(
    run: tuple[RunDirectory, Evaluation],
) -> None:
    rundir = run[0]

    assert read_config(rundir.evaluated_with).evaluation.judge_model == "first"
    saved = json.loads(rundir.evaluation_json.read_text())
    assert saved["comparison"]["ideas"]["topics"]["udi"]["n"] == 1
    text = rundir.evaluation_md.read_text()
    assert all(
        heading in text
        for heading in (
            "## Ideas: novelty",
            "## Refinements",
            "## Held-out",
            "## Ideas judged by first",
        )
    )
    answers = json.loads((rundir.path / "evaluation" / "answers-tuned.json").read_text())
    assert all(len(one["drafts"]) == 2 for one in answers["ideas"])
    for kind in ("ideas", "refinements", "assessments"):
        key = json.loads((rundir.path / "evaluation" / f"blind-{kind}-key.json").read_text())
        assert key["page"] in (rundir.path / "evaluation" / f"blind-{kind}.html").read_text()


@pytest.mark.parametrize(
    ("p", "text"), [(None, "–"), (0.0004, "< 0.001"), (0.001, "0.001"), (0.25, "0.250")]
)
def test_a_p_value_is_never_shown_as_zero(p: float | None, text: str) -> None:
    assert p_value(p) == text


def test_a_model_that_was_not_exported_is_named(tmp_path: Path) -> None:
    config = config_of(tmp_path)

    with pytest.raises(TrainingError, match="Export the run first"):
        evaluate(
            config,
            RunDirectory(tmp_path / "run"),
            base=tmp_path / "no.gguf",
            tuned=tmp_path / "no.gguf",
            report=lambda _: None,
        )


def test_only_held_out_records_are_refined_and_scored(tmp_path: Path) -> None:
    config, rundir = config_of(tmp_path), RunDirectory(tmp_path / "run")
    prepare(config, rundir, report=lambda _: None)

    sets = read_sets(config, rundir)

    test_ids = {row.id for row in sets.rows}
    ids = [note.id for note in sets.notes] + [note.id for note in sets.labelled]
    assert sets.notes
    assert sets.labelled
    assert all(f"records/{one}" in test_ids for one in ids)
    assert len([row for row in sets.rows if row.task == "refine"]) == len(sets.notes)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"id": "1"}', "row 1: the record has neither"),
        ('{"topic": "x", "constraints": {"max_cost": 3}}', "constraints.max_cost"),
    ],
)
def test_an_unusable_prompt_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_text(line + "\n")

    with pytest.raises(DataProblem, match=message):
        read_prompts(path)


def test_a_run_that_learnt_only_other_own_tasks_is_not_asked_for_ideas(tmp_path: Path) -> None:
    config, rundir = config_of(tmp_path), RunDirectory(tmp_path / "run")
    source = config.data.sources[0].model_copy(update={"tasks": ("refine", "evaluate")})
    data = config.data.model_copy(update={"sources": (source,)})
    config = config.model_copy(update={"data": data})
    prepare(config, rundir, report=lambda _: None)

    sets = read_sets(config, rundir)

    assert sets.prompts == ()
    assert sets.notes


def test_a_run_that_learnt_only_foreign_chats_is_asked_for_ideas(tmp_path: Path) -> None:
    config, rundir = config_of(tmp_path), RunDirectory(tmp_path / "run")
    chat = Message("user", "Hello?"), Message("assistant", "Hello.")
    row = Row("1", "general", chat, "others", "CC0-1.0", "1")
    for split in ("train", "test"):
        rundir.rows(split).parent.mkdir(parents=True, exist_ok=True)
        write_rows(rundir.rows(split), [row])

    assert len(read_sets(config, rundir).prompts) == 2


def test_tasks_that_were_not_asked_for_have_no_table() -> None:
    bodies = ["Forty bikes and no pump."]

    text = as_markdown(plain(evaluation(system(refined=bodies), system(refined=bodies))))

    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert headings == ["## Refinements", "## Samples, drawn at random"]
    assert "first drafts" not in text


def test_scores_read_from_digits_are_labelled_as_such() -> None:
    digits = agreement(notes(1, 9), given(2, 8), [given(2, 8)])
    found = evaluation(replace(system(GOOD), agreement=digits), system(GOOD))

    text = as_markdown(plain(found))

    assert "## Scores read from digits" in text
    assert "without a score head" in text


def test_better_answers_are_a_difference_above_zero() -> None:
    found = compare(system("", "", GOOD, "", "", "", GOOD, ""), system(*[GOOD] * 8))

    valid = found.ideas["own"]["valid"]
    assert (valid.base, valid.tuned, valid.n) == (0.25, 1, 8)
    assert valid.difference.low > 0
    assert found.form.difference.value == 0.75


def test_likelier_answers_are_a_change_below_zero() -> None:
    ideas = [GOOD] * 6
    found = compare(system(*ideas), system(*ideas, nll=20.0)).likelihoods["refine"]

    assert found.change.value == pytest.approx(135 / 195 - 1)
    assert found.change.high < 0
    assert found.base.bits_per_byte == pytest.approx(195 / math.log(2) / 240)


def test_holm_leaves_out_metrics_without_values() -> None:
    found = compare(system(GOOD, GOOD), system(GOOD, GOOD))

    assert "kept" not in found.ideas["own"]
    assert found.refinements == {}


def test_differences_of_too_few_prompts_have_no_interval_and_no_p() -> None:
    found = plain(compare(system("", GOOD), system(GOOD, GOOD)).ideas["own"])
    claimed = {**found["udi"], "difference": {"value": 0.5, "low": 0.5, "high": 0.5}, "p": 0.0009}

    rows = list(differences({"valid": found["valid"], "udi": claimed}))

    assert "| valid answers, share | 0.500 | 1.000 | 0.500 [–, –] | – | 2 |" in rows
    assert "| useful distinct ideas (UDI) | 0.500 | 1.000 | 0.500 [–, –] | – | 2 |" in rows


def test_pairs_show_parsed_ideas_and_unusable_answers_unchanged() -> None:
    base = system(GOOD, "")

    pairs = idea_pairs(base, replace(base, ideas=base.ideas))

    assert pairs[0].base == f"A title\n{GOOD}"
    assert pairs[1].base == "Title: A title\nIdea: "


def test_the_three_pairs_of_a_prompt_are_from_different_places() -> None:
    (result,) = system(GOOD).ideas
    long = replace(system(GOOD), ideas=(replace(result, drafts=result.drafts * 10),))

    pairs = idea_pairs(long, long)

    assert [pair.id for pair in pairs] == ["0-0-1", "0-0-5", "0-0-9"]


def test_nan_and_infinity_are_null_in_json() -> None:
    assert plain({"a": (math.nan, 1.5), 2: math.inf}) == {"a": [None, 1.5], "2": None}


def test_the_likelihood_of_a_set_weighs_answers_by_length() -> None:
    found = total([RowLikelihood("a", "x", 10, 10, 40), RowLikelihood("b", "x", 90, 30, 100)])

    assert (found.rows, found.nll_per_token) == (2, 2.5)


def notes(*labels: float) -> list[LabelledNote]:
    return [
        LabelledNote(id=str(n), title="", body="x", scores=dict.fromkeys(CRITERIA, label))
        for n, label in enumerate(labels)
    ]


def given(*values: float) -> list[dict[str, float]]:
    return [dict.fromkeys(CRITERIA, value) for value in values]


def test_scores_in_the_order_of_the_labels_have_full_agreement() -> None:
    plain_scores = given(2, 4, 6, 8)

    found = agreement(notes(1, 3, 7, 9), plain_scores, [plain_scores])

    assert found.spearman["impact"] == pytest.approx(1)
    assert found.error["impact"] == pytest.approx(1)
    assert found.stability["impact"] == 1


def test_scores_raised_by_praise_are_not_stable() -> None:
    praised = given(9, 9)

    found = agreement(notes(2, 8), given(3, 7), [given(3, 7), praised])

    assert found.stability["novelty"] == 0.5


def test_notes_with_similar_labels_do_not_count_for_stability() -> None:
    found = agreement(notes(5, 6), given(3, 7), [given(9, 9)])

    assert math.isnan(found.stability["novelty"])
