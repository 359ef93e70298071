"""The real small model, in one process for all tests that do not break it."""

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import pytest

from service.backend import sources
from service.engine.catalog import CatalogModel, Selection, read_catalog
from service.engine.embedded.backend import EmbeddedBackend
from service.engine.files.build import fetch_and_build
from service.engine.types import (
    REQUIRED_ROLES,
    Event,
    GenerateRequest,
    Message,
    Request,
    Sampling,
)
from service.settings import Settings
from tests.support import engine_events
from tests.support.app_server import Server, serving

READY_S = 180.0
# Forbids the tokens that end an answer or a text, so that the model writes until `max_tokens`.
ENDLESS = Sampling(seed=1, logit_bias=((0, -100.0), (2, -100.0)))


class Ask(Protocol):
    def __call__(
        self, text: str = ..., max_tokens: int = ..., **changes: Any
    ) -> GenerateRequest: ...


class NewBackend(Protocol):
    """Start a backend for one test; `ready` waits for its models."""

    def __call__(
        self, *models: CatalogModel, ready: bool = ..., **options: Any
    ) -> EmbeddedBackend: ...


Collect = Callable[..., list[Event]]


@pytest.fixture(scope="session")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which tests build; the small model is elsewhere, like a bundled one."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def small() -> CatalogModel:
    """The small starter model in all roles, without its adapter; fetched and built if needed."""
    settings = Settings()
    folder = settings.models_dir.absolute()
    model = read_catalog(settings.catalog).select("small").models[0]
    fetch_and_build(model, folder, sources(settings), lambda _: None)
    weights = model.weights_path(folder)
    return replace(model, roles=REQUIRED_ROLES, path=weights, wheels=None, hub=None)


@pytest.fixture(scope="session")
def small_path(small: CatalogModel, models_dir: Path) -> Path:
    """The weights of the small model, as they were fetched."""
    return small.weights_path(models_dir)


def start_backend(
    runner: asyncio.Runner, models: tuple[CatalogModel, ...], models_dir: Path, **options: Any
) -> EmbeddedBackend:
    by_role = {role: model for model in models for role in model.roles}
    backend = EmbeddedBackend(Selection(None, models, by_role), models_dir=models_dir, **options)
    runner.run(backend.start())
    return backend


async def settle(backend: EmbeddedBackend) -> None:
    """Wait until every model is ready or has failed."""
    deadline = time.monotonic() + READY_S
    while any(one.state in ("idle", "loading", "fetching") for one in backend.models()):
        assert time.monotonic() < deadline, backend.models()
        await asyncio.sleep(0.01)


@pytest.fixture(scope="session")
def backend(
    runner: asyncio.Runner, small: CatalogModel, models_dir: Path
) -> Iterator[EmbeddedBackend]:
    backend = start_backend(runner, (small,), models_dir)
    runner.run(settle(backend))
    assert [one.state for one in backend.models()] == ["ready"]
    yield backend
    runner.run(backend.close())


@pytest.fixture
def new_backend(runner: asyncio.Runner, models_dir: Path) -> Iterator[NewBackend]:
    started: list[EmbeddedBackend] = []

    def build(*models: CatalogModel, ready: bool = True, **options: Any) -> EmbeddedBackend:
        folder = options.pop("models_dir", models_dir)
        backend = start_backend(runner, models, folder, **options)
        started.append(backend)
        if ready:
            runner.run(settle(backend))
        return backend

    yield build
    for backend in started:
        runner.run(backend.close())


@pytest.fixture
def collect(runner: asyncio.Runner, backend: EmbeddedBackend) -> Collect:
    """All events of a request."""

    async def drain(request: Request, on: EmbeddedBackend) -> list[Event]:
        return [event async for event in on.submit(request)]

    def run(request: Request, on: EmbeddedBackend | None = None) -> list[Event]:
        return runner.run(asyncio.wait_for(drain(request, on or backend), READY_S))

    return run


@pytest.fixture(scope="session")
def ask(small: CatalogModel) -> Ask:
    numbers = itertools.count()

    def build(
        text: str = "Name three things to grow.", max_tokens: int = 24, **changes: Any
    ) -> GenerateRequest:
        messages = (Message("system", "You are brief."), Message("user", text))
        request = GenerateRequest(
            f"ask-{next(numbers)}", small.name, messages, max_tokens, Sampling(seed=1)
        )
        return replace(request, **changes)

    return build


@pytest.fixture(scope="session")
def text_of() -> Callable[[list[Event]], str]:
    return engine_events.text_of


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """For all tests that leave it running and idle; what is on its boards may be of others."""
    with serving(tmp_path_factory.mktemp("server")) as server:
        server.await_models()
        yield server


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """A server and a database of the test's own, with the real small model."""
    with serving(tmp_path) as server:
        server.await_models()
        yield server
