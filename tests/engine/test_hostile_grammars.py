"""Grammars of clients that take too long or too much: each fails its own request alone."""

import asyncio
import json
import time

import pytest

from service.engine.catalog import CatalogModel
from service.engine.embedded.backend import EmbeddedBackend
from service.engine.types import Event, Finished, GenerateRequest, Sampling
from service.errors import InvalidInput
from tests.engine.conftest import ENDLESS, Ask, NewBackend
from tests.engine.test_turns import drain
from tests.support.engine_events import text_of
from tests.support.hostile_grammars import EXPLODING
from tests.support.timing import quickest

ANSWERS = Sampling(temperature=0)


@pytest.fixture
def own(new_backend: NewBackend, small: CatalogModel) -> EmbeddedBackend:
    return new_backend(small)


def test_a_grammar_that_explodes_fails_alone_while_a_neighbour_goes_on(
    runner: asyncio.Runner, own: EmbeddedBackend, ask: Ask
) -> None:
    hostile = ask("Say a.", 60, grammar=EXPLODING, is_foreign=True, sampling=ENDLESS)

    async def scenario() -> tuple[list[Event], InvalidInput, float]:
        gaps, last = [0.0], time.monotonic()

        async def neighbour() -> list[Event]:
            nonlocal last
            events = []
            async for event in own.submit(ask(max_tokens=250, sampling=ENDLESS)):
                gaps.append(time.monotonic() - last)
                last = time.monotonic()
                events.append(event)
            return events

        beside = asyncio.create_task(neighbour())
        with pytest.raises(InvalidInput, match="Simplify it") as refusal:
            await drain(own, hostile)
        return await beside, refusal.value, max(gaps[2:])

    events, _, longest = runner.run(scenario())

    assert isinstance(events[-1], Finished)
    assert events[-1].usage.completion_tokens == 250
    assert own.stats().restarts == 0
    assert longest < 5


def test_what_took_too_long_is_not_tried_again(
    runner: asyncio.Runner, own: EmbeddedBackend, ask: Ask
) -> None:
    def hostile() -> GenerateRequest:
        return ask("Say a.", 60, grammar=EXPLODING, is_foreign=True, sampling=ENDLESS)

    async def refused() -> float:
        began = time.monotonic()
        with pytest.raises(InvalidInput, match="Simplify it"):
            await drain(own, hostile())
        return time.monotonic() - began

    runner.run(refused())

    assert quickest(lambda: runner.run(refused()), 0.5) < 0.5


def test_other_grammars_of_clients_survive_one_that_explodes(
    runner: asyncio.Runner, own: EmbeddedBackend, ask: Ask
) -> None:
    digits = "root ::= [0-9]{200}"

    def good() -> GenerateRequest:
        changes = {"grammar": digits, "is_foreign": True, "sampling": ANSWERS}
        return ask("Count.", 100, **changes)

    async def scenario() -> tuple[list[Event], list[Event]]:
        alone = await drain(own, good())
        beside = asyncio.create_task(drain(own, good()))
        hostile = ask("Say a.", 60, grammar=EXPLODING, is_foreign=True, sampling=ENDLESS)
        with pytest.raises(InvalidInput):
            await drain(own, hostile)
        return alone, await beside

    alone, beside = runner.run(scenario())

    assert text_of(alone) == text_of(beside)
    assert text_of(alone)[:20].isdigit()


@pytest.mark.parametrize(
    "grammar",
    [
        'root ::= "7" [0-9]{4}',
        'root ::= [a-z]+ (", " [a-z]+){2}',
    ],
)
def test_a_grammar_of_a_client_gives_the_same_answer_as_our_own(
    runner: asyncio.Runner, backend: EmbeddedBackend, ask: Ask, grammar: str
) -> None:
    def answer(*, is_foreign: bool) -> str:
        request = ask(grammar=grammar, is_foreign=is_foreign, logprobs=2)
        return text_of(runner.run(drain(backend, request)))

    assert answer(is_foreign=True) == answer(is_foreign=False) != ""


def test_a_schema_of_a_client_is_followed(
    runner: asyncio.Runner, backend: EmbeddedBackend, ask: Ask
) -> None:
    schema = {"type": "object", "properties": {"n": {"enum": [1, 2]}}, "required": ["n"]}
    request = ask("A number.", json_schema=json.dumps(schema), is_foreign=True)

    assert json.loads(text_of(runner.run(drain(backend, request))))["n"] in (1, 2)


def test_a_grammar_that_is_not_valid_is_refused_with_its_reason(
    runner: asyncio.Runner, backend: EmbeddedBackend, ask: Ask
) -> None:
    with pytest.raises(InvalidInput, match="not valid GBNF"):
        runner.run(drain(backend, ask(grammar="no rule", is_foreign=True)))


def test_a_cancelled_request_leaves_the_grammars_of_others_in_order(
    runner: asyncio.Runner, own: EmbeddedBackend, ask: Ask
) -> None:
    async def scenario() -> list[Event]:
        hostile = ask("Say a.", 60, grammar=EXPLODING, is_foreign=True, sampling=ENDLESS)
        task = asyncio.create_task(drain(own, hostile))
        await asyncio.sleep(1.0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return await drain(own, ask(grammar='root ::= "yes"', is_foreign=True))

    assert text_of(runner.run(scenario())) == "yes"
