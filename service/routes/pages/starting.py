"""Starts a run from a form and says where it is to be watched."""

import asyncio

from fastapi import Request

from service.ideation import plan
from service.routes.pages.once import Once
from service.runs import Runs
from service.shapes import Task
from service.store import Store


class Starter:
    def __init__(self, request: Request, runs: Runs, once: Once) -> None:
        self._store: Store = request.app.state.store
        self._backend = request.app.state.backend
        self._runs = runs
        self._once = once
        self._client = request.client.host if request.client else ""

    async def start(self, task: Task) -> str:
        """The run's id.

        Raises: what `plan` and `Runs.start` raise.
        """

        async def begin() -> str:
            new, work = await asyncio.to_thread(plan, task, self._store, self._backend)
            run = await self._runs.start(new, work, client=self._client)
            return run.run_id

        return await self._once.do(f"{self._client} {task!r}", begin, is_current=self._is_under_way)

    def _is_under_way(self, run_id: str) -> bool:
        """A run that is over is asked for again on purpose, however soon."""
        live = self._runs.live(run_id)
        return live is not None and not live.is_over
