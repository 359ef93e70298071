"""The models of a server as they stand: verified, loading, ready, or why they cannot be used.

Decides what is loaded when; how the order reaches the model process is the owner's business.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from service.engine.catalog import CatalogModel
from service.engine.types import ModelInfo, ModelState
from service.engine.weights import FETCH_ADVICE, verified_sha256
from service.engine.wire import Loaded, LoadFailed, Loading
from service.errors import ModelUnavailable

logger = logging.getLogger(__name__)

SLOTS = 1
LOAD_ATTEMPTS = 2
PATH_ADVICE = "Correct the catalog, or put the right file there."
FileState = tuple[int, int] | None


@dataclass(slots=True)
class ServedModel:
    """`seen` is the state its files had when they were last tried."""

    model: CatalogModel
    path: Path
    context: int
    sha256: str
    adapter_sha256: str | None
    state: ModelState = "idle"
    progress: float = 0.0
    error: str | None = None
    is_verified: bool = False
    failed_loads: int = 0
    seen: tuple[FileState, ...] = ()

    @classmethod
    def of(cls, model: CatalogModel, models_dir: Path) -> "ServedModel":
        adapter_sha256 = model.adapter.sha256 if model.adapter is not None else None
        path = model.weights_path(models_dir)
        return cls(model, path, model.context, model.sha256 or "", adapter_sha256)

    def settle(self, state: ModelState, error: str | None = None) -> None:
        self.state, self.error = state, error
        self.progress = 1.0 if state == "ready" else 0.0

    @property
    def advice(self) -> str:
        return FETCH_ADVICE if self.model.path is None else PATH_ADVICE

    def file_states(self) -> tuple[FileState, ...]:
        adapter = self.model.adapter
        paths = [self.path] if adapter is None else [self.path, adapter.path]
        return tuple(map(_file_state, paths))

    def verify(self) -> None:
        """Hashes; not for the event loop's thread. Raises ModelUnavailable."""
        self.sha256 = verified_sha256(self.path, self.model.sha256, advice=self.advice)
        adapter = self.model.adapter
        if adapter is not None:
            found = verified_sha256(adapter.path, adapter.sha256, advice=PATH_ADVICE)
            self.adapter_sha256 = found

    def info(self) -> ModelInfo:
        head = self.model.score_head
        return ModelInfo(
            name=self.model.name,
            roles=self.model.roles,
            weights_sha256=self.sha256,
            context=self.context,
            slots=SLOTS,
            adapter_sha256=self.adapter_sha256,
            score_head=str(head.path) if head is not None else None,
            state=self.state,
            progress=self.progress,
            error=self.error,
        )


class Shelf:
    def __init__(
        self,
        models: tuple[CatalogModel, ...],
        models_dir: Path,
        *,
        send_load: Callable[[CatalogModel, Path], None],
        on_failed: Callable[[str, str], None],
    ) -> None:
        """`on_failed` gets a model's name and why it cannot be used."""
        self._served = {one.name: ServedModel.of(one, models_dir) for one in models}
        self._send_load = send_load
        self._on_failed = on_failed
        self._loading: ServedModel | None = None

    def __iter__(self) -> Iterator[ServedModel]:
        return iter(self._served.values())

    @property
    def is_loading(self) -> bool:
        return self._loading is not None

    @property
    def ready(self) -> list[str]:
        return [name for name, one in self._served.items() if one.state == "ready"]

    def usable(self, name: str) -> ServedModel | None:
        """None if the model is on its way or ready; itself if its files must be tried again.

        Raises:
            ModelUnavailable: it is unknown, or cannot be used and its files have not changed.
        """
        served = self._served.get(name)
        if served is None:
            known = ", ".join(self._served)
            raise ModelUnavailable(f"There is no model {name!r}; there are: {known}.")
        if served.state not in ("absent", "failed"):
            return None
        if served.file_states() == served.seen:
            raise ModelUnavailable(served.error or f"The model {name} cannot be used.")
        served.settle("loading")
        served.failed_loads = 0
        return served

    async def prepare(self, *models: ServedModel) -> None:
        """Verify files, then have them loaded, in this order."""
        for served in models or self:
            served.settle("loading")
            served.seen = served.file_states()
            try:
                await asyncio.to_thread(served.verify)
            except ModelUnavailable as error:
                self._fail(served, error.detail, "absent" if None in served.seen else "failed")
            else:
                served.is_verified = True
                self._send_load(served.model, served.path)

    def on_up(self) -> None:
        """A new process has no models."""
        for served in self:
            if served.is_verified:
                self._send_load(served.model, served.path)

    def on_report(self, name: str, report: Loading | Loaded | LoadFailed) -> None:
        served = self._served[name]
        if isinstance(report, Loading):
            self._loading = served
            served.progress = report.progress
            return
        self._loading = None
        if isinstance(report, Loaded):
            served.failed_loads = 0
            served.context = report.tokens
            served.settle("ready")
        else:
            self._fail(served, f"{report.detail} (SHA-256 {served.sha256}) {served.advice}")

    def on_down(self) -> None:
        """A file that ends the process each time it is opened must not take the others along."""
        blamed, self._loading = self._loading, None
        if blamed is not None:
            blamed.failed_loads += 1
            if blamed.failed_loads >= LOAD_ATTEMPTS:
                self._fail(
                    blamed,
                    f"The model process ended while it opened {blamed.path} (SHA-256 "
                    f"{blamed.sha256}): the file is damaged, or there is too little memory. "
                    f"{blamed.advice}",
                )
        for served in self:
            if served.state == "ready":
                served.settle("loading")

    def _fail(self, served: ServedModel, detail: str, state: ModelState = "failed") -> None:
        logger.error("Model %s: %s", served.model.name, detail)
        served.is_verified = False
        served.settle(state, detail)
        self._on_failed(served.model.name, detail)


def _file_state(path: Path) -> FileState:
    with contextlib.suppress(OSError):
        stat = path.stat()
        return stat.st_size, stat.st_mtime_ns
    return None
