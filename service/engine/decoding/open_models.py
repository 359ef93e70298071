"""The open models of the model process, and the thread that opens them while others run."""

import queue
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

from service.engine.decoding.loaded_model import LoadedModel, piece_of
from service.engine.host import usable_cpus
from service.engine.llama import AdapterFile, Context, Library, Shape, Weights
from service.engine.protocol import Envelope, Load, Loaded, LoadFailed, Loading, Unload, Unloaded
from service.errors import EngineError, ModelUnavailable
from service.messages import Text

WeightsKey = tuple[str, int]


class OpenModels:
    """The open models; those of one file share its weights."""

    def __init__(self) -> None:
        self._library = Library()
        self._weights: dict[WeightsKey, Weights] = {}
        self._models: dict[str, LoadedModel] = {}

    def open(self, order: Load, on_progress: Callable[[float], bool]) -> LoadedModel:
        """Raises ModelUnavailable if the model cannot be opened."""
        key = (order.weights, order.gpu_layers)
        if key not in self._weights:
            self._weights[key] = Weights(
                self._library,
                Path(order.weights),
                gpu_layers=order.gpu_layers,
                on_progress=on_progress,
            )
        weights = self._weights[key]
        adapter = None
        if order.adapter is not None and order.adapter_scale:
            adapter = AdapterFile(self._library, weights, Path(order.adapter)), order.adapter_scale
        tokens = min(order.tokens, weights.trained_context)
        shape = Shape(
            tokens=tokens,
            sequences=order.slots,
            batch=piece_of(weights.parameters, order.gpu_layers),
            streams=order.cache == "streams",
            cells=min(order.cache_tokens, tokens * order.slots),
        )
        return LoadedModel(
            weights,
            shape,
            threads=order.threads or usable_cpus(),
            chat_template=order.chat_template,
            adapter=adapter,
        )

    def put(self, name: str, model: LoadedModel) -> None:
        old = self._models.get(name)
        self._models[name] = model
        if old is not None:
            old.close()
        self.free_unused()

    def drop(self, name: str) -> None:
        """Free a model, and its weights if no other model has them."""
        model = self._models.pop(name, None)
        if model is not None:
            model.close()
        self.free_unused()

    def free_unused(self) -> None:
        used = [model.weights for model in self._models.values()]
        for key, weights in list(self._weights.items()):
            if weights not in used:
                self._weights.pop(key).close()

    def __getitem__(self, name: str) -> LoadedModel:
        try:
            return self._models[name]
        except KeyError:
            raise ModelUnavailable(Text("The model %(name)s is not loaded.", name=name)) from None

    def of(self, context: Context) -> LoadedModel | None:
        """The model that generates in the context; None for one that embeds."""
        return next((one for one in self._models.values() if one.context is context), None)

    def close(self) -> None:
        for name in list(self._models):
            self.drop(name)
        self._library.close()


class Loader:
    """Carries out orders one after another, in a thread: the running requests go on meanwhile."""

    def __init__(self, pool: OpenModels) -> None:
        self._pool = pool
        self._orders: deque[tuple[str, Load | Unload]] = deque()
        self._progress: queue.SimpleQueue[Envelope] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._opened: tuple[str, LoadedModel | ModelUnavailable] | None = None
        self._is_closing = False

    @property
    def is_busy(self) -> bool:
        return bool(self._orders) or self._thread is not None

    def order(self, name: str, order: Load | Unload) -> None:
        self._orders.append((name, order))

    def reports(self) -> list[Envelope]:
        """What has happened since; begins the next order when the last one is done."""
        reports: list[Envelope] = []
        while not self._progress.empty():
            reports.append(self._progress.get())
        if self._thread is not None and not self._thread.is_alive():
            self._thread = None
            reports.append(self._take_over())
        while self._orders and self._thread is None:
            name, order = self._orders.popleft()
            if isinstance(order, Load):
                self._thread = threading.Thread(target=self._open, args=(name, order))
                self._thread.start()
            else:
                self._pool.drop(name)
                reports.append((name, Unloaded()))
        return reports

    def close(self) -> None:
        self._is_closing = True
        if self._thread is not None:
            self._thread.join()

    def _take_over(self) -> Envelope:
        assert self._opened is not None
        (name, opened), self._opened = self._opened, None
        if isinstance(opened, ModelUnavailable):
            self._pool.free_unused()
            return name, LoadFailed(opened.detail)
        self._pool.put(name, opened)
        return name, Loaded(opened.tokens, opened.weights.size_bytes, opened.own_bytes)

    def _open(self, name: str, order: Load) -> None:
        shown = -1

        def on_progress(share: float) -> bool:
            nonlocal shown
            percent = int(share * 100)
            if percent != shown:
                shown = percent
                self._progress.put((name, Loading(share)))
            return not self._is_closing

        on_progress(0.0)
        try:
            self._opened = name, self._pool.open(order, on_progress)
        except ModelUnavailable as error:
            self._opened = name, error
        except (EngineError, MemoryError, OSError) as error:
            self._opened = (
                name,
                ModelUnavailable(Text("The model cannot be opened: %(error)s.", error=repr(error))),
            )
