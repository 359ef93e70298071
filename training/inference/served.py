"""A GGUF as it is served, for programs that are not asynchronous: scores, answers, embeddings.

Everything goes through the service's own engine, so what is measured is what users get. Knows no
rows, no configs and no metrics.
"""

import asyncio
import contextlib
import hashlib
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from service.engine.catalog import Adapter, CatalogModel, Selection
from service.engine.client import Answer as Answer
from service.engine.client import EngineClient
from service.engine.embedded.backend import EmbeddedBackend
from service.engine.files.atomic_write import write_whole
from service.engine.files.build_plan import model_identity
from service.engine.files.checksums import known_sha256
from service.engine.types import (
    REQUIRED_ROLES,
    GenerateRequest,
    Message,
    Scored,
    ScoreRequest,
)
from service.errors import ModelUnavailable
from service.prompts.tasks import Prompt

NAME = "served"
# More of them at once bring nothing; each waits in the engine's queue.
AT_ONCE = 64
BESIDE = " + "
"""Between the hashes of a base and of the adapter that is applied to it."""
Asked = TypeVar("Asked", GenerateRequest, ScoreRequest)
Item = TypeVar("Item")
Result = TypeVar("Result")
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Adapted:
    """A base with an adapter that is applied to every token, each a GGUF; `any_base` is that of a
    catalog's adapter.
    """

    base: Path
    adapter: Path
    any_base: bool = False

    @property
    def name(self) -> str:
        return f"{self.base.name} with {self.adapter.name}"


Source = Path | Adapted
"""What is served: a GGUF, or two."""


def source_of(gguf: Path, adapter: Path | None, *, any_base: bool = False) -> Source:
    return gguf if adapter is None else Adapted(gguf, adapter, any_base)


def files_of(source: Source) -> tuple[Path, ...]:
    return (source.base, source.adapter) if isinstance(source, Adapted) else (source,)


def as_model(name: str, source: Source) -> CatalogModel:
    """For all roles. Raises ModelUnavailable if a file is missing."""
    for path in files_of(source):
        if not path.is_file():
            raise ModelUnavailable(f"There is no model file {path}.")
    model = CatalogModel(name=name, roles=REQUIRED_ROLES, path=files_of(source)[0].absolute())
    if not isinstance(source, Adapted):
        return model
    path = source.adapter.absolute()
    return replace(model, adapter=Adapter(path, use="shared", any_base=source.any_base))


def identity(source: Source) -> str:
    """What a score head is bound to; the service finds the same for such a model."""
    model = as_model(NAME, source)
    return model_identity(files_of(source)[0], model.adapter)


_ANSWER = TypeAdapter(Answer)
_SCORED = TypeAdapter(Scored)


class Kept:
    """Answers in a file, by what was asked of which model: a measurement that was stopped goes on.

    They are added line by line; a last one that was cut off is asked for again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, str] = {}
        if path.exists():
            with contextlib.suppress(ValueError):
                for line in path.read_text(encoding="utf-8").splitlines():
                    key, answer = json.loads(line)
                    self._known[key] = answer
        write_whole(path, "".join(map(_line, self._known.items())))

    async def obtain(
        self,
        sha256: str,
        request: Asked,
        ask: Callable[[Asked], Awaitable[Result]],
        shape: TypeAdapter[Result],
    ) -> Result:
        key = hashlib.sha256(f"{sha256} {request!r}".encode()).hexdigest()
        if key in self._known:
            return shape.validate_json(self._known[key])
        result = await ask(request)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(_line((key, shape.dump_json(result).decode())))
        return result


def _line(item: tuple[str, str]) -> str:
    return f"{json.dumps(item)}\n"


def request_of(prompt: Prompt, *, with_grammar: bool = True) -> GenerateRequest:
    """What the service asks for a prompt, or the same without its grammar."""
    grammar = prompt.grammar if with_grammar else None
    return GenerateRequest(
        "", NAME, prompt.messages, prompt.max_tokens, prompt.sampling, prompt.stop, grammar
    )


class Served:
    """One model in a process of its own, which is asked for many things at once.

    `on_done` is told how many of how many are done. All methods raise ServiceErrors of the engine.
    `sha256` is the file's, or "base + adapter".
    """

    def __init__(
        self, backend: EmbeddedBackend, runner: asyncio.Runner, sha256: str, kept: Kept | None
    ) -> None:
        self._engine = EngineClient(backend, NAME)
        self._runner = runner
        self._kept = kept
        self.sha256 = sha256

    def score(
        self, chats: Sequence[Sequence[Message]], *, on_done: Progress | None = None
    ) -> list[Scored]:
        """How likely the last message of each chat is, which is the assistant's."""
        requests = [ScoreRequest("", NAME, tuple(chat[:-1]), chat[-1].content) for chat in chats]
        return self._all(self._keeping(self._engine.score, _SCORED), requests, on_done)

    def generate(
        self, requests: Sequence[GenerateRequest], *, on_done: Progress | None = None
    ) -> list[Answer]:
        """The requests' ids and models are of no account."""
        return self._all(self._keeping(self._engine.generate, _ANSWER), requests, on_done)

    def embed(
        self, texts: Sequence[str], *, on_done: Progress | None = None
    ) -> NDArray[np.float64]:
        """A row for each text."""

        async def one(text: str) -> tuple[float, ...]:
            return (await self._engine.embed(text)).vector

        return np.asarray(self._all(one, texts, on_done), dtype=np.float64)

    def _keeping(
        self, ask: Callable[[Asked], Awaitable[Result]], shape: TypeAdapter[Result]
    ) -> Callable[[Asked], Awaitable[Result]]:
        kept = self._kept
        if kept is None:
            return ask
        return lambda request: kept.obtain(self.sha256, request, ask, shape)

    def _all(
        self,
        work: Callable[[Item], Awaitable[Result]],
        items: Sequence[Item],
        on_done: Progress | None,
    ) -> list[Result]:
        places, done = asyncio.Semaphore(AT_ONCE), 0

        async def one(item: Item) -> Result:
            nonlocal done
            async with places:
                result = await work(item)
            done += 1
            if on_done is not None:
                on_done(done, len(items))
            return result

        async def gathered() -> list[Result]:
            tasks = [asyncio.ensure_future(one(item)) for item in items]
            try:
                return await asyncio.gather(*tasks)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

        return self._runner.run(gathered())


@contextlib.contextmanager
def served(
    source: Source,
    *,
    context: int = 2048,
    slots: int = 8,
    threads: int | None = None,
    kept: Kept | None = None,
) -> Iterator[Served]:
    """The model, ready to be asked.

    What is `kept` is not asked for again, and what is asked for is kept.

    Raises:
        ModelUnavailable: a file is missing, or llama.cpp cannot load it.
    """
    files = files_of(source)
    model = replace(
        as_model(NAME, source),
        context=context,
        slots=slots,
        cache_tokens=min(slots, 4) * context,
    )
    selection = Selection(None, (model,), dict.fromkeys(model.roles, model))
    backend = EmbeddedBackend(selection, models_dir=files[0].parent.absolute(), threads=threads)
    with asyncio.Runner() as runner:
        runner.run(backend.start())
        try:
            yield Served(backend, runner, BESIDE.join(map(known_sha256, files)), kept)
        finally:
            runner.run(backend.close())
