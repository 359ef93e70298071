"""Many requests at once on the real model, in both cache layouts."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from service.engine.catalog import CatalogModel
from service.engine.embedded.backend import EmbeddedBackend
from service.engine.types import (
    CacheLayout,
    Delta,
    Event,
    Finished,
    GenerateRequest,
    Message,
    Sampling,
    Started,
)
from tests.engine.conftest import ENDLESS, Ask, NewBackend, settle, start_backend
from tests.support.engine_events import logprobs_of, text_of

SLOTS = 6
TOPICS = ("a garden", "rain", "a street party", "old bicycles", "tea", "a library at night")


NewModel = Callable[[CacheLayout], EmbeddedBackend]


@pytest.fixture(scope="module")
def of_layout(runner: asyncio.Runner, small: CatalogModel, models_dir: Path) -> Iterator[NewModel]:
    started: dict[CacheLayout, EmbeddedBackend] = {}

    def backend(layout: CacheLayout) -> EmbeddedBackend:
        if layout not in started:
            cells = 2048 if layout == "unified" else None
            model = replace(small, slots=SLOTS, cache=layout, context=1024, cache_tokens=cells)
            started[layout] = start_backend(runner, (model,), models_dir)
            runner.run(settle(started[layout]))
        return started[layout]

    yield backend
    for one in started.values():
        runner.run(one.close())


@pytest.fixture(params=["streams", "unified"])
def many(request: pytest.FixtureRequest, of_layout: NewModel) -> EmbeddedBackend:
    return of_layout(request.param)


@pytest.fixture
def streams(of_layout: NewModel) -> EmbeddedBackend:
    return of_layout("streams")


def gather(
    runner: asyncio.Runner, backend: EmbeddedBackend, requests: list[GenerateRequest]
) -> list[list[Event]]:
    async def one(request: GenerateRequest) -> list[Event]:
        return [event async for event in backend.submit(request)]

    async def all_of_them() -> list[list[Event]]:
        return await asyncio.wait_for(asyncio.gather(*map(one, requests)), 120)

    return runner.run(all_of_them())


@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_a_request_gets_the_same_answer_alone_and_in_a_batch(
    runner: asyncio.Runner, streams: EmbeddedBackend, ask: Ask, temperature: float
) -> None:
    """Exactly so on a CPU with Q4_0 weights, because its kernels add each row in the same order."""

    def requests() -> list[GenerateRequest]:
        return [
            ask(
                f"Write about {topic}." + " Please." * number * 9,
                max_tokens=12 + 7 * number,
                sampling=Sampling(temperature=temperature, seed=number),
            )
            for number, topic in enumerate(TOPICS)
        ]

    alone = [text_of(gather(runner, streams, [request])[0]) for request in requests()]
    together = [text_of(events) for events in gather(runner, streams, requests())]

    assert together == alone
    assert len(set(alone)) == len(TOPICS)


def test_in_a_unified_cache_the_numbers_are_nearly_the_same(
    runner: asyncio.Runner, of_layout: NewModel, ask: Ask
) -> None:
    """The cells of requests are mixed, so sums are added in another order and may round otherwise."""
    requests = [
        ask(f"Write about {topic}.", 16, logprobs=0, sampling=Sampling(temperature=0))
        for topic in TOPICS
    ]
    unified = of_layout("unified")
    alone = [
        logprobs_of(gather(runner, unified, [replace(one, id=f"{one.id}-a")])[0])
        for one in requests
    ]
    together = [logprobs_of(events) for events in gather(runner, unified, requests)]
    compared = 0
    for one, other in zip(alone, together, strict=True):
        for before, after in zip(one, other, strict=True):
            if before.text != after.text:
                break
            assert before.logprob == pytest.approx(after.logprob, abs=0.5)
            compared += 1

    assert compared > len(TOPICS) * 4


def test_a_grammar_in_a_batch_applies_only_to_its_own_request(
    runner: asyncio.Runner, streams: EmbeddedBackend, ask: Ask
) -> None:
    digits = [ask("Count.", max_tokens=10, grammar='root ::= "7" [0-9]{4}') for _ in range(2)]
    free = [ask("Write about tea.", max_tokens=16) for _ in range(2)]
    answers = [text_of(events) for events in gather(runner, streams, [*digits, *free])]

    assert all(len(answer) == 5 and answer.startswith("7") for answer in answers[:2])
    assert answers[2] == answers[3]
    assert not answers[2][:1].isdigit()


def test_requests_with_the_same_prompt_decode_it_once(
    runner: asyncio.Runner, many: EmbeddedBackend, ask: Ask
) -> None:
    topic = "Ideas for " + "a very long and winding street with many small gardens " * 8
    messages = (Message("system", "You give ideas."), Message("user", topic))
    branches = [
        replace(ask(max_tokens=4), messages=(messages[0], Message("user", f"{topic} {angle}")))
        for angle in ("cheaper", "bigger", "louder", "kinder")
    ]
    usages = [
        event.usage
        for events in gather(runner, many, branches)
        for event in events
        if isinstance(event, Finished)
    ]

    assert sorted(usage.cached_tokens > 64 for usage in usages) == [False, True, True, True]


def test_prompts_of_more_requests_than_slots_are_read_once(
    runner: asyncio.Runner, many: EmbeddedBackend, ask: Ask
) -> None:
    prompts = [f"{number}. Write about {topic}." for topic in TOPICS for number in range(2)]
    rounds = [gather(runner, many, [ask(prompt, 8) for prompt in prompts]) for _ in range(3)]

    for events in (one for answers in rounds[1:] for one in answers):
        assert isinstance(events[-1], Finished)
        assert events[-1].usage.cached_tokens == events[-1].usage.prompt_tokens


def test_a_system_prompt_is_decoded_once_whatever_ran_in_between(
    runner: asyncio.Runner, many: EmbeddedBackend, ask: Ask
) -> None:
    system = Message("system", "You answer in the words of an old gardener. " * 6)

    def about(topic: str) -> GenerateRequest:
        return replace(ask(max_tokens=3), messages=(system, Message("user", topic)))

    gather(runner, many, [about("rain")])
    for number in range(2):
        others = [ask(f"{number} {other} " * 20, max_tokens=3) for other in TOPICS]
        gather(runner, many, others)
    last = gather(runner, many, [about("snow")])[0][-1]

    assert isinstance(last, Finished)
    assert last.usage.cached_tokens > 40


def test_answers_share_batches_again_after_one_between_them_ends(
    runner: asyncio.Runner, streams: EmbeddedBackend, ask: Ask
) -> None:
    lengths = (40, 3, 40, 5, 40, 40)
    requests = [
        ask(f"Write about {topic}.", max_tokens=length, sampling=Sampling(temperature=0))
        for topic, length in zip(TOPICS, lengths, strict=True)
    ]
    alone = [
        text_of(gather(runner, streams, [replace(one, id=f"{one.id}-a")])[0]) for one in requests
    ]

    assert [text_of(events) for events in gather(runner, streams, requests)] == alone


def test_a_long_prompt_does_not_stop_the_answers_of_others(
    runner: asyncio.Runner, many: EmbeddedBackend, ask: Ask
) -> None:
    async def run() -> int:
        order: list[str] = []
        is_under_way = asyncio.Event()

        async def note(name: str, request: GenerateRequest) -> None:
            async for event in many.submit(request):
                # Several tokens may come as one event where the reader was slow.
                if isinstance(event, Started):
                    order.append(name)
                elif isinstance(event, Delta):
                    order.extend([name] * len(event.logprobs))
                if len(order) >= 5:
                    is_under_way.set()

        tea = ask("Write about tea.", max_tokens=120, sampling=ENDLESS, logprobs=0)
        short = asyncio.create_task(note("short", tea))
        await is_under_way.wait()
        story = ask("A long story. " * 200, max_tokens=2, logprobs=0)
        long = asyncio.create_task(note("long", story))
        await asyncio.gather(short, long)
        began = order.index("long")
        first_token = order.index("long", began + 1)
        return order[began:first_token].count("short")

    assert runner.run(run()) >= 5


def test_a_cancelled_request_does_not_change_the_others(
    runner: asyncio.Runner, streams: EmbeddedBackend, ask: Ask
) -> None:
    kept = [ask(f"Write about {topic}.", max_tokens=30) for topic in TOPICS[:3]]
    alone = [text_of(gather(runner, streams, [replace(one, id=f"{one.id}-a")])[0]) for one in kept]
    doomed = ask("Write a very long story.", max_tokens=500)

    async def run() -> list[list[Event]]:
        async def drop() -> list[Event]:
            seen: list[Event] = []
            async for event in streams.submit(doomed):
                seen.append(event)
                if sum(isinstance(one, Delta) for one in seen) == 6:
                    await streams.cancel(doomed.id)
            return seen

        async def one(request: GenerateRequest) -> list[Event]:
            return [event async for event in streams.submit(request)]

        results = await asyncio.gather(drop(), *map(one, kept))
        return list(results[1:])

    assert [text_of(events) for events in runner.run(run())] == alone


def test_more_requests_than_slots_all_finish(
    runner: asyncio.Runner, many: EmbeddedBackend, ask: Ask
) -> None:
    requests = [ask(f"{number}: write.", max_tokens=3 + number % 5) for number in range(30)]
    ends = [events[-1] for events in gather(runner, many, requests)]

    assert all(isinstance(end, Finished) for end in ends)


def test_requests_that_fill_the_cache_wait_for_room(
    runner: asyncio.Runner, many: EmbeddedBackend, ask: Ask
) -> None:
    """Five times 900 tokens exceed a unified cache of 2,048; streams have 1,024 each."""
    requests = [ask(f"{number}: write.", max_tokens=870) for number in range(5)]

    async def first_words(request: GenerateRequest) -> bool:
        async for event in many.submit(request):
            if isinstance(event, Delta):
                return True
        return False

    async def run() -> list[bool]:
        return await asyncio.wait_for(asyncio.gather(*map(first_words, requests)), 60)

    assert all(runner.run(run()))


def test_a_reused_prefix_is_not_evicted_when_the_cache_is_full(
    runner: asyncio.Runner, ask: Ask, small: CatalogModel, new_backend: NewBackend
) -> None:
    cells = 512
    crowded = new_backend(
        replace(small, slots=4, cache="unified", context=cells, cache_tokens=cells)
    )
    asked = ask(" ".join(TOPICS * 8), 12, sampling=Sampling(temperature=0))
    first = gather(runner, crowded, [asked])[0]
    # The cache cannot hold the cached prompt, this request and a second copy of the prompt.
    started = next(event for event in first if isinstance(event, Started))
    other = ask("Tell of rain.", cells - 2 * started.prompt_tokens + 100, sampling=ENDLESS)

    together = gather(runner, crowded, [other, replace(asked, id="again")])

    assert text_of(together[1]) == text_of(first)
    assert text_of(first).strip()
