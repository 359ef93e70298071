"""One client asks the engine for ideation, scoring and training alike."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from service.engine.client import Answer, EngineClient
from service.engine.types import (
    Event,
    Finished,
    GenerateRequest,
    Message,
    Request,
    ScoreRequest,
    Started,
    Usage,
)
from service.errors import EngineBusy, EngineCrashed
from tests.support.fake_backend import FakeBackend

CHAT = (Message("user", "Name a thing to grow."),)
GENERATE = GenerateRequest("", "", CHAT, 8)
SCORE = ScoreRequest("", "", CHAT, "Beans")


class Ended(FakeBackend):
    """Its events end before the outcome."""

    async def submit(self, request: Request) -> AsyncGenerator[Event, None]:
        yield Started(len(request.id))


class Mistaken(FakeBackend):
    """It answers everything as if text had been asked for."""

    async def submit(self, request: Request) -> AsyncGenerator[Event, None]:
        yield Finished("stop", Usage(len(request.id)))


def test_a_text_comes_whole_with_how_it_ended_and_what_it_cost() -> None:
    backend = FakeBackend(["Beans on a string"])
    answer = asyncio.run(EngineClient(backend, "fake").generate(GENERATE))

    assert answer == Answer("Beans on a string", "stop", Usage(5, 0, 4))


def test_requests_are_admitted_under_an_id_of_their_own_and_in_the_name_of_the_client() -> None:
    backend = FakeBackend()
    engine = EngineClient(backend, "fake", client="me")

    async def ask_all() -> None:
        await engine.generate(GENERATE)
        await engine.embed("Beans")
        await engine.probe((CHAT,), ("A", "B", "C"))
        await engine.score(SCORE)

    asyncio.run(ask_all())

    assert len({one.id for one in backend.history}) == 4
    assert all(one.is_admitted and one.client == "me" for one in backend.history)


def test_every_event_is_observed_in_order() -> None:
    seen: list[str] = []

    async def observe(event: Event) -> None:
        seen.append(type(event).__name__)

    client = EngineClient(FakeBackend(["Two words"]), "fake", observe=observe)
    asyncio.run(client.generate(GENERATE))

    assert seen == ["Started", "Delta", "Delta", "Finished"]


def test_refusals_of_the_backend_are_passed_on() -> None:
    with pytest.raises(EngineBusy):
        asyncio.run(EngineClient(FakeBackend(queue_limit=0), "fake").generate(GENERATE))


@pytest.mark.parametrize("backend", [Ended(), Mistaken()], ids=["ended", "mistaken"])
def test_an_answer_without_its_outcome_is_an_error(backend: FakeBackend) -> None:
    engine = EngineClient(backend, "fake")

    for asking in (engine.score(SCORE), engine.embed("Beans"), engine.probe((CHAT,), ("A",))):
        with pytest.raises(EngineCrashed, match="in the middle of an answer"):
            asyncio.run(asking)


def test_cancelling_the_question_cancels_the_request() -> None:
    async def ask_and_leave() -> list[str]:
        backend, has_started = FakeBackend(), asyncio.Event()
        backend.gate.clear()

        async def observe(_: Event) -> None:
            has_started.set()

        client = EngineClient(backend, "fake", observe=observe)
        asking = asyncio.create_task(client.generate(GENERATE))
        await has_started.wait()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        return backend.cancelled

    assert len(asyncio.run(ask_and_leave())) == 1
