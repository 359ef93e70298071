"""After a dead process or a bad file, the server goes on and says what to do."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from service.engine.catalog import CatalogModel
from service.engine.embedded.backend import EmbeddedBackend
from service.engine.types import Delta, Event, Finished, Started
from service.errors import EngineCrashed, ModelUnavailable
from tests.engine.conftest import ENDLESS, Ask, Collect, NewBackend, settle
from tests.engine.test_turns import LONG, drain, read, until, until_running
from tests.support.timing import quickest

# Long enough to start a process and load its model, even on a slow and busy machine.
STALL_S = 10.0
PROJECT = Path(__file__).resolve().parents[2]
PARENT = """
import asyncio, sys
from pathlib import Path
from service.engine.catalog import CatalogModel, Selection
from service.engine.embedded.backend import EmbeddedBackend
from service.engine.types import GenerateRequest, Message

async def main() -> None:
    model = CatalogModel("m", ("brainstorm", "general"), path=Path(sys.argv[1]), context=2048)
    backend = EmbeddedBackend(
        Selection(None, (model,), {"brainstorm": model, "general": model}), models_dir=Path(".")
    )
    await backend.start()
    request = GenerateRequest("1", "m", (Message("user", "Count."),), 1900)
    async for event in backend.submit(request):
        print(backend.stats().process_id, flush=True)

asyncio.run(main())
"""


def is_alive(process_id: int) -> bool:
    try:
        return Path(f"/proc/{process_id}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


async def pid_of(backend: EmbeddedBackend) -> int:
    await until(lambda: backend.stats().process_id)
    return backend.stats().process_id or 0


def test_a_killed_process_fails_its_running_request_and_the_next_one_works(
    runner: asyncio.Runner, new_backend: NewBackend, small: CatalogModel, ask: Ask
) -> None:
    async def scenario(backend: EmbeddedBackend) -> tuple[EngineCrashed, list[Event], float]:
        stream = backend.submit(ask(max_tokens=1500, sampling=ENDLESS))
        while not isinstance(await anext(stream), Delta):
            pass
        waiting = asyncio.create_task(drain(backend, ask(max_tokens=4)))
        os.kill(await pid_of(backend), signal.SIGKILL)
        began = time.monotonic()
        with pytest.raises(EngineCrashed) as crash:
            async for _ in stream:
                pass
        events = await waiting
        return crash.value, events, time.monotonic() - began

    def attempt() -> float:
        backend = new_backend(small)
        crash, events, took_s = runner.run(scenario(backend))

        assert crash.detail.startswith("The model process stopped")
        assert isinstance(events[-1], Finished)
        assert backend.stats().restarts == 1
        assert backend.stats().running == 0
        return took_s

    assert quickest(attempt, 10) < 10


def test_a_request_that_had_not_started_is_sent_again(
    runner: asyncio.Runner, new_backend: NewBackend, small: CatalogModel, ask: Ask
) -> None:
    backend = new_backend(small)

    async def scenario() -> list[Event]:
        process_id = await pid_of(backend)
        os.kill(process_id, signal.SIGSTOP)
        request = asyncio.create_task(drain(backend, ask(max_tokens=4)))
        await until_running(backend)
        os.kill(process_id, signal.SIGKILL)
        return await request

    assert isinstance(runner.run(scenario())[-1], Finished)


def test_a_process_that_hangs_is_killed(
    runner: asyncio.Runner, new_backend: NewBackend, small: CatalogModel, ask: Ask
) -> None:
    backend = new_backend(small, stall_s=STALL_S)

    async def scenario() -> list[Event]:
        stream = backend.submit(ask(LONG, max_tokens=4))
        while not isinstance(await anext(stream), Started):
            pass
        os.kill(await pid_of(backend), signal.SIGSTOP)
        with pytest.raises(EngineCrashed):
            async for _ in stream:
                pass
        return await drain(backend, ask(max_tokens=4))

    assert isinstance(runner.run(scenario())[-1], Finished)


def test_a_process_that_hangs_fails_its_requests_and_waiting_ones_are_served(
    runner: asyncio.Runner, new_backend: NewBackend, small: CatalogModel, ask: Ask
) -> None:
    backend = new_backend(replace(small, slots=3), stall_s=STALL_S)

    async def scenario() -> tuple[list[BaseException | None], list[Event]]:
        seen: list[list[Event]] = [[] for _ in range(3)]
        running = [
            asyncio.create_task(read(backend, ask(max_tokens=1500, sampling=ENDLESS), events))
            for events in seen
        ]
        await until(lambda: all(Started in map(type, events) for events in seen))
        streams = [backend.submit(ask(max_tokens=4)) for _ in range(2)]
        waiting = [asyncio.create_task(anext(stream)) for stream in streams]
        await until(lambda: backend.stats().waiting == 2)
        os.kill(await pid_of(backend), signal.SIGSTOP)
        ended = await asyncio.gather(*running, return_exceptions=True)
        await asyncio.gather(*waiting)
        return ended, [event for stream in streams async for event in stream]

    ended, served = runner.run(scenario())

    assert [type(one) for one in ended] == [EngineCrashed] * 3
    assert [type(one) for one in served if isinstance(one, Finished)] == [Finished] * 2
    assert backend.stats().restarts == 1
    assert backend.stats().running == backend.stats().waiting == 0


def test_several_requests_without_output_are_sent_again(
    runner: asyncio.Runner, new_backend: NewBackend, small: CatalogModel, ask: Ask
) -> None:
    backend = new_backend(small, stall_s=STALL_S)

    async def scenario() -> list[list[Event]]:
        os.kill(await pid_of(backend), signal.SIGSTOP)
        return await asyncio.gather(*(drain(backend, ask(max_tokens=4)) for _ in range(4)))

    results = runner.run(scenario())

    assert all(isinstance(events[-1], Finished) for events in results)
    assert backend.stats().restarts == 1


def test_the_process_ends_when_its_parent_is_killed(small_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(small_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PROJECT) as parent:
        assert parent.stdout is not None
        child = int([parent.stdout.readline() for _ in range(5)][-1])
        assert is_alive(child)
        parent.kill()
    deadline = time.monotonic() + 5
    while is_alive(child) and time.monotonic() < deadline:
        time.sleep(0.02)

    assert not is_alive(child)


def truncated(source: Path, target: Path) -> None:
    with source.open("rb") as whole, target.open("wb") as part:
        part.write(whole.read(30_000_000))


def bit_flipped(source: Path, target: Path) -> None:
    shutil.copy(source, target)
    with target.open("r+b") as file:
        file.seek(50_000_000)
        byte = file.read(1)[0]
        file.seek(50_000_000)
        file.write(bytes([byte ^ 1]))


def tiny(_: Path, target: Path) -> None:
    target.write_bytes(b"GGUF" + bytes(range(33)))


def empty(_: Path, target: Path) -> None:
    target.touch()


def missing(_: Path, __: Path) -> None:
    pass


@pytest.mark.parametrize("damage", [missing, empty, tiny, truncated, bit_flipped])
def test_a_file_with_the_wrong_hash_is_named_with_that_hash(
    runner: asyncio.Runner,
    new_backend: NewBackend,
    small: CatalogModel,
    small_path: Path,
    tmp_path: Path,
    ask: Ask,
    damage: Callable[[Path, Path], None],
) -> None:
    path = tmp_path / "weights.gguf"
    damage(small_path, path)
    backend = new_backend(replace(small, path=path, wheels=None, file=None))

    with pytest.raises(ModelUnavailable) as refusal:
        runner.run(drain(backend, ask()))
    (info,) = backend.models()

    assert str(path) in refusal.value.detail
    assert str(small.sha256) in refusal.value.detail
    assert info.error == refusal.value.detail
    assert info.state == ("absent" if damage is missing else "failed")


@pytest.mark.parametrize("damage", [empty, tiny, truncated])
def test_a_damaged_file_does_not_harm_other_models(
    runner: asyncio.Runner,
    new_backend: NewBackend,
    small: CatalogModel,
    small_path: Path,
    tmp_path: Path,
    ask: Ask,
    damage: Callable[[Path, Path], None],
) -> None:
    path = tmp_path / "mine.gguf"
    damage(small_path, path)
    mine = CatalogModel("mine", ("brainstorm",), path=path)
    backend = new_backend(mine, replace(small, roles=("general",)))

    with pytest.raises(ModelUnavailable, match=r"mine\.gguf"):
        runner.run(drain(backend, ask(model="mine")))

    assert isinstance(runner.run(drain(backend, ask(max_tokens=4)))[-1], Finished)


def test_a_model_file_that_appears_later_is_used_without_a_restart(
    runner: asyncio.Runner,
    new_backend: NewBackend,
    small_path: Path,
    tmp_path: Path,
    ask: Ask,
    collect: Collect,
) -> None:
    path = tmp_path / "mine.gguf"
    backend = new_backend(CatalogModel("mine", ("brainstorm", "general"), path=path))
    with pytest.raises(ModelUnavailable):
        collect(ask(model="mine"), backend)
    path.symlink_to(small_path)

    assert isinstance(collect(ask(model="mine", max_tokens=2), backend)[-1], Finished)
    assert backend.model_for("general").weights_sha256
    runner.run(settle(backend))
