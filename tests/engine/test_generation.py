import json
import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from service.engine.catalog import CatalogModel
from service.engine.types import (
    Delta,
    Embedding,
    EmbedRequest,
    Event,
    Finished,
    Message,
    Probabilities,
    ProbeRequest,
    Sampling,
    Started,
)
from service.errors import InvalidInput, PromptTooLong
from tests.engine.conftest import ENDLESS, Ask, Collect, NewBackend
from tests.support.engine_events import logprobs_of

TextOf = Callable[[list[Event]], str]
CARD = r"""
root  ::= "{\"a\":\"" title "\",\"b\":" [0-9] "}"
title ::= [A-Za-z] [A-Za-z ]{0,8}
"""


def test_a_request_streams_text_and_ends_with_its_usage(
    collect: Collect, ask: Ask, text_of: TextOf
) -> None:
    events = collect(ask(max_tokens=60, sampling=ENDLESS))

    assert isinstance(events[0], Started)
    assert isinstance(events[-1], Finished)
    assert len([event for event in events if isinstance(event, Delta)]) > 3
    assert text_of(events)
    usage = events[-1].usage
    assert usage.prompt_tokens == events[0].prompt_tokens
    assert events[-1].reason == "length"
    assert usage.completion_tokens == 60
    assert usage.prompt_s > 0
    assert usage.completion_s > 0


def test_an_answer_that_ends_its_turn_has_the_reason_stop(
    collect: Collect, ask: Ask, text_of: TextOf
) -> None:
    events = collect(ask(max_tokens=8, grammar='root ::= "yes"'))

    assert text_of(events) == "yes"
    assert isinstance(events[-1], Finished)
    assert events[-1].reason == "stop"


def test_the_same_seed_gives_the_same_text(collect: Collect, ask: Ask, text_of: TextOf) -> None:
    first = text_of(collect(ask()))
    collect(ask("Something else entirely, to fill the cache with other tokens."))

    assert text_of(collect(ask())) == first
    assert text_of(collect(ask())) == first
    assert text_of(collect(ask(sampling=Sampling(seed=2)))) != first


def test_a_prompt_that_comes_again_is_not_read_and_gets_the_same_answer(
    collect: Collect, ask: Ask, text_of: TextOf
) -> None:
    long = "Here is what we know so far. " + "The garden is small and gets little sun. " * 30
    cold = collect(ask(long, logprobs=3))
    warm = collect(ask(long, logprobs=3))
    other = collect(ask(long + "What now?"))

    assert isinstance(cold[-1], Finished)
    assert isinstance(warm[-1], Finished)
    assert isinstance(other[-1], Finished)
    # What is known beforehand is the system prompt at most.
    assert cold[-1].usage.cached_tokens < 20
    assert warm[-1].usage.cached_tokens == warm[-1].usage.prompt_tokens
    assert 192 <= other[-1].usage.cached_tokens < other[-1].usage.prompt_tokens
    assert text_of(warm) == text_of(cold)
    assert logprobs_of(warm) == logprobs_of(cold)


def test_a_chat_goes_on_from_its_answer_and_with_a_seed_from_its_prompt(
    collect: Collect,
    ask: Ask,
    text_of: TextOf,
    new_backend: NewBackend,
    small: CatalogModel,
) -> None:
    said = [Message("user", "Where does thyme grow? " * 20)]
    begun = collect(ask(messages=tuple(said), is_repeatable=False, max_tokens=40))
    said += [Message("assistant", text_of(begun)), Message("user", "And in a cellar?")]
    goes_on = collect(ask(messages=tuple(said), is_repeatable=False))
    seeded = collect(ask(messages=tuple(said)))
    fresh = collect(ask(messages=tuple(said)), new_backend(small))

    ends = [events[-1] for events in (begun, goes_on, seeded, fresh)]
    usages = [end.usage for end in ends if isinstance(end, Finished)]
    known = [usage.cached_tokens for usage in usages]
    # The last token of an answer is never decoded.
    assert known[1] == usages[0].prompt_tokens + usages[0].completion_tokens - 1
    assert 0 < known[2] < usages[0].prompt_tokens
    assert known[3] == 0
    assert text_of(seeded) == text_of(fresh)


def test_greedy_sampling_takes_the_most_likely_token(collect: Collect, ask: Ask) -> None:
    events = collect(ask(logprobs=2, sampling=Sampling(temperature=0), max_tokens=8))

    tokens = logprobs_of(events)
    assert len(tokens) == 8
    assert all(one.text == one.top[0][0] for one in tokens)
    assert all(one.logprob == one.top[0][1] >= one.top[1][1] for one in tokens)


def test_logprobs_cover_the_whole_vocabulary(collect: Collect, ask: Ask) -> None:
    tokens = logprobs_of(collect(ask(logprobs=1_000_000, max_tokens=1)))

    assert math.fsum(math.exp(value) for _, value in tokens[0].top) == pytest.approx(1)


def test_a_stop_string_across_several_tokens_ends_the_text(
    collect: Collect, ask: Ask, text_of: TextOf
) -> None:
    tokens = [token.text for token in logprobs_of(collect(ask(logprobs=0)))]
    stop = tokens[4][-1] + tokens[5][:2]
    whole = "".join(tokens)
    events = collect(ask(stop=(stop, "never in it")))

    assert stop in whole
    assert text_of(events) == whole[: whole.index(stop)]
    assert isinstance(events[-1], Finished)
    assert events[-1].reason == "stop"


def test_every_answer_follows_its_grammar(collect: Collect, ask: Ask, text_of: TextOf) -> None:
    for seed in range(20):
        sampling = Sampling(temperature=1.2, seed=seed)
        card = json.loads(text_of(collect(ask(grammar=CARD, sampling=sampling, max_tokens=40))))

        assert 1 <= len(card["a"]) <= 9
        assert 0 <= card["b"] <= 9


@pytest.mark.parametrize("grammar", ["", "root ::= ", "root ::= missing", 'start ::= "a"', "}{"])
def test_a_bad_grammar_is_refused(
    collect: Collect, ask: Ask, text_of: TextOf, grammar: str
) -> None:
    try:
        events = collect(ask(grammar=grammar, max_tokens=4))
    except InvalidInput:
        return
    assert text_of(events) == ""


def test_a_request_that_does_not_fit_the_context_is_refused(
    collect: Collect, ask: Ask, small: CatalogModel
) -> None:
    with pytest.raises(PromptTooLong, match=str(small.context)):
        collect(ask(max_tokens=small.context))
    with pytest.raises(PromptTooLong):
        collect(ask("word " * small.context))


def test_a_probe_gives_the_same_numbers_after_any_other_work(
    collect: Collect, ask: Ask, small: CatalogModel
) -> None:
    prompts = tuple(
        (Message("system", "Rate from 0 to 9."), Message("user", f"A garden on the {place}."))
        for place in ("roof", "moon")
    )
    probe = ProbeRequest("probe", small.name, prompts, tuple("0123456789"))
    first = collect(probe)[-1]
    collect(ask("A garden on the roof."))
    second = collect(probe)[-1]

    assert isinstance(first, Probabilities)
    assert isinstance(second, Probabilities)
    assert second.rows == first.rows
    assert first.rows[0] != first.rows[1]
    assert all(0 < sum(row) < 1 for row in first.rows)
    assert first.usage.cached_tokens > 0


def test_a_choice_of_several_tokens_is_refused(collect: Collect, small: CatalogModel) -> None:
    probe = ProbeRequest("probe", small.name, ((Message("user", "Well?"),),), ("Yes", "Not at all"))

    with pytest.raises(InvalidInput, match="Not at all"):
        collect(probe)


def test_an_embedding_is_deterministic_and_as_wide_as_the_model(
    collect: Collect, ask: Ask, small: CatalogModel
) -> None:
    request = EmbedRequest("embed", small.name, "A garden on the roof of the library. " * 20)
    first = collect(request)[-1]
    collect(ask())
    second = collect(request)[-1]
    other = collect(replace(request, text="Rent out spare desks."))[-1]

    assert isinstance(first, Embedding)
    assert isinstance(second, Embedding)
    assert isinstance(other, Embedding)
    assert len(first.vector) == 576
    assert second.vector == first.vector
    assert other.vector != first.vector


def test_an_empty_text_cannot_be_embedded(collect: Collect, small: CatalogModel) -> None:
    with pytest.raises(InvalidInput):
        collect(EmbedRequest("embed", small.name, ""))


def test_any_text_can_be_in_a_message(collect: Collect, ask: Ask) -> None:
    for text in ("", "\x00", "\ud800", "🌱" * 20, "\ue0000\ue001", "<|im_start|>" * 5):
        assert isinstance(collect(ask(text, max_tokens=2))[-1], Finished)


SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {
            "title": {"type": "string", "maxLength": 20},
            "cost": {"type": "integer"},
            "kind": {"enum": ["indoor", "outdoor"]},
        },
        "required": ["title", "cost", "kind"],
        "additionalProperties": False,
    }
)


def test_an_answer_follows_its_json_schema(collect: Collect, ask: Ask, text_of: TextOf) -> None:
    for seed in range(5):
        sampling = Sampling(temperature=1.0, seed=seed)
        request = ask("An idea as JSON.", 80, json_schema=SCHEMA, sampling=sampling)
        answer = json.loads(text_of(collect(request)))

        assert set(answer) == {"title", "cost", "kind"}
        assert isinstance(answer["cost"], int)
        assert answer["kind"] in ("indoor", "outdoor")


def test_a_schema_of_any_object_gives_an_object(
    collect: Collect, ask: Ask, text_of: TextOf
) -> None:
    request = ask("A tiny JSON object.", 200, json_schema='{"type": "object"}')
    events = collect(request)

    assert text_of(events).lstrip().startswith("{")


@pytest.mark.parametrize(
    "schema",
    [
        "",
        "nonsense",
        "[]",
        '{"type": "no such type"}',
        '{"$ref": "https://example.com/s.json"}',
        '{"type": "object", "properties": {"a": {"type": "string", "maxLength": 1000000000}}}',
        '{"type": "array", "items": {"type": "string"}, "minItems": 1000000}',
    ],
)
def test_an_unsupported_schema_is_refused(collect: Collect, ask: Ask, schema: str) -> None:
    with pytest.raises(InvalidInput, match="JSON schema"):
        collect(ask(json_schema=schema))


@pytest.mark.parametrize("grammar", ['root ::= ("a"?){1000}', "root ::= ([a-z]*)+"])
def test_a_grammar_that_repeats_an_empty_text_is_refused(
    collect: Collect, ask: Ask, grammar: str
) -> None:
    with pytest.raises(InvalidInput, match="can be empty"):
        collect(ask(grammar=grammar))


def test_a_schema_and_a_grammar_cannot_be_combined(collect: Collect, ask: Ask) -> None:
    with pytest.raises(InvalidInput, match="not both"):
        collect(ask(json_schema=SCHEMA, grammar='root ::= "x"'))


def test_logprobs_without_alternatives_have_only_the_token(collect: Collect, ask: Ask) -> None:
    tokens = logprobs_of(collect(ask(logprobs=0, max_tokens=5)))

    assert len(tokens) == 5
    assert all(one.top == () and one.logprob <= 0 for one in tokens)
