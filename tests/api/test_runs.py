"""The runs service without HTTP: admission, and the events kept for watchers."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from service.analysis.scoring import Scorer
from service.errors import EngineBusy, NotFound
from service.ideation.kinds import Ideation
from service.ideation.use_case import Means
from service.runs.recorder import RunEvent
from service.runs.service import KEPT_WITH_DELTAS, Runs
from service.schemas.brainstorm import BrainstormTask
from service.store import Limits, Store
from service.store.database import Database
from tests.support.fake_backend import FakeBackend

TASK = BrainstormTask(topic="a street party", n=2)
UNPLANNABLE = BrainstormTask(idea_id="nowhere")
Scenario = Callable[[Runs, FakeBackend], Awaitable[Any]]


@pytest.fixture
def play(tmp_path: Path) -> Callable[[Scenario], Any]:
    def run(scenario: Scenario) -> Any:
        database = Database(f"sqlite:///{tmp_path / 'runs.db'}")
        database.migrate()
        store, backend = Store(database, Limits(200, 8192, 20)), FakeBackend()
        store.boards.ensure_one()
        ideation = Ideation(store, backend, Means(Scorer(backend), each_s=10))
        runs = Runs(store, ideation, limit=2, deadline_s=60, ended=lambda _: None)
        try:
            return asyncio.run(asyncio.wait_for(_as_coroutine(scenario, runs, backend), 60))
        finally:
            database.close()

    return run


async def _as_coroutine(scenario: Scenario, *given: Any) -> Any:
    return await scenario(*given)


async def one_after_the_other(runs: Runs, count: int) -> None:
    for _ in range(count):
        await runs.wait((await runs.start(TASK)).run_id)


async def drain(runs: Runs, run_id: str, after: int = 0) -> list[RunEvent]:
    return [event async for event in runs.watch(run_id, after)]


def test_a_refused_run_never_reads_the_store(play: Callable[[Scenario], Any]) -> None:
    async def scenario(runs: Runs, backend: FakeBackend) -> None:
        backend.gate.clear()
        await runs.start(TASK)
        await runs.start(TASK)
        # Reading the store would raise NotFound for this idea.
        with pytest.raises(EngineBusy):
            await runs.start(UNPLANNABLE)
        backend.gate.set()
        await runs.close(60)

    play(scenario)


def test_a_task_that_cannot_be_planned_frees_its_place(
    play: Callable[[Scenario], Any],
) -> None:
    async def scenario(runs: Runs, _: FakeBackend) -> int:
        for _attempt in range(3):
            with pytest.raises(NotFound):
                await runs.start(UNPLANNABLE)
        await one_after_the_other(runs, 1)
        return runs.active

    assert play(scenario) == 0


def test_old_runs_keep_their_events_without_deltas(play: Callable[[Scenario], Any]) -> None:
    async def scenario(runs: Runs, _: FakeBackend) -> Any:
        run_id = (await runs.start(TASK)).run_id
        whole = await drain(runs, run_id)
        await one_after_the_other(runs, KEPT_WITH_DELTAS + 1)
        return whole, await drain(runs, run_id), await drain(runs, run_id, after=whole[-2].id)

    whole, kept, rest = play(scenario)

    assert "delta" in {event.name for event in whole}
    assert kept == [event for event in whole if event.name != "delta"]
    assert rest == whole[-1:]


def test_a_slow_watcher_still_gets_the_deltas_of_an_old_run(
    play: Callable[[Scenario], Any],
) -> None:
    async def scenario(runs: Runs, _: FakeBackend) -> Any:
        run_id = (await runs.start(TASK)).run_id
        watching = runs.watch(run_id)
        first = await anext(watching)
        whole = await drain(runs, run_id)
        await one_after_the_other(runs, KEPT_WITH_DELTAS + 1)
        return whole, [first] + [event async for event in watching]

    whole, told = play(scenario)

    assert told == whole
