"""The models of a server as they stand: verified, loading, ready, or why they cannot be used.

Which of them are in memory is planned elsewhere, and how an order reaches the model process is the
owner's business.
"""

import logging
from collections.abc import Iterator, Mapping
from math import inf
from pathlib import Path
from typing import Protocol

from service.engine.catalog import CatalogModel
from service.engine.embedded.model_state import ServedModel
from service.engine.embedded.residency import Demand, Memory
from service.engine.protocol import Load, Loaded, Loading, ModelReport, Unload, Unloaded
from service.engine.types import ModelState
from service.errors import ModelUnavailable
from service.messages import Text

logger = logging.getLogger(__name__)

LOAD_ATTEMPTS = 2
# Until a model has been loaded, its size is guessed from the file's.
GUESS = 1.1


class Owner(Protocol):
    def send_order(self, name: str, order: Load | Unload) -> None: ...

    def on_models_changed(self) -> None:
        """A model can be loaded now: time for a plan."""

    def on_model_failed(self, name: str, detail: str) -> None: ...


class ModelRegistry:
    def __init__(
        self,
        models: tuple[CatalogModel, ...],
        models_dir: Path,
        *,
        owner: Owner,
        threads: int | None,
        memory_limit_bytes: int | None,
    ) -> None:
        self._served = {one.name: ServedModel.of(one, models_dir) for one in models}
        self._owner = owner
        self._threads = threads
        self._memory = Memory(memory_limit_bytes)
        self._opening: ServedModel | None = None
        self.wake_at = inf

    def __iter__(self) -> Iterator[ServedModel]:
        return iter(self._served.values())

    @property
    def is_moving(self) -> bool:
        """Whether the process loads or frees a model."""
        return self._memory.is_moving

    def usable(self, name: str) -> ServedModel | None:
        """None if the model can be asked; itself if its files must be verified again first.

        Raises:
            ModelUnavailable: it is unknown, or cannot be used and its files have not changed.
        """
        served = self._served.get(name)
        if served is None:
            known = ", ".join(self._served)
            raise ModelUnavailable(
                Text(
                    "There is no model %(name)s; there are: %(known)s.",
                    name=repr(name),
                    known=known,
                )
            )
        is_out = served.is_verified and served.state == "idle"
        if served.state not in ("absent", "failed") and not is_out:
            return None
        if served.file_states() == served.seen:
            if is_out:
                return None
            raise ModelUnavailable(served.error or f"The model {name} cannot be used.")
        self._withdraw(served)
        served.settle("loading")
        served.failed_loads = 0
        return served

    async def prepare(self, *models: ServedModel) -> None:
        """Verify and build files, in this order; models whose files are right can be loaded."""
        for served in models or self:
            served.settle("loading")
            served.seen = served.file_states()
            try:
                await served.make_ready()
            except ModelUnavailable as error:
                is_absent = None in served.seen[:-1]
                self._fail(served, error.detail, "absent" if is_absent else "failed")
            else:
                served.settle("loading")
                self._admit(served)

    def plan(self, demands: Mapping[str, Demand], now: float) -> tuple[str, ...]:
        """Load and unload as need be; the models whose requests may start."""
        plan = self._memory.plan(demands, now)
        self.wake_at = plan.wake_at
        for name in plan.unload:
            self._served[name].settle("idle")
            self._owner.send_order(name, Unload())
        if plan.load is not None:
            self._owner.send_order(plan.load, self._served[plan.load].order(self._threads))
        for name, served in self._served.items():
            if served.is_verified and served.state != "ready":
                served.state = "loading" if self._memory.is_coming(name) else "idle"
        return plan.open

    def on_report(self, name: str, report: ModelReport, now: float) -> None:
        served = self._served[name]
        if isinstance(report, Loading):
            self._opening = served
            served.progress = report.progress
        elif isinstance(report, Unloaded):
            self._memory.left(name)
        else:
            self._opening = None
            if isinstance(report, Loaded):
                self._on_loaded(served, report, now)
            else:
                self._fail(served, f"{report.detail} (SHA-256 {served.sha256}) {served.advice}")

    def on_down(self) -> None:
        """A file that ends the process each time it is opened must not take the others along."""
        self._memory.forget_loaded()
        blamed, self._opening = self._opening, None
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

    def _admit(self, served: ServedModel) -> None:
        model = served.model
        weights = (served.path.resolve(), model.gpu_layers)
        weights_bytes, adapter_bytes = (int(GUESS * size) for size in served.size_bytes())
        self._memory.admit(model.name, weights, weights_bytes, adapter_bytes)
        served.is_verified = True
        self._check_size(served)
        self._owner.on_models_changed()

    def _on_loaded(self, served: ServedModel, report: Loaded, now: float) -> None:
        served.failed_loads = 0
        served.context = report.tokens
        served.settle("ready")
        self._memory.entered(served.model.name, report.weights_bytes, report.own_bytes, now)
        if not self._check_size(served):
            self._owner.send_order(served.model.name, Unload())

    def _check_size(self, served: ServedModel) -> bool:
        name = served.model.name
        if self._memory.can_ever_hold(name):
            return True
        needed = self._memory.bytes_of([name]) / 1e6
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
        served.settle(state, detail)
        self._owner.on_model_failed(served.model.name, detail)

    def _withdraw(self, served: ServedModel) -> None:
        served.is_verified = False
        self._memory.remove(served.model.name)
