import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from service.engine.catalog import Selection
from service.engine.embedded.switchable import Change, SwitchableBackend
from service.engine.types import Delta, Event, GenerateRequest, Message, ModelInfo, Sampling
from service.errors import Conflict
from tests.support.fake_backend import Endless
from tests.support.prepared_backend import PreparedBackend

OLD, NEW = Selection("old", (), {}), Selection("new", (), {})


def ask(model: str) -> GenerateRequest:
    return GenerateRequest("r", model, (Message("user", "x"),), max_tokens=8, sampling=Sampling())


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def switching(
    old: PreparedBackend, new: PreparedBackend, kept: list[str | None]
) -> SwitchableBackend:
    return SwitchableBackend(
        OLD,
        old,
        lambda _: new,
        switched=lambda chosen: kept.append(chosen.set),
        settle_s=0.3,
        quiet_s=0.02,
    )


async def switched_while_running(
    backend: SwitchableBackend, old: PreparedBackend, new: PreparedBackend
) -> asyncio.Task[str]:
    """Changes to the new set while a request runs on the old one; returns the request's text to be."""
    running = asyncio.create_task(text_of(backend.submit(ask("a"))))
    await until(lambda: bool(old.running))
    await backend.switch(NEW)
    new.files.set()
    return running


def names(models: tuple[ModelInfo, ...]) -> list[str]:
    return [one.name for one in models]


def test_the_old_set_answers_until_the_files_of_the_new_one_are_there() -> None:
    async def scenario() -> None:
        old, new = PreparedBackend("a"), PreparedBackend("b")
        kept: list[str | None] = []
        backend = switching(old, new, kept)
        await backend.start()
        await backend.switch(NEW)
        await asyncio.sleep(0.02)
        assert names(backend.models()) == ["a"]
        assert backend.change is not None
        assert (backend.change.set, backend.change.phase) == ("new", "fetching")
        assert not kept

        new.files.set()
        await until(lambda: new.is_started)
        assert names(backend.models()) == ["b"]
        assert (backend.selection, kept) == (NEW, ["new"])
        assert backend.change is None
        # The memory of the old models is free before the new ones are loaded.
        assert old.is_closed
        await backend.close()

    asyncio.run(scenario())


def test_a_request_on_the_old_models_ends_there_and_the_next_goes_to_the_new_ones() -> None:
    async def scenario() -> None:
        old, new = PreparedBackend("a", "one two three"), PreparedBackend("b", "four")
        old.gate.clear()
        backend = switching(old, new, [])
        running = await switched_while_running(backend, old, new)
        await until(lambda: backend.selection == NEW)
        assert names(backend.models()) == ["b", "a"]
        assert not new.is_started

        old.gate.set()
        assert await running == "one two three"
        assert await text_of(backend.submit(ask("b"))) == "four"
        await until(lambda: new.is_started)
        await backend.close()

    asyncio.run(scenario())


def test_a_request_that_does_not_end_is_given_up_in_the_end() -> None:
    async def scenario() -> None:
        old, new = PreparedBackend("a", Endless("x")), PreparedBackend("b")
        backend = switching(old, new, [])
        running = await switched_while_running(backend, old, new)
        await until(lambda: new.is_started)
        assert old.is_closed
        running.cancel()
        await backend.close()

    asyncio.run(scenario())


def test_a_set_whose_files_cannot_be_had_leaves_the_old_one_in_place_and_says_why() -> None:
    async def scenario() -> None:
        old, new = PreparedBackend("a"), PreparedBackend("b", error="No space left.")
        kept: list[str | None] = []
        backend = switching(old, new, kept)
        await backend.switch(NEW)
        new.files.set()
        await until(lambda: new.is_closed)
        await until(lambda: backend.change is not None and backend.change.phase == "failed")
        assert backend.change == Change("new", "failed", error="No space left.")
        assert (names(backend.models()), backend.selection, kept) == (["a"], OLD, [])
        assert not old.is_closed
        await backend.close()

    asyncio.run(scenario())


def test_choosing_the_served_set_again_ends_a_change_under_way() -> None:
    async def scenario() -> None:
        old, new = PreparedBackend("a"), PreparedBackend("b")
        backend = switching(old, new, [])
        await backend.switch(NEW)
        await asyncio.sleep(0.01)
        await backend.switch(OLD)
        assert (new.is_closed, backend.change, backend.selection) == (True, None, OLD)
        await backend.close()

    asyncio.run(scenario())


def test_no_other_change_begins_while_the_models_are_exchanged() -> None:
    async def scenario() -> None:
        old, new = PreparedBackend("a", Endless("x")), PreparedBackend("b")
        backend = switching(old, new, [])
        running = await switched_while_running(backend, old, new)
        await until(lambda: backend.selection == NEW)
        with pytest.raises(Conflict, match="being exchanged"):
            await backend.switch(OLD)
        await backend.close()
        assert old.is_closed
        running.cancel()

    asyncio.run(scenario())


async def text_of(events: AsyncIterator[Event]) -> str:
    return "".join([event.text async for event in events if isinstance(event, Delta)])
