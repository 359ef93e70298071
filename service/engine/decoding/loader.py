"""The loaded models of the model process, and the thread that loads them while others run."""

import queue
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

from service.engine.decoding.chat_template import ChatTokeniser
from service.engine.decoding.kv_layout import KvLayout, StreamsLayout, UnifiedLayout
from service.engine.decoding.loaded_model import LoadedModel
from service.engine.files.cache_size import cache_size
from service.engine.files.gguf_header import read_metadata
from service.engine.host import usable_cpus
from service.engine.llama import AdapterFile, Context, Library, LlamaModel
from service.engine.protocol import Envelope, Load, Loaded, LoadFailed, Loading, Unload, Unloaded
from service.errors import EngineError, ModelUnavailable
from service.messages import Text

WeightsKey = tuple[str, int]


class LoadedModels:
    """The loaded models by name; models of the same file share its weights."""

    def __init__(self) -> None:
        self._library: Library | None = None
        self._weights: dict[WeightsKey, LlamaModel] = {}
        self._models: dict[str, LoadedModel] = {}

    def load(self, command: Load, on_progress: Callable[[float], bool]) -> LoadedModel:
        """Load a model, which `add` then makes available.

        `on_progress` is called with 0 to 1; it stops the loading by returning False.

        Raises:
            ModelUnavailable: the model cannot be loaded.
        """
        # Not before, so that a library that cannot be used is the model's error and no crash.
        library = self._library = self._library or Library()
        key = (command.weights, command.gpu_layers)
        if key not in self._weights:
            self._weights[key] = LlamaModel(
                library,
                Path(command.weights),
                gpu_layers=command.gpu_layers,
                on_progress=on_progress,
            )
        weights = self._weights[key]
        adapter = None
        if command.adapter is not None and command.adapter_scale:
            adapter = (
                AdapterFile(library, weights, Path(command.adapter)),
                command.adapter_scale,
            )
        tokens = min(command.tokens, weights.trained_context)
        return LoadedModel(
            weights,
            _layout_of(command, tokens),
            cache_size(read_metadata(Path(command.weights))),
            threads=command.threads or usable_cpus(),
            chat=ChatTokeniser(weights, command.chat_template, command.answer_prefix),
            adapter=adapter,
        )

    def add(self, name: str, model: LoadedModel) -> None:
        old = self._models.get(name)
        self._models[name] = model
        if old is not None:
            old.close()
        self.free_unused_weights()

    def unload(self, name: str) -> None:
        """Free a model, and its weights if no other model uses them."""
        model = self._models.pop(name, None)
        if model is not None:
            model.close()
        self.free_unused_weights()

    def free_unused_weights(self) -> None:
        used = [model.weights for model in self._models.values()]
        for key, weights in list(self._weights.items()):
            if weights not in used:
                self._weights.pop(key).close()

    def __getitem__(self, name: str) -> LoadedModel:
        try:
            return self._models[name]
        except KeyError:
            raise ModelUnavailable(Text("The model %(name)s is not loaded.", name=name)) from None

    def generating_in(self, context: Context) -> LoadedModel | None:
        """The model that generates in this context; None for an embedding context."""
        return next((one for one in self._models.values() if one.context is context), None)

    def close(self) -> None:
        for name in list(self._models):
            self.unload(name)
        if self._library is not None:
            self._library.close()


class Loader:
    """Carries out load and unload commands one by one; loading happens in a thread of its own."""

    def __init__(self, models: LoadedModels) -> None:
        self._models = models
        self._commands: deque[tuple[str, Load | Unload]] = deque()
        self._progress: queue.SimpleQueue[Envelope] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._result: tuple[str, LoadedModel | ModelUnavailable] | None = None
        self._is_closing = False

    @property
    def is_busy(self) -> bool:
        return bool(self._commands) or self._thread is not None

    def add(self, name: str, command: Load | Unload) -> None:
        self._commands.append((name, command))

    def reports(self) -> list[Envelope]:
        """What has happened since the last call; starts the next command when one is done."""
        reports: list[Envelope] = []
        while not self._progress.empty():
            reports.append(self._progress.get())
        if self._thread is not None and not self._thread.is_alive():
            self._thread = None
            reports.append(self._finish_loading())
        while self._commands and self._thread is None:
            name, command = self._commands.popleft()
            if isinstance(command, Load):
                self._thread = threading.Thread(target=self._load, args=(name, command))
                self._thread.start()
            else:
                self._models.unload(name)
                reports.append((name, Unloaded()))
        return reports

    def close(self) -> None:
        self._is_closing = True
        if self._thread is not None:
            self._thread.join()

    def _finish_loading(self) -> Envelope:
        assert self._result is not None
        (name, result), self._result = self._result, None
        if isinstance(result, ModelUnavailable):
            self._models.free_unused_weights()
            return name, LoadFailed(result.detail)
        self._models.add(name, result)
        return name, Loaded(result.context_tokens, result.weights.size_bytes, result.cache_bytes)

    def _load(self, name: str, command: Load) -> None:
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
            self._result = name, self._models.load(command, on_progress)
        except ModelUnavailable as error:
            self._result = name, error
        except (EngineError, MemoryError, OSError) as error:
            self._result = (
                name,
                ModelUnavailable(Text("The model cannot be loaded: %(error)s.", error=repr(error))),
            )


def _layout_of(command: Load, tokens: int) -> KvLayout:
    if command.cache == "streams":
        return StreamsLayout(command.slots, tokens)
    # The model may have a shorter context than the catalog assumes.
    cells = max(tokens, min(command.cache_tokens, tokens * command.slots))
    return UnifiedLayout(command.slots, tokens, cells)
