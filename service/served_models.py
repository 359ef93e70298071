"""The sets of models to choose from: what each takes here, which one answers, and the change to another."""

import asyncio
import logging
import threading
from collections.abc import Callable
from pathlib import Path

from service.backend import catalog, model_choices, selection
from service.engine.backend import Backend
from service.engine.catalog import Selection
from service.engine.embedded.choices import Choice, Measured
from service.engine.embedded.switchable import Change, SwitchableBackend
from service.engine.files.build import served_file
from service.engine.files.speeds import Speeds, measure
from service.engine.host import usable_cpus
from service.engine.llama.libraries import best_library, libraries
from service.errors import Conflict, ModelUnavailable, NotFound, ServiceError
from service.messages import Text
from service.schemas.models import Engine, ModelChange, ModelSet, ModelSets
from service.settings import Settings

logger = logging.getLogger(__name__)


class ServedModels:
    """`engine_url` are the servers that answer in place of the catalog's models, if any do."""

    def __init__(self, settings: Settings, backend: Backend) -> None:
        self.engine_url = settings.engine_url
        self._settings = settings
        self._backend = backend
        self._switchable = backend if isinstance(backend, SwitchableBackend) else None
        self._measuring: asyncio.Task[None] | None = None
        self._stopping = threading.Event()
        self.measuring_error: str | None = None

    @property
    def served(self) -> str | None:
        """The name of the set; None if the catalog has none."""
        if self._switchable is not None:
            return self._switchable.selection.set
        return selection(self._settings).set

    @property
    def change(self) -> Change | None:
        return self._switchable.change if self._switchable is not None else None

    @property
    def is_measuring(self) -> bool:
        return self._measuring is not None and not self._measuring.done()

    def choices(self) -> tuple[Choice, ...]:
        return model_choices(self._settings, measured_speed(self._settings))

    def describe(self) -> ModelSets:
        """What each set would take here. It looks at files, so it must not run on the event loop.

        Raises:
            ConfigurationError: the catalog cannot be read or used.
        """
        change, served = self.change, self.served
        return ModelSets(
            served=served,
            engine_url=self.engine_url,
            engines=self.engines(),
            change=change
            and ModelChange(
                name=change.set, phase=change.phase, progress=change.progress, error=change.error
            ),
            is_measuring=self.is_measuring,
            sets=[
                ModelSet(
                    name=one.set,
                    models=list(one.models),
                    licences=list(one.licences),
                    is_served=self.engine_url is None and one.set == served,
                    is_here=one.is_here,
                    untried=one.untried,
                    download_bytes=one.download_bytes,
                    memory_bytes=one.memory_bytes,
                    is_memory_known=one.is_cache_known,
                    tokens_per_s=one.tokens_per_s,
                    obstacle=one.obstacle,
                )
                for one in self.choices()
            ],
        )

    def engines(self) -> list[Engine]:
        """The servers that answer in place of the catalog's models."""
        found = self._backend.stats().engines
        return [Engine.model_validate(one, from_attributes=True) for one in found]

    async def switch(self, name: str) -> None:
        """Begin to serve this set; `change` says how far it is.

        Raises:
            NotFound: there is no such set.
            Conflict: the host cannot run it, or the models cannot be changed now.
        """
        if self._switchable is None:
            raise Conflict(
                Text(
                    "The models of this server cannot be changed here: %(where)s answers.",
                    where=self.engine_url or "another program",
                )
            )
        await self._switchable.switch(await asyncio.to_thread(self._runnable, name))

    def _runnable(self, name: str) -> Selection:
        """The models of a set that the host can run. Raises: as `switch`."""
        choice = next((one for one in self.choices() if one.set == name), None)
        if choice is None:
            raise NotFound(Text("There is no set of models with this name."))
        if choice.obstacle is not None:
            raise Conflict(choice.obstacle)
        return catalog(self._settings).select(name)

    def measure(self) -> None:
        """Begin to measure how fast the served models are here.

        Raises:
            Conflict: they are being measured, or another server answers.
        """
        if self.engine_url is not None:
            raise Conflict(Text("Only models that run on this machine can be measured."))
        if self.is_measuring:
            raise Conflict(Text("The models are being measured already."))
        self.measuring_error = None
        self._measuring = asyncio.create_task(self._measure())

    async def _measure(self) -> None:
        try:
            await asyncio.to_thread(
                measure_speeds,
                self._settings,
                logger.info,
                best_only=True,
                stopping=self._stopping,
            )
        except ServiceError as error:
            self.measuring_error = error.detail

    async def close(self) -> None:
        """Give up a measurement that is under way."""
        self._stopping.set()
        if self._measuring is not None:
            await self._measuring


def measured_speed(settings: Settings) -> Measured | None:
    """How fast the largest measured model of the running library wrote here."""
    try:
        library = str(best_library())
    except ModelUnavailable:
        return None
    found = [one for one in Speeds(settings.data_dir) if one.library == library]
    if not found:
        return None
    largest = max(found, key=lambda one: one.size_bytes)
    return Measured(largest.size_bytes, largest.answer_tokens_per_s)


def measure_speeds(
    settings: Settings,
    tell: Callable[[str], None],
    *,
    best_only: bool = False,
    stopping: threading.Event | None = None,
) -> None:
    """Measure the served models whose files are here, with each library or with the best one.

    Raises:
        ModelUnavailable: one of them cannot be loaded.
    """
    speeds = Speeds(settings.data_dir)
    threads = settings.threads or usable_cpus()
    chosen = [best_library()] if best_only else list(libraries())
    measured: set[Path] = set()
    for model in selection(settings).models:
        weights = served_file(model, settings.models_dir)
        if weights is None:
            tell(f"{model.name} is not here yet; `ideapool models fetch` fetches it.")
            continue
        if weights in measured:
            continue
        measured.add(weights)
        for library in chosen:
            tell(f"Measuring {model.name} with {library} …")
            speed = measure(
                library,
                model.name,
                weights,
                threads=threads,
                gpu_layers=model.gpu_layers,
                stopping=stopping,
            )
            speeds.keep(speed)
