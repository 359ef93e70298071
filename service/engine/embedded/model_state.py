"""One served model: its files, whether it can be loaded, and its public state."""

import asyncio
import contextlib
import threading
from dataclasses import dataclass
from pathlib import Path

from service.engine.catalog import Adapter, CatalogModel
from service.engine.files.build import prepare_files
from service.engine.files.checksums import FETCH_ADVICE, PATH_ADVICE
from service.engine.files.download import FetchProgress, Sources
from service.engine.protocol import Load
from service.engine.types import ModelInfo, ModelState
from service.errors import ModelUnavailable
from service.messages import Text

# Size in bytes and time of the last change in ns; None for a file that does not exist.
FileState = tuple[int, int] | None
NO_FILE = (0, 0)


@dataclass(slots=True)
class ServedModel:
    """`path` is the file that is loaded, and `adapter` what is applied to it after loading.

    `last_files` are the states of the files when they were last verified: first the files the
    model is made from, last the one that is loaded. Missing weights are fetched from `sources`.
    """

    model: CatalogModel
    models_dir: Path
    path: Path
    adapter: Adapter | None
    context: int
    sha256: str
    adapter_sha256: str | None
    identity: str = ""
    sources: Sources | None = None
    state: ModelState = "idle"
    progress: float = 0.0
    error: str | None = None
    is_verified: bool = False
    failed_loads: int = 0
    last_files: tuple[FileState, ...] = ()

    @classmethod
    def of(cls, model: CatalogModel, models_dir: Path) -> "ServedModel":
        adapter = model.adapter
        return cls(
            model,
            models_dir,
            path=model.weights_path(models_dir),
            adapter=adapter,
            context=model.context,
            sha256=model.sha256 or "",
            adapter_sha256=adapter.sha256 if adapter is not None else None,
        )

    def set_state(self, state: ModelState, error: str | None = None) -> None:
        self.state, self.error = state, error
        self.progress = 1.0 if state == "ready" else 0.0

    @property
    def advice(self) -> str:
        return FETCH_ADVICE if self.model.path is None else PATH_ADVICE

    def size_bytes(self) -> tuple[int, int]:
        """The sizes of the loaded file and of the adapter that is applied to it."""
        adapter = _file_state(self.adapter.path) if self.adapter is not None else None
        return (_file_state(self.path) or NO_FILE)[0], (adapter or NO_FILE)[0]

    def file_states(self) -> tuple[FileState, ...]:
        adapter = self.model.adapter
        sources = [self.model.weights_path(self.models_dir)]
        if adapter is not None:
            sources.append(adapter.path)
        return tuple(map(_file_state, (*sources, self.path)))

    async def prepare_files(self) -> None:
        """Verify the files, fetch missing weights, and build the file to load where it has to be built.

        Raises:
            ModelUnavailable: a file is missing or wrong.
        """
        is_cancelled = threading.Event()

        def report(progress: FetchProgress) -> None:
            if is_cancelled.is_set():
                raise ModelUnavailable(Text("The server is stopping."))
            self.state = "fetching"
            self.progress = (
                progress.bytes_done / progress.bytes_total if progress.bytes_total else 0
            )

        try:
            files = await asyncio.to_thread(
                prepare_files, self.model, self.models_dir, report, self.sources
            )
        except asyncio.CancelledError:
            is_cancelled.set()
            raise
        self.path, self.sha256, self.identity = files.path, files.sha256, files.identity
        self.adapter, self.adapter_sha256 = files.adapter, files.adapter_sha256
        self.last_files = (*self.last_files[:-1], _file_state(self.path))

    def load_command(self, threads: int | None) -> Load:
        model, adapter = self.model, self.adapter
        return Load(
            weights=str(self.path.resolve()),
            tokens=model.context,
            slots=model.slots,
            cache=model.cache,
            cache_tokens=model.cells,
            threads=threads,
            gpu_layers=model.gpu_layers,
            chat_template=model.chat_template,
            answer_prefix=model.answer_prefix,
            adapter=str(adapter.path) if adapter is not None else None,
            adapter_scale=adapter.scale if adapter is not None else 0.0,
        )

    def info(self) -> ModelInfo:
        head = self.model.score_head
        return ModelInfo(
            name=self.model.name,
            roles=self.model.roles,
            weights_sha256=self.sha256,
            context=self.context,
            slots=self.model.slots,
            adapter_sha256=self.adapter_sha256,
            identity=self.identity,
            score_head=str(head.path) if head is not None else None,
            state=self.state,
            progress=self.progress,
            error=self.error,
            untried=self.model.untried,
        )


def _file_state(path: Path) -> FileState:
    with contextlib.suppress(OSError):
        stat = path.stat()
        return stat.st_size, stat.st_mtime_ns
    return None
