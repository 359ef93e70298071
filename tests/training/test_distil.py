import json
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from service.prompts.answers import brainstorm_answer
from service.prompts.grammars import suggestion_grammar
from service.settings import PROJECT_ROOT
from tests.training.chat_server import Answer, chatting
from training.config import SourceConfig
from training.data.acceptance import allows
from training.data.sources import read_source
from training.errors import DataProblem, JudgeFailed
from training.synthesis.distil import IDEA_WORDS, DistilJob, Distilled, distil
from training.synthesis.teacher_prompts import Task, TeacherRequest, read_inputs

PLAIN = PROJECT_ROOT / "training" / "datasets" / "plain"
IDEATION = PROJECT_ROOT / "training" / "datasets" / "ideation"
TOPICS = [{"topic": f"a better {thing} at school"} for thing in ("lunch", "library", "garden")]


def written(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def ideas(count: int) -> str:
    """Good ideas on different subjects, so that no two are similar."""
    pool = (
        {"title": idea["title"], "text": idea["text"]}
        for record in written(PLAIN / "brainstorm.jsonl")[:40]
        for idea in record["ideas"][:1]
        if len(idea["text"].split()) > IDEA_WORDS.start
        and allows(suggestion_grammar(""), brainstorm_answer(idea["title"], idea["text"]))
    )
    return json.dumps({"ideas": list(islice(pool, count))})


class Case:
    """A distillation with its inputs and target in a temporary folder."""

    def __init__(self, folder: Path, task: Task, inputs: list[dict[str, Any]]) -> None:
        self.inputs, self.target = folder / "inputs.jsonl", folder / "out" / f"{task}.jsonl"
        self.rejects = folder / "out" / f"{task}.rejected.jsonl"
        self.inputs.write_text("".join(json.dumps(one) + "\n" for one in inputs))
        self.task = task
        self.asked = 0

    def run(self, answer: Answer, count: int) -> Distilled:
        with chatting(answer) as server:
            order = DistilJob(server.url, "big", self.task, self.inputs, count, "CC0-1.0")
            try:
                return distil(order, self.target, report=lambda _: None)
            finally:
                self.asked = len(server.bodies)

    def wanted(self, body: dict[str, Any]) -> TeacherRequest:
        request = body["messages"][1]["content"]
        return next(one for one in read_inputs(self.task, self.inputs) if one.request == request)


@pytest.fixture
def brainstorms(tmp_path: Path) -> Case:
    return Case(tmp_path, "brainstorm", TOPICS)


def as_asked(case: Case) -> Answer:
    return lambda body: f"Here it is:\n```json\n{ideas(len(case.wanted(body).angles))}\n```"


def test_distilled_records_can_be_trained_on_and_name_the_teacher(brainstorms: Case) -> None:
    found = brainstorms.run(as_asked(brainstorms), 3)

    assert found == Distilled(written=3, rejected=0, records=3)
    source = SourceConfig(kind="ideation", path=brainstorms.target, tasks=("brainstorm",))
    rows = [one.row for one in read_source(source).rows]
    assert len(rows) == sum(len(record["ideas"]) for record in written(brainstorms.target))
    assert {row.licence for row in rows} == {"CC0-1.0"}
    assert all("distilled from big" in row.source for row in rows)


def test_distilled_ideas_have_the_angles_of_the_service(brainstorms: Case) -> None:
    brainstorms.run(as_asked(brainstorms), 1)

    (record,) = written(brainstorms.target)
    assert all(idea["hint"].startswith("The idea ") for idea in record["ideas"])
    assert len({idea["hint"] for idea in record["ideas"]}) == len(record["ideas"])


def test_a_second_run_asks_only_for_missing_records(brainstorms: Case) -> None:
    brainstorms.run(as_asked(brainstorms), 1)
    first = brainstorms.target.read_text()

    found = brainstorms.run(as_asked(brainstorms), 3)

    assert (found, brainstorms.asked) == (Distilled(2, 0, 3), 2)
    assert brainstorms.target.read_text().startswith(first)


def test_a_repeated_input_is_asked_once(tmp_path: Path) -> None:
    case = Case(tmp_path, "brainstorm", [TOPICS[0], TOPICS[0], TOPICS[1]])

    with pytest.raises(DataProblem, match="no input is left"):
        case.run(as_asked(case), 3)

    assert case.asked == 2
    assert [one["topic"] for one in written(case.target)] == [one["topic"] for one in TOPICS[:2]]


def test_a_record_that_was_cut_off_is_written_again(brainstorms: Case) -> None:
    brainstorms.run(as_asked(brainstorms), 3)
    whole = brainstorms.target.read_bytes()
    brainstorms.target.write_bytes(whole[:-20])

    brainstorms.run(as_asked(brainstorms), 3)

    assert len({one["id"] for one in written(brainstorms.target)}) == 3


def test_a_teacher_is_told_the_problem_and_may_try_again(brainstorms: Case) -> None:
    def answer(body: dict[str, Any]) -> str:
        if len(body["messages"]) == 2:
            return "I have no ideas."
        assert "not a JSON object" in body["messages"][-1]["content"]
        return ideas(len(brainstorms.wanted(body).angles))

    assert brainstorms.run(answer, 1) == Distilled(1, 0, 1)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda made: made["ideas"].pop(), "ideas"),
        (lambda made: made["ideas"].append(made["ideas"].pop()["text"]), "has to be an object"),
        (lambda made: made["ideas"].__setitem__(0, made["ideas"][1]), "two ideas are too similar"),
        (
            lambda made: made["ideas"][0].update(
                text="Put a bowl of apples on the table every single day."
            ),
            "words",
        ),
        (lambda made: made["ideas"][0].update(text=""), "text"),
        (lambda made: made["ideas"][0].update(title="Your title"), "would change or refuse"),
    ],
)
def test_rejected_records_are_kept_in_another_file_with_the_reason(
    brainstorms: Case, spoil: Any, reason: str
) -> None:
    def answer(body: dict[str, Any]) -> str:
        made = json.loads(ideas(len(brainstorms.wanted(body).angles)))
        spoil(made)
        return json.dumps(made)

    with pytest.raises(DataProblem, match="no input is left"):
        brainstorms.run(answer, 1)

    assert not brainstorms.target.exists()
    assert all(reason in one["reason"] for one in written(brainstorms.rejects))


def test_a_refinement_that_loses_a_fact_is_rejected(tmp_path: Path) -> None:
    note = {"title": "pump", "body": "Lena buys a pump for 25 euros", "instruction": ""}
    case = Case(tmp_path, "refine", [note])

    def answer(body: dict[str, Any]) -> str:
        price = "25" if len(body["messages"]) > 4 else "35"
        return json.dumps(
            {
                "refined_title": "A Shared Pump",
                "refined_body": f"We ask Lena to buy a pump for {price} euros for all of us.",
                "changes": ["Wrote a whole sentence of the note"],
            }
        )

    with pytest.raises(DataProblem, match="no input is left"):
        case.run(answer, 1)

    assert written(case.rejects)[0]["reason"] == "a name or a number of the note is lost."


@pytest.mark.parametrize(("task", "folder"), [("refine", PLAIN), ("evaluate", IDEATION)])
def test_distilled_refinements_and_evaluations_have_the_form_of_our_records(
    tmp_path: Path, task: Task, folder: Path
) -> None:
    given = written(folder / f"{task}.jsonl")[:8]
    case = Case(tmp_path, task, given)
    by_body = {one["body"]: one for one in given}

    def answer(body: dict[str, Any]) -> str:
        return json.dumps(by_body[case.wanted(body).fields["body"]] | {"id": "x", "extra": 1})

    assert case.run(answer, 2).records == 2

    record = written(case.target)[0]
    assert record["teacher"] == "big"
    assert record["id"].startswith(f"{task}-")
    assert "extra" not in record


def test_records_written_before_the_teacher_failed_are_kept(brainstorms: Case) -> None:
    good = as_asked(brainstorms)

    def answer(body: dict[str, Any]) -> str | tuple[int, str]:
        return good(body) if "lunch" in body["messages"][1]["content"] else (403, "no more")

    with pytest.raises(JudgeFailed, match="no more"):
        brainstorms.run(answer, 3)

    assert [one["topic"] for one in written(brainstorms.target)] == [TOPICS[0]["topic"]]


@pytest.mark.parametrize(
    ("line", "message"),
    [('{"context": "x"}', "topic: Field required"), ('{"topic": "x", "method": "y"}', "no method")],
)
def test_an_unusable_input_is_named(brainstorms: Case, line: str, message: str) -> None:
    brainstorms.inputs.write_text(line + "\n")

    with pytest.raises(DataProblem, match=message):
        brainstorms.run(as_asked(brainstorms), 1)
