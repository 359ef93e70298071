"""The state of each served model: unverified, idle, loading, ready, or why it cannot be used.

Which models are in memory is planned by `residency`. How a command reaches the model process is
the listener's business.
"""

import logging
from collections.abc import Iterator, Mapping
from math import inf
from pathlib import Path
from typing import Protocol

from service.engine.admission.fair_queue import RequestCounts
from service.engine.catalog import CatalogModel
from service.engine.embedded.model_state import ServedModel
from service.engine.embedded.residency import MemoryPlanner
from service.engine.protocol import Load, Loaded, Loading, ModelReport, Unload, Unloaded
from service.engine.types import ModelState
from service.errors import ModelUnavailable
from service.messages import Text

logger = logging.getLogger(__name__)

LOAD_ATTEMPTS = 2
# Memory of a model that was never loaded, as a multiple of its file's size.
SIZE_ESTIMATE = 1.1


class RegistryListener(Protocol):
    def send_command(self, name: str, command: Load | Unload) -> None:
        """Send a command about the model to the model process."""

    def on_models_changed(self) -> None:
        """Another model can be loaded; `ModelRegistry.plan` should be called soon."""

    def on_model_failed(self, name: str, detail: str) -> None:
        """The model cannot be used; `detail` says why and what to do."""


class ModelRegistry:
    def __init__(
        self,
        models: tuple[CatalogModel, ...],
        models_dir: Path,
        *,
        listener: RegistryListener,
        threads: int | None,
        memory_limit_bytes: int | None,
    ) -> None:
        self._served = {one.name: ServedModel.of(one, models_dir) for one in models}
        self._listener = listener
        self._threads = threads
        self._memory = MemoryPlanner(memory_limit_bytes)
        self._loading: ServedModel | None = None
        self.plan_again_at = inf

    def __iter__(self) -> Iterator[ServedModel]:
        return iter(self._served.values())

    @property
    def is_changing(self) -> bool:
        """Whether the process is loading or unloading a model."""
        return self._memory.is_changing

    def usable(self, name: str) -> ServedModel | None:
        """None if requests of the model can wait for it; the model if `prepare` must come first.

        Raises:
            ModelUnavailable: the model is unknown, or it failed and its files have not changed.
        """
        served = self._served.get(name)
        if served is None:
            known = ", ".join(self._served)
            raise ModelUnavailable(
                Text(
                    "There is no model %(name)s. The catalog has: %(known)s.",
                    name=repr(name),
                    known=known,
                )
            )
        is_idle = served.is_verified and served.state == "idle"
        if served.state not in ("absent", "failed") and not is_idle:
            return None
        if served.file_states() == served.last_files:
            if is_idle:
                return None
            raise ModelUnavailable(served.error or f"The model {name} cannot be used.")
        self._withdraw(served)
        served.set_state("loading")
        served.failed_loads = 0
        return served

    async def prepare(self, *models: ServedModel) -> None:
        """Verify the files of these models, or of all, and build missing ones; then they can load."""
        for served in models or self:
            served.set_state("loading")
            served.last_files = served.file_states()
            try:
                await served.prepare_files()
            except ModelUnavailable as error:
                is_absent = None in served.last_files[:-1]
                self._fail(served, error.detail, "absent" if is_absent else "failed")
            else:
                served.set_state("loading")
                self._admit(served)

    def plan(self, counts: Mapping[str, RequestCounts], now: float) -> tuple[str, ...]:
        """Load and unload models as needed; returns the models whose requests may start."""
        plan = self._memory.plan(counts, now)
        self.plan_again_at = plan.plan_again_at
        for name in plan.unload:
            self._served[name].set_state("idle")
            self._listener.send_command(name, Unload())
        if plan.load is not None:
            self._listener.send_command(
                plan.load, self._served[plan.load].load_command(self._threads)
            )
        for name, served in self._served.items():
            if served.is_verified and served.state != "ready":
                served.state = "loading" if self._memory.is_wanted_or_loading(name) else "idle"
        return plan.serving

    def on_report(self, name: str, report: ModelReport, now: float) -> None:
        served = self._served[name]
        if isinstance(report, Loading):
            self._loading = served
            served.progress = report.progress
        elif isinstance(report, Unloaded):
            self._memory.on_unloaded(name)
        else:
            self._loading = None
            if isinstance(report, Loaded):
                self._on_loaded(served, report, now)
            else:
                self._fail(served, f"{report.detail} (SHA-256 {served.sha256}) {served.advice}")

    def on_down(self) -> None:
        """Give up a model whose file has ended the process twice, so that the others can run."""
        self._memory.on_process_gone()
        suspect, self._loading = self._loading, None
        if suspect is not None:
            suspect.failed_loads += 1
            if suspect.failed_loads >= LOAD_ATTEMPTS:
                self._fail(
                    suspect,
                    f"The model process stopped while it loaded {suspect.path} (SHA-256 "
                    f"{suspect.sha256}): the file is damaged, or there is too little memory. "
                    f"{suspect.advice}",
                )
        for served in self:
            if served.state == "ready":
                served.set_state("loading")

    def _admit(self, served: ServedModel) -> None:
        model = served.model
        weights = (served.path.resolve(), model.gpu_layers)
        weights_bytes, adapter_bytes = (int(SIZE_ESTIMATE * size) for size in served.size_bytes())
        self._memory.add(model.name, weights, weights_bytes, adapter_bytes)
        served.is_verified = True
        self._check_size(served)
        self._listener.on_models_changed()

    def _on_loaded(self, served: ServedModel, report: Loaded, now: float) -> None:
        served.failed_loads = 0
        served.context = report.tokens
        served.set_state("ready")
        self._memory.on_loaded(served.model.name, report.weights_bytes, report.own_bytes, now)
        if not self._check_size(served):
            self._listener.send_command(served.model.name, Unload())

    def _check_size(self, served: ServedModel) -> bool:
        name = served.model.name
        if self._memory.can_ever_fit(name):
            return True
        needed = self._memory.needed_bytes([name]) / 1e6
        self._fail(
            served,
            f"The model {name} needs about {needed:.0f} MB of memory, and models may take "
            f"{self._memory.limit / 1e6:.0f} MB. Raise IDEAPOOL_MEMORY_LIMIT_MB, or give the model "
            "a shorter context or fewer slots in the catalog.",
        )
        return False

    def _fail(self, served: ServedModel, detail: str, state: ModelState = "failed") -> None:
        logger.error("Model %s: %s", served.model.name, detail)
        self._withdraw(served)
        served.set_state(state, detail)
        self._listener.on_model_failed(served.model.name, detail)

    def _withdraw(self, served: ServedModel) -> None:
        served.is_verified = False
        self._memory.remove(served.model.name)
