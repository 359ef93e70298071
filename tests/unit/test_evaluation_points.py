"""Points of an evaluation must name something of the note."""

import asyncio
from typing import Any

import pytest

from service.analysis.scoring import Scorer
from service.engine.types import GenerateRequest
from service.ideation.evaluate import EvaluateWork, evaluate
from service.ideation.events import Step
from service.ideation.model_client import Ledger, ModelClient
from service.ideation.use_case import RunContext
from service.prompts.answers import evaluate_answer
from service.prompts.tasks import DEFAULT_CRITERIA
from tests.support.fake_backend import FakeBackend

NOTE = ("Tool shelf", "A shelf in the hall where neighbours borrow drills.")
STEP = "Ask the house management whether a shelf may stand in the hall."
ABOUT_IT = evaluate_answer(
    ("Neighbours need not buy drills.", "It is a great concept."),
    ("The hall may be too narrow.", "Execution might be difficult."),
    STEP,
)
ABOUT_NOTHING = evaluate_answer(
    ("It is a great concept.", "It shows initiative."), ("The hall may be too narrow.",), STEP
)


def evaluated(*replies: str, language: str = "") -> tuple[dict[str, Any], FakeBackend]:
    backend = FakeBackend(replies)

    async def ignore(_: Step) -> None:
        return

    client = ModelClient(backend, backend.model, "client", Ledger(), ignore, language)
    context = RunContext(client, 1, Scorer(backend), None, 60)
    return asyncio.run(evaluate(context, EvaluateWork(*NOTE, DEFAULT_CRITERIA))), backend


def times_asked(backend: FakeBackend) -> int:
    return sum(isinstance(one, GenerateRequest) for one in backend.history)


def test_points_that_name_nothing_of_the_note_are_dropped() -> None:
    result, backend = evaluated(ABOUT_IT)

    assert result["strengths"] == ["Neighbours need not buy drills."]
    assert result["concerns"] == ["The hall may be too narrow."]
    assert times_asked(backend) == 1


@pytest.mark.parametrize("replies", [(ABOUT_NOTHING, ABOUT_IT), (ABOUT_NOTHING, ABOUT_NOTHING)])
def test_the_model_is_asked_once_more_if_no_strength_would_be_left(
    replies: tuple[str, ...],
) -> None:
    result, backend = evaluated(*replies)

    assert times_asked(backend) == 2
    kept = ABOUT_IT in replies
    assert ("Neighbours need not buy drills." in result["strengths"]) is kept
    assert len(result["strengths"]) == (1 if kept else 2)


def test_a_translated_evaluation_shares_no_words_and_keeps_its_points() -> None:
    result, backend = evaluated(ABOUT_NOTHING, language="sv")

    assert len(result["strengths"]) == 2
    assert times_asked(backend) == 1
