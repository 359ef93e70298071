"""A server of a command's own, for when none runs: the same app, reached through a Unix socket."""

import asyncio
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import httpx2
import uvicorn
from starlette.types import ASGIApp

from service.app import create_app
from service.cli.progress import show_loading
from service.engine.types import Event, ModelInfo, Request, Role, Stats
from service.errors import ModelUnavailable
from service.settings import Settings

POLL_S = 0.01


@asynccontextmanager
async def own_server(
    settings: Settings, *, needs_models: bool
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a server that ends with the block.

    Model loading is shown on standard error. Raises what the app raises where it cannot start.
    """
    # Whoever may read the database file needs no key to its content.
    app = create_app(
        settings.model_copy(update={"require_key": False}), None if needs_models else NoModels()
    )
    async with app.router.lifespan_context(app), listening(app) as http:
        watcher = asyncio.create_task(show_loading(app.state.backend))
        try:
            yield http
        finally:
            watcher.cancel()
            with suppress(asyncio.CancelledError):
                await watcher


@asynccontextmanager
async def listening(app: ASGIApp) -> AsyncIterator[httpx2.AsyncClient]:
    """Serves the app on a socket that only this user can reach; its lifespan is the caller's."""
    with tempfile.TemporaryDirectory(prefix="ideapool-") as folder:
        socket = str(Path(folder) / "socket")
        server = _Server(
            uvicorn.Config(
                app, uds=socket, lifespan="off", log_level="warning", timeout_graceful_shutdown=5
            )
        )
        serving = asyncio.create_task(server.serve())
        try:
            while not server.started:
                if serving.done():
                    await serving
                await asyncio.sleep(POLL_S)
            async with httpx2.AsyncClient(
                transport=httpx2.AsyncHTTPTransport(uds=socket),
                base_url="http://localhost",
                timeout=None,
            ) as http:
                yield http
        finally:
            server.should_exit = True
            await serving


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Ctrl-C is the command's: it ends the command, which ends the server."""
        yield


class NoModels:
    """A backend for commands that need no model. It starts at once and refuses every request."""

    async def start(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def submit(self, request: Request) -> AsyncGenerator[Event, None]:
        raise _no_models(request.model)
        yield  # makes this a generator

    async def cancel(self, request_id: str) -> None:
        pass

    def model_for(self, role: Role) -> ModelInfo:
        raise _no_models(role)

    def models(self) -> tuple[ModelInfo, ...]:
        return ()

    def stats(self) -> Stats:
        return Stats(running=0, waiting=0, queue_limit=0, restarts=0, process_id=None)


def _no_models(name: str) -> ModelUnavailable:
    return ModelUnavailable(f"This command started no models, so {name!r} cannot answer.")
