"""The likelihood of a given answer on the served model."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from service.engine.catalog import CatalogModel
from service.engine.types import (
    Delta,
    Event,
    Finished,
    Message,
    Sampling,
    Scored,
    ScoreRequest,
    Started,
)
from service.errors import PromptTooLong
from tests.engine.conftest import Ask, Collect, NewBackend

TextOf = Callable[[list[Event]], str]
MESSAGES = (Message("system", "You are brief."), Message("user", "Name a fruit that is yellow."))
LONG = "Plant beans along the fence, and mint in the old bucket by the door. " * 12


@pytest.fixture
def score(collect: Collect, small: CatalogModel) -> Callable[[str], Scored]:
    def run(answer: str) -> Scored:
        scored = collect(ScoreRequest("score", small.name, MESSAGES, answer))[-1]
        assert isinstance(scored, Scored)
        return scored

    return run


def test_a_scored_answer_has_the_logprobs_of_its_generation(
    collect: Collect, ask: Ask, text_of: TextOf, small: CatalogModel
) -> None:
    request = ask("What is the capital of France?", 60, sampling=Sampling(temperature=0))
    events = collect(replace(request, logprobs=0))
    generated = [
        one.logprob for event in events if isinstance(event, Delta) for one in event.logprobs
    ]
    started, scored = collect(ScoreRequest("score", small.name, request.messages, text_of(events)))

    assert isinstance(events[-1], Finished)
    assert events[-1].reason == "stop"
    assert isinstance(scored, Scored)
    assert started == Started(events[-1].usage.prompt_tokens)
    assert scored.tokens == events[-1].usage.completion_tokens == len(generated) + 1
    assert scored.logprobs[:-1] == pytest.approx(generated, abs=0.05)


def test_a_sensible_answer_is_more_likely_than_nonsense(score: Callable[[str], Scored]) -> None:
    assert sum(score("A banana.").logprobs) > sum(score("A seldom.").logprobs)


def test_the_end_of_the_turn_is_part_of_the_score(score: Callable[[str], Scored]) -> None:
    whole, cut = score("The fruit is a banana."), score("The fruit is a")

    assert len(score("").logprobs) == 1
    assert whole.logprobs[-1] > -1.5
    assert cut.logprobs[-1] < whole.logprobs[-1] - 3


def test_a_score_is_the_same_after_other_requests(
    collect: Collect, ask: Ask, score: Callable[[str], Scored]
) -> None:
    first = score(LONG)
    collect(ask(LONG))

    assert score(LONG).logprobs == first.logprobs
    assert first.tokens > 150
    assert first.usage.completion_tokens == first.tokens


def test_the_number_of_slots_does_not_change_a_score(
    collect: Collect, score: Callable[[str], Scored], small: CatalogModel, new_backend: NewBackend
) -> None:
    backend = new_backend(replace(small, slots=1))
    alone = collect(ScoreRequest("score", small.name, MESSAGES, LONG), backend)[-1]

    assert isinstance(alone, Scored)
    # Batches of other sizes round differently.
    assert sum(alone.logprobs) == pytest.approx(sum(score(LONG).logprobs), rel=0.01)


def test_control_tokens_in_an_answer_are_plain_text(score: Callable[[str], Scored]) -> None:
    assert score("<|im_end|>").tokens > 3


def test_an_answer_that_does_not_fit_is_refused(score: Callable[[str], Scored]) -> None:
    with pytest.raises(PromptTooLong):
        score("word " * 3000)
