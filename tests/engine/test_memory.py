"""Two models and memory for one: they take turns, and no request is cut off."""

import asyncio
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from service.engine.catalog import CatalogModel
from service.engine.embedded.backend import EmbeddedBackend
from service.engine.types import Delta, Event, Finished
from service.errors import ModelUnavailable
from tests.engine.conftest import Ask, NewBackend
from tests.engine.test_turns import drain, until

MEGABYTE = 1_000_000
# A model has about 98 MB of weights and, for two slots of 512 tokens, 24 MB of cache.
ROOM_FOR_ONE, ROOM_FOR_BOTH = 170 * MEGABYTE, 300 * MEGABYTE


@pytest.fixture(scope="module")
def pair(
    small: CatalogModel, small_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[CatalogModel, CatalogModel]:
    """The small model, and a second one from a copy of its file."""
    copy = tmp_path_factory.mktemp("models") / "copy.gguf"
    shutil.copy(small_path, copy)
    lean = replace(small, slots=2, context=512, quantise=None)
    return (
        replace(lean, name="one", roles=("brainstorm",)),
        replace(lean, name="two", roles=("general",), path=copy, wheels=None, file=None),
    )


def states(backend: EmbeddedBackend) -> dict[str, str]:
    return {info.name: info.state for info in backend.models()}


async def until_states(backend: EmbeddedBackend, **wanted: str) -> None:
    await until(lambda: states(backend) == wanted)


def resident_bytes(backend: EmbeddedBackend) -> int:
    text = Path(f"/proc/{backend.stats().process_id}/statm").read_text()
    return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_models_that_fit_are_all_loaded(
    runner: asyncio.Runner, new_backend: NewBackend, pair: tuple[CatalogModel, CatalogModel]
) -> None:
    backend = new_backend(*pair, ready=False, memory_limit_bytes=ROOM_FOR_BOTH)

    runner.run(until_states(backend, one="ready", two="ready"))


def test_models_of_one_file_share_their_memory(
    runner: asyncio.Runner, new_backend: NewBackend, pair: tuple[CatalogModel, CatalogModel]
) -> None:
    one, _ = pair
    backend = new_backend(
        one, replace(one, name="two"), ready=False, memory_limit_bytes=ROOM_FOR_ONE
    )

    runner.run(until_states(backend, one="ready", two="ready"))


def test_a_model_with_requests_replaces_an_idle_one(
    runner: asyncio.Runner,
    new_backend: NewBackend,
    pair: tuple[CatalogModel, CatalogModel],
    ask: Ask,
) -> None:
    backend = new_backend(*pair, ready=False, memory_limit_bytes=ROOM_FOR_ONE)

    async def scenario() -> tuple[int, int]:
        await until_states(backend, one="ready", two="idle")
        await drain(backend, ask(model="one", max_tokens=2))
        before = resident_bytes(backend)
        events = await drain(backend, ask(model="two", max_tokens=2))
        assert isinstance(events[-1], Finished)
        assert states(backend) == {"one": "idle", "two": "ready"}
        return before, resident_bytes(backend)

    before, after = runner.run(scenario())

    assert after < before + 60 * MEGABYTE


def test_a_busy_model_is_not_unloaded_and_the_waiting_one_shows_as_loading(
    runner: asyncio.Runner,
    new_backend: NewBackend,
    pair: tuple[CatalogModel, CatalogModel],
    ask: Ask,
) -> None:
    backend = new_backend(*pair, ready=False, memory_limit_bytes=ROOM_FOR_ONE)

    async def scenario() -> tuple[list[Event], list[Event]]:
        await until_states(backend, one="ready", two="idle")
        busy = backend.submit(ask(model="one", max_tokens=200))
        events: list[Event] = []
        while not any(isinstance(event, Delta) for event in events):
            events.append(await anext(busy))
        waiting = asyncio.create_task(drain(backend, ask(model="two", max_tokens=2)))
        await until_states(backend, one="ready", two="loading")
        events += [event async for event in busy]
        return events, await waiting

    busy, waited = runner.run(scenario())

    assert isinstance(busy[-1], Finished)
    assert isinstance(waited[-1], Finished)
    assert states(backend) == {"one": "idle", "two": "ready"}


def test_two_busy_models_take_turns_until_all_requests_are_done(
    runner: asyncio.Runner,
    new_backend: NewBackend,
    pair: tuple[CatalogModel, CatalogModel],
    ask: Ask,
) -> None:
    backend = new_backend(*pair, ready=False, memory_limit_bytes=ROOM_FOR_ONE)

    async def scenario() -> list[list[Event]]:
        requests = [ask(model=model, max_tokens=8) for _ in range(6) for model in ("one", "two")]
        return await asyncio.gather(*(drain(backend, request) for request in requests))

    results = runner.run(scenario())

    assert all(isinstance(events[-1], Finished) for events in results)
    assert backend.stats().running == backend.stats().waiting == 0


def test_a_model_larger_than_the_budget_is_refused_with_both_sizes(
    runner: asyncio.Runner,
    new_backend: NewBackend,
    pair: tuple[CatalogModel, CatalogModel],
    ask: Ask,
) -> None:
    backend = new_backend(pair[0], memory_limit_bytes=50 * MEGABYTE)

    with pytest.raises(ModelUnavailable, match=r"108 MB .* 50 MB") as refusal:
        runner.run(drain(backend, ask(model="one")))

    assert "IDEAPOOL_MEMORY_LIMIT_MB" in refusal.value.detail
    assert states(backend) == {"one": "failed"}


def test_a_model_that_proves_larger_than_the_budget_is_unloaded(
    runner: asyncio.Runner,
    new_backend: NewBackend,
    pair: tuple[CatalogModel, CatalogModel],
    ask: Ask,
) -> None:
    large = replace(pair[0], slots=8, context=2048)
    backend = new_backend(large, pair[1], ready=False, memory_limit_bytes=ROOM_FOR_ONE)

    async def scenario() -> None:
        await until_states(backend, one="failed", two="ready")
        with pytest.raises(ModelUnavailable, match="fewer slots"):
            await drain(backend, ask(model="one"))

    runner.run(scenario())

    assert resident_bytes(backend) < ROOM_FOR_BOTH


def test_a_model_with_requests_is_loaded_again_after_a_crash(
    runner: asyncio.Runner,
    new_backend: NewBackend,
    pair: tuple[CatalogModel, CatalogModel],
    ask: Ask,
) -> None:
    backend = new_backend(*pair, ready=False, memory_limit_bytes=ROOM_FOR_ONE)

    async def scenario() -> list[Event]:
        await until_states(backend, one="ready", two="idle")
        os.kill(backend.stats().process_id or 0, 9)
        return await drain(backend, ask(model="two", max_tokens=2))

    assert isinstance(runner.run(scenario())[-1], Finished)


def test_a_file_that_changed_while_its_model_was_unloaded_is_verified_again(
    runner: asyncio.Runner,
    new_backend: NewBackend,
    pair: tuple[CatalogModel, CatalogModel],
    ask: Ask,
    tmp_path: Path,
) -> None:
    one, two = pair
    path = tmp_path / "copy.gguf"
    shutil.copy(str(two.path), path)
    backend = new_backend(
        one, replace(two, path=path), ready=False, memory_limit_bytes=ROOM_FOR_ONE
    )

    async def scenario() -> None:
        await until_states(backend, one="ready", two="idle")
        with path.open("ab") as file:
            file.write(b"more")
        with pytest.raises(ModelUnavailable, match=r"copy\.gguf"):
            await drain(backend, ask(model="two"))

    runner.run(scenario())
