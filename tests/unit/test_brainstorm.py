"""Drafts drawn at the same time do not know each other, so their titles begin differently."""

import asyncio
import re
from dataclasses import replace
from itertools import combinations

import pytest

from service.analysis.scoring import Scorer
from service.engine.types import GenerateRequest
from service.ideation.distinct_ideas import BrainstormWork
from service.ideation.drafting import brainstorm as perform
from service.ideation.events import Step, Suggested
from service.ideation.model_client import Ledger, ModelClient
from service.ideation.use_case import RunContext
from service.prompts.answers import brainstorm_answer
from tests.support.fake_backend import FAKE_MODEL, FakeBackend

WALL = brainstorm_answer("Tool Wall", "Hang a hook for every tool on the wall and draw around it.")


def brainstorm(backend: FakeBackend, n: int) -> list[str]:
    """The titles in the order in which they came."""
    titles: list[str] = []

    async def note(step: Step) -> None:
        if isinstance(step, Suggested):
            titles.append(step.suggestion.title)

    work = BrainstormWork("a tidy shed", "", "free", n, 0.5, ())
    client = ModelClient(backend, backend.model, "client", Ledger(), note)
    asyncio.run(perform(RunContext(client, 1, Scorer(backend), None, each_s=60), work))
    return titles


def with_slots(slots: int, *replies: str) -> FakeBackend:
    return FakeBackend(replies, model=replace(FAKE_MODEL, slots=slots))


def initials(backend: FakeBackend) -> list[set[str]]:
    """The letters that each title could begin with, in the order of the requests."""
    found = []
    for request in backend.history:
        assert isinstance(request, GenerateRequest)
        rule = re.search(r"title ::= \[([A-Z]+)\]", request.grammar or "")
        assert rule is not None
        found.append(set(rule[1]))
    return found


@pytest.mark.parametrize("n", [2, 8])
def test_titles_drawn_at_the_same_time_cannot_begin_with_the_same_letter(n: int) -> None:
    backend = with_slots(8)
    brainstorm(backend, n)

    assert backend.peak == n
    assert not any(one & other for one, other in combinations(initials(backend), 2))


def test_a_title_drawn_alone_cannot_begin_with_a_letter_used_before() -> None:
    backend = with_slots(1)
    titles = brainstorm(backend, 5)

    for number, letters in enumerate(initials(backend)):
        assert not letters & {title[0] for title in titles[:number]}
        assert len(letters) > 15


def test_no_title_can_begin_with_a_letter_of_the_topic() -> None:
    backend = with_slots(8)
    brainstorm(backend, 8)

    assert all(not letters & set("TS") for letters in initials(backend))


def test_a_redraw_may_use_letters_that_no_title_took() -> None:
    backend = with_slots(2, WALL, WALL)
    titles = brainstorm(backend, 2)

    redrawn = initials(backend)[2]
    assert titles[0] == "Tool Wall"
    assert len(redrawn) > 15


def test_prompts_of_a_run_are_the_same_up_to_the_angle() -> None:
    backend = with_slots(8)
    brainstorm(backend, 8)

    chats = [one.messages for one in backend.history if isinstance(one, GenerateRequest)]
    stems = {
        chat[-1].content[: chat[-1].content.index("The idea has to do with")] for chat in chats
    }
    assert len(stems) == len({chat[0] for chat in chats}) == 1
    assert len({chat[-1].content for chat in chats}) == 8
