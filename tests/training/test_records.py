import json
from pathlib import Path
from typing import Any

import pytest

from service.analysis.calibration.notes import subjects
from service.engine.types import Message
from service.prompts.answers import parse_assessment, parse_refinement, parse_suggestion
from service.prompts.grammars import (
    assessment_grammar,
    list_grammar,
    refinement_grammar,
    suggestion_grammar,
    widened,
)
from service.prompts.methods import METHODS
from service.prompts.tasks import brainstorm_prompt, evaluate_prompt, refine_prompt
from service.text.preserved_facts import left_out
from training.data.acceptance import allows
from training.data.forms import FORMS
from training.data.rows import Row, read_rows, write_rows
from training.data.tasks import (
    CHANGED,
    NOT_ALLOWED,
    BrainstormRecord,
    Idea,
    Origin,
    RefineRecord,
    angle_of,
    read_record,
    render,
)
from training.errors import DataProblem

DATA = Path(__file__).parents[2] / "training" / "datasets"
ORIGIN = Origin("test", "CC0-1.0", "group")
# What is there, but not as a program can see it; by the number of the record.
IN_OTHER_WORDS = {
    ("0024", "Rd"): "on Hill Road",
    ("0030", "2"): "half a tin twice a day",
    ("0050", "1,2,9,3"): "1, 2, 9, 3",
    ("0107", "2"): "twice a week",
    # The note itself takes the 60 back.
    ("0118", "60"): "our 10 or so old duvets",
    ("0122", "2"): "both floors",
    ("0141", "Split-Vis"): "from Split to Vis",
    ("0144", "A-D"): "from A to D",
    ("0173", "2"): "on one channel, Pim oldies on the other",
    ("0201", "0"): "no working computer",
    ("0218", "3"): "Nell, Dot and Mr. Phan cook",
    ("0263", "A-F"): "doors A to F",
}
BRAINSTORM = {
    "id": "b1",
    "task": "brainstorm",
    "method": "free",
    "topic": "keys get lost",
    "context": "A family of five.",
    "ideas": [
        {
            "angle": "a sign",
            "hint": "The idea uses a sign.",
            "title": "A Hook by the Door",
            "text": "Screw a hook beside the door and hang the keys there every evening at six.",
        }
    ],
}
REFINE = {
    "id": "r1",
    "task": "refine",
    "title": "pump",
    "body": "no pump at work. buy one, 25 euros",
    "instruction": "shorter",
    "refined_title": "A Pump at Work",
    "refined_body": "There is no pump at work. We buy one for 25 euros.",
    "changes": ["Wrote full sentences"],
}
EVALUATE = {
    "id": "e1",
    "task": "evaluate",
    "title": "pump",
    "body": "no pump at work. buy one, 25 euros",
    "scores": {"novelty": 2, "feasibility": 9, "impact": 4, "clarity": 7},
    "strengths": ["It costs only 25 euros.", "Many would use it."],
    "concerns": ["It does not say who buys it.", "It may be stolen."],
    "next_step": "Ask the office who would buy it.",
}


def rows_of(record: dict[str, Any]) -> list[Row]:
    return [one.row for one in render(read_record(record), record["id"], ORIGIN)]


def refusals_of(record: dict[str, Any]) -> list[str | None]:
    return [one.refusal for one in render(read_record(record), record["id"], ORIGIN)]


def with_idea(**changes: str) -> dict[str, Any]:
    return {**BRAINSTORM, "ideas": [{**BRAINSTORM["ideas"][0], **changes}]}  # type: ignore[dict-item]


class TestRows:
    def test_rows_can_be_read_back(self, tmp_path: Path) -> None:
        rows = [*rows_of(BRAINSTORM), *rows_of(EVALUATE)]

        first = write_rows(tmp_path / "a" / "rows.jsonl", rows)
        again = write_rows(tmp_path / "b" / "rows.jsonl", rows)

        assert read_rows(tmp_path / "a" / "rows.jsonl") == tuple(rows)
        assert first == again
        assert [path.name for path in (tmp_path / "a").iterdir()] == ["rows.jsonl"]

    def test_an_invalid_line_is_named(self, tmp_path: Path) -> None:
        path = tmp_path / "rows.jsonl"
        write_rows(path, rows_of(EVALUATE))
        path.write_text(path.read_text() + '{"id": "x"}\n')

        with pytest.raises(DataProblem, match=r"rows\.jsonl row 2: task: "):
            read_rows(path)

    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(DataProblem, match="gone"):
            read_rows(tmp_path / "gone.jsonl")


class TestAsServed:
    """The prompts of rows are those that the service sends, byte for byte."""

    def test_brainstorm_rows_ask_for_one_idea_with_the_hint_of_its_angle(self) -> None:
        (row,) = rows_of(BRAINSTORM)
        idea = Idea.model_validate(BRAINSTORM["ideas"][0])
        prompt = brainstorm_prompt(
            "keys get lost", angle_of("free", idea), context="A family of five."
        )

        assert row.prompt == prompt.messages
        assert row.prompt[-1].content.endswith("The idea uses a sign.")
        assert parse_suggestion(row.answer, topic="keys get lost").title == "A Hook by the Door"
        assert row.answers == "last"

    def test_refine_rows_have_the_prompt_and_answer_of_the_service(self) -> None:
        (row,) = rows_of(REFINE)

        assert (
            row.prompt
            == refine_prompt(
                "pump", "no pump at work. buy one, 25 euros", instruction="shorter"
            ).messages
        )
        assert parse_refinement(row.answer).changes == ("Wrote full sentences",)

    def test_evaluate_rows_have_the_prompt_and_answer_of_the_service(self) -> None:
        (row,) = rows_of(EVALUATE)

        assert row.prompt == evaluate_prompt("pump", "no pump at work. buy one, 25 euros").messages
        assert parse_assessment(row.answer).next_step == "Ask the office who would buy it."

    def test_an_angle_without_a_hint_takes_that_of_its_method_or_a_general_one(self) -> None:
        known = Idea(angle="newcomers", title="T", text="x")
        unknown = Idea(angle="cockpit routine", title="T", text="x")

        assert angle_of("free", known) == next(
            angle for angle in METHODS["free"].angles if angle.name == "newcomers"
        )
        assert angle_of("free", unknown).hint == "The idea has to do with cockpit routine."
        assert angle_of("no method", known).hint == "The idea has to do with newcomers."

    def test_the_first_angle_of_a_name_wins(self) -> None:
        first = next(angle for angle in METHODS["scamper"].angles if angle.name == "combine")

        assert angle_of("scamper", Idea(angle="combine", title="T", text="x")) == first


class TestRefusals:
    @pytest.mark.parametrize("record", [BRAINSTORM, REFINE, EVALUATE], ids=["b", "r", "e"])
    def test_a_good_answer_has_no_refusal(self, record: dict[str, Any]) -> None:
        assert refusals_of(record) == [None]

    @pytest.mark.parametrize(
        ("record", "refusal"),
        [
            (with_idea(title="One, Two, Three"), NOT_ALLOWED),
            (with_idea(text="This is a hook that people can see beside the door."), NOT_ALLOWED),
            (with_idea(title="A Hook."), CHANGED),
            (with_idea(text="Too short."), CHANGED),
            ({**REFINE, "refined_body": "One. Two. Three. Four. Five."}, NOT_ALLOWED),
            ({**REFINE, "changes": ["a b", "a b"]}, CHANGED),
            ({**EVALUATE, "concerns": ["It may break.", "12 people are too many."]}, NOT_ALLOWED),
            ({**EVALUATE, "strengths": ["Short."]}, CHANGED),
        ],
    )
    def test_an_answer_that_the_service_would_refuse_has_a_reason(
        self, record: dict[str, Any], refusal: str
    ) -> None:
        assert refusals_of(record) == [refusal]

    @pytest.mark.parametrize(
        ("record", "place"),
        [
            ({**REFINE, "changes": []}, "changes"),
            ({**BRAINSTORM, "ideas": []}, "ideas"),
            ({**EVALUATE, "scores": {"novelty": 11}}, "scores.novelty"),
            ({**BRAINSTORM, "task": "sing"}, "task"),
            ({"id": "x"}, "task"),
        ],
    )
    def test_an_invalid_record_is_a_problem(self, record: dict[str, Any], place: str) -> None:
        with pytest.raises(DataProblem, match=place):
            read_record(record)


class TestTheSetsOfOurOwn:
    """Every learnt row can be generated under the grammar of its task."""

    @pytest.mark.parametrize(
        ("folder", "task", "least"),
        [
            ("ideation", "brainstorm", 0.98),
            ("ideation", "evaluate", 0.95),
            ("plain", "brainstorm", 0.98),
            ("plain", "refine", 0.95),
            ("plain", "evaluate", 0.95),
            ("languages", "refine", 0.9),
            ("languages", "evaluate", 0.95),
        ],
    )
    def test_grammars_allow_most_answers_of_our_sets(
        self, folder: str, task: str, least: float
    ) -> None:
        lines = (DATA / folder / f"{task}.jsonl").read_text(encoding="utf-8").splitlines()[:200]

        refusals = [refusal for line in lines for refusal in refusals_of(json.loads(line))]

        assert refusals.count(None) >= least * len(refusals)

    def test_plain_ideas_have_the_angles_of_the_service(self) -> None:
        hints = {angle.hint for method in METHODS.values() for angle in method.angles}
        lines = (DATA / "plain" / "brainstorm.jsonl").read_text(encoding="utf-8").splitlines()

        records = [read_record(json.loads(line)) for line in lines]

        assert all(
            idea.hint in hints
            for record in records
            if isinstance(record, BrainstormRecord)
            for idea in record.ideas
        )

    def test_plain_refinements_keep_every_number_and_name_of_their_notes(self) -> None:
        lines = (DATA / "plain" / "refine.jsonl").read_text(encoding="utf-8").splitlines()
        records = [RefineRecord.model_validate_json(line) for line in lines]

        missed = {
            (record.id.removeprefix("plain-refine-"), fact): record.refined_body
            for record in records
            for fact in left_out(record.body, f"{record.refined_title}\n{record.refined_body}")
        }

        assert missed.keys() == IN_OTHER_WORDS.keys()
        for fact, words in IN_OTHER_WORDS.items():
            assert words in missed[fact]


class TestAcceptance:
    @pytest.mark.parametrize(
        ("grammar", "answer", "is_allowed"),
        [
            (suggestion_grammar("a shed"), "Title: A Hook\nIdea: Hang it up now.", True),
            (suggestion_grammar("a shed"), "Title: A Hook, Not Two\nIdea: Hang it up now.", True),
            (suggestion_grammar("a shed"), "Title: A, B, C\nIdea: Hang it up now.", False),
            (suggestion_grammar("a shed"), "Title: Hooks: A Plan\nIdea: Hang it up now.", False),
            (refinement_grammar("a", sentences=1), "Title: A: B\nIdea: b.\n\nChanges:\n- de fg.", True),
            (suggestion_grammar("a shed"), "Title: A Hook\nIdea: Hang it up", False),
            (suggestion_grammar("a shed"), "Title: A Hook\nIdea: Encourage them now.", False),
            (suggestion_grammar("a shed", barred_initials="A"), "Title: A B\nIdea: Do it.", False),
            (suggestion_grammar("a shed"), "Title: 棚\nIdea: Do it.", False),
            (list_grammar("a shed", 1), "Title: A Hook\nIdea: Hang it up.", True),
            (list_grammar("a", 2), "Title: A B\nIdea: C d.\n\nTitle: E F\nIdea: G.", True),
            (list_grammar("a", 2), "Title: A B\nIdea: C d.", False),
            (list_grammar("a", 1), "Title: A B C D E F G\nIdea: H i.", False),
            (list_grammar("a", 2, barred_initials="A"), "Title: A B\nIdea: C.\n\nTitle: E F\nIdea: G.", False),
            (list_grammar("a", 2, barred_initials="E"), "Title: A B\nIdea: C.\n\nTitle: E F\nIdea: G.", True),
            (widened(list_grammar("a", 1), "sv"), "Title: Återbruk nu\nIdea: Gör det.", True),
            (suggestion_grammar("棚"), "Title: 棚\nIdea: 棚を作る。", True),
            (suggestion_grammar("a"), 'Title: A B\nIdea: Say "yes. no" to it.', True),
            (refinement_grammar("a", sentences=2), "Title: a\nIdea: b c.\n\nChanges:\n- de fg.", True),
            (refinement_grammar("a", sentences=1), "Title: a\nIdea: b. c.\n\nChanges:\n- de fg.", False),
            (assessment_grammar("a"), "Strengths:\n- A b.\nConcerns:\n- C d.\nNext step: E.", False),
        ],
    )  # fmt: skip
    def test_an_answer_is_allowed_if_the_grammar_accepts_it(
        self, grammar: str, answer: str, is_allowed: bool
    ) -> None:
        assert allows(grammar, answer) is is_allowed

    def test_every_grammar_of_the_service_can_be_read(self) -> None:
        assessment = "Strengths:\n- Ab c.\n- De f.\nConcerns:\n- Gh i.\n- Jk l.\nNext step: Mn o."

        assert allows(assessment_grammar("a"), assessment)
        assert not allows(assessment_grammar("a"), assessment.replace("Concerns", "Worries"))


class TestForms:
    USER, ASSISTANT = Message("user", "Hi"), Message("assistant", "Hello.")

    @pytest.mark.parametrize(
        ("kind", "record"),
        [
            (
                "sharegpt",
                {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello."}]},
            ),
            (
                "messages",
                {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}]},
            ),
            ("alpaca", {"instruction": "Hi", "input": "", "output": "Hello."}),
            ("alpaca", {"instruction": "Hi", "output": "Hello."}),
            ("dolly", {"instruction": "Hi", "context": "", "response": "Hello.", "category": "x"}),
            ("prompt_completion", {"prompt": "Hi", "completion": "Hello."}),
            (
                "prompt_completion",
                {
                    "prompt": [{"role": "user", "content": "Hi"}],
                    "completion": [{"role": "assistant", "content": "Hello."}],
                },
            ),
        ],
    )  # fmt: skip
    def test_every_format_gives_the_same_chat(self, kind: Any, record: dict[str, Any]) -> None:
        assert FORMS[kind](record) == (self.USER, self.ASSISTANT)

    def test_material_follows_the_request(self) -> None:
        chat = FORMS["alpaca"]({"instruction": "Sum up.", "input": "A text.", "output": "Short."})

        assert chat[0] == Message("user", "Sum up.\n\nA text.")

    def test_system_messages_and_several_turns_are_kept(self) -> None:
        turns = [("system", "Be kind."), ("human", "a"), ("gpt", "b"), ("human", "c"), ("gpt", "d")]

        chat = FORMS["sharegpt"]({"conversations": [{"from": f, "value": v} for f, v in turns]})

        assert [message.role for message in chat] == [
            "system", "user", "assistant", "user", "assistant",
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("kind", "record", "problem"),
        [
            ("sharegpt", {"conversations": [{"from": "human", "value": "Hi"}]}, "has to end with an answer"),
            ("sharegpt", {"conversations": [{"from": "gpt", "value": "Hi"}]}, "has to end with an answer"),
            ("sharegpt", {"conversations": []}, "list of turns"),
            ("sharegpt", {"messages": []}, "the row has the fields 'messages'"),
            ("sharegpt", {"conversations": ["Hi"]}, "turn 1 is not an object"),
            ("sharegpt", {"conversations": [{"from": "tool", "value": "x"}]}, "from = 'tool'"),
            ("sharegpt", {"conversations": [{"from": "gpt", "value": " "}]}, "turn 1 has no text"),
            (
                "messages",
                {"messages": [{"role": "user", "content": "x"}, {"role": "system", "content": "y"}]},
                "system message",
            ),
            ("alpaca", {"instruction": "Hi", "output": ""}, "'output' is empty"),
            ("alpaca", {"instruction": "Hi"}, "'output' has to be a text"),
            ("prompt_completion", {}, "the row has the fields \\(none\\)"),
        ],
    )  # fmt: skip
    def test_a_record_without_an_answer_to_learn_is_a_problem(
        self, kind: Any, record: dict[str, Any], problem: str
    ) -> None:
        with pytest.raises(DataProblem, match=problem):
            FORMS[kind](record)


class TestSubjects:
    def test_notes_that_begin_alike_are_on_one_subject(self) -> None:
        notes = ["winter coats. we collect all", "A bus stop.", "Winter coats. We ask schools."]

        assert subjects(notes) == (0, 1, 0)

    def test_notes_that_share_their_wording_are_on_one_subject(self) -> None:
        one = "Ten neighbours share one ladder that hangs in the bicycle cellar."
        other = "In the bicycle cellar hangs a ladder for ten neighbours to share."

        assert subjects([one, "Bread is baked on Mondays.", other]) == (0, 1, 0)

    def test_notes_connected_by_a_third_one_are_on_one_subject(self) -> None:
        notes = ["red door paint", "red door paint and blue roof tiles", "blue roof tiles"]

        assert set(subjects(notes)) == {0}

    def test_notes_without_words_have_nothing_in_common(self) -> None:
        assert subjects(["", "", "?"]) == (0, 1, 2)
