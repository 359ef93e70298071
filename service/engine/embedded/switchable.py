"""Serves one set of the catalog, and changes to another while the server runs.

The files of the new set are fetched and built while the old one still answers. Then new requests
wait for the new models, running ones end on the old, and the old memory is freed before the new
models are loaded.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from service.engine.backend import Backend
from service.engine.catalog import Selection
from service.engine.types import Event, ModelInfo, Request, Role, Stats
from service.errors import Conflict
from service.messages import Text

logger = logging.getLogger(__name__)

POLL_S = 0.1


class PreparableBackend(Backend, Protocol):
    async def prepare(self) -> None:
        """Verify, fetch and build the files; `models` tells what is wrong. Loads nothing."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change to another set that is under way, or the last one if that failed.

    `progress` is 0 to 1 while files are fetched or built.
    """

    set: str | None
    phase: Literal["fetching", "ending", "failed"]
    progress: float = 0.0
    error: str | None = None


class SwitchableBackend:
    """Implements `Backend` with the backend of the set that is served."""

    def __init__(
        self,
        selection: Selection,
        current: PreparableBackend,
        build: Callable[[Selection], PreparableBackend],
        *,
        switched: Callable[[Selection], None],
        settle_s: float = 60,
        quiet_s: float = 1.0,
    ) -> None:
        """`current` serves the selection, and `build` makes the backend of another one.

        `switched` is called when another set is served.

        `settle_s` is how long requests on the old set may still take. They have ended when there was
        none for `quiet_s`: a run asks for one thing after the other.
        """
        self.selection = selection
        self._build = build
        self._switched = switched
        self._settle_s = settle_s
        self._quiet_s = quiet_s
        self._current = current
        self._ending: PreparableBackend | None = None
        self._candidate: tuple[Selection, PreparableBackend] | None = None
        self._failed: Change | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def change(self) -> Change | None:
        if self._candidate is not None:
            selection, backend = self._candidate
            share = min((one.progress for one in backend.models()), default=0.0)
            return Change(selection.set, "fetching", share)
        if self._ending is not None:
            return Change(self.selection.set, "ending", 1.0)
        return self._failed

    async def switch(self, selection: Selection) -> None:
        """Begin to change to these models. The set that is served now ends a change under way.

        Raises:
            Conflict: the models are just being exchanged.
        """
        if self._ending is not None:
            raise Conflict(Text("The models are being exchanged. Try again in a minute."))
        await self._stop_change()
        self._failed = None
        if selection.set != self.selection.set:
            self._task = asyncio.create_task(self._change(selection))

    async def _change(self, selection: Selection) -> None:
        candidate = self._build(selection)
        self._candidate = (selection, candidate)
        try:
            await candidate.prepare()
        except BaseException:
            self._candidate = None
            await candidate.close()
            raise
        self._candidate = None
        broken = next((one for one in candidate.models() if one.error), None)
        if broken is not None:
            self._failed = Change(selection.set, "failed", error=broken.error)
            await candidate.close()
            return
        self._ending, self._current = self._current, candidate
        self.selection = selection
        self._switched(selection)
        logger.info("Serving the set %s from now on.", selection.set)
        await self._settle(self._ending)
        await self._ending.close()
        self._ending = None
        await candidate.start()

    async def _settle(self, old: Backend) -> None:
        """Wait until nothing asks the old models any more."""
        deadline = time.monotonic() + self._settle_s
        quiet_since = time.monotonic()
        while (now := time.monotonic()) < deadline and now - quiet_since < self._quiet_s:
            await asyncio.sleep(POLL_S)
            stats = old.stats()
            if stats.running or stats.waiting:
                quiet_since = time.monotonic()

    async def _stop_change(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def start(self) -> None:
        await self._current.start()

    async def close(self) -> None:
        await self._stop_change()
        if self._ending is not None:
            await self._ending.close()
        await self._current.close()

    def submit(self, request: Request) -> AsyncGenerator[Event, None]:
        return self._backend_of(request.model).submit(request)

    def _backend_of(self, model: str) -> Backend:
        """A run that began on the old models goes on there."""
        names = {one.name for one in self._current.models()}
        if self._ending is not None and model not in names:
            return self._ending
        return self._current

    async def cancel(self, request_id: str) -> None:
        await self._current.cancel(request_id)
        if self._ending is not None:
            await self._ending.cancel(request_id)

    def model_for(self, role: Role) -> ModelInfo:
        return self._current.model_for(role)

    def models(self) -> tuple[ModelInfo, ...]:
        """Those of the set that is served, and the old ones as long as they answer."""
        models = self._current.models()
        if self._ending is None:
            return models
        names = {one.name for one in models}
        return (*models, *(one for one in self._ending.models() if one.name not in names))

    def stats(self) -> Stats:
        return self._current.stats()
