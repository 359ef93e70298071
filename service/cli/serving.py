"""Runs the server, and ends open runs and streams at the first signal."""

import asyncio
import socket
from types import FrameType

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.app import create_app
from service.backend import selection
from service.cli.connections import BoundedConfig, ConnectionLimits
from service.cli.own_database import own_store
from service.cli.progress import show_loading
from service.engine.files.speeds import Speeds, library_line
from service.engine.llama.libraries import COMPILE, best_library
from service.errors import ConfigurationError, ModelUnavailable, ServiceError
from service.logs import configure
from service.settings import Settings
from service.store.database import sqlite_path
from service.store.database_lock import database_lock
from service.web.visitors import RememberPeer


def serve(settings: Settings) -> int:
    configure(settings.log_format)
    _ensure_key(settings)
    app = create_app(settings)
    startup = _Startup(app)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    shown = "localhost" if host in ("0.0.0.0", "[::]") else host
    print(f"Ideapool is at http://{shown}:{settings.port}", flush=True)
    if settings.engine_url is None:
        print(f"llama.cpp: {_library(settings)}", flush=True)
    else:
        print(f"Its models are those of {', '.join(settings.engine_urls)}", flush=True)
    config = _Config(
        startup,
        ConnectionLimits(
            connections=settings.connection_limit,
            per_address=settings.address_limit,
            proxies=settings.proxy_networks,
        ),
        host=settings.host,
        port=settings.port,
        # Its lines look like ours.
        log_config=None,
        log_level="warning" if settings.log_level == "info" else settings.log_level,
        # One process holds the models and the only writing connection.
        workers=1,
        server_header=False,
        timeout_graceful_shutdown=int(settings.drain_s) + 5,
    )
    # A line that is no JSON would break the log for programs that read it.
    server = _Server(config, app, settings.drain_s, shows_progress=settings.log_format == "text")
    try:
        server.run()
    except SystemExit:
        # uvicorn exits this way if the app does not start.
        if startup.refusal is not None:
            raise startup.refusal from None
        raise
    return 0 if server.started else 1


def _library(settings: Settings) -> str:
    try:
        line = library_line(Speeds(settings.data_dir), selection(settings).models[0].name)
        return line if best_library().is_native else f"{line}. {COMPILE}"
    except ModelUnavailable as error:
        # The board works all the same, and the models tell the reason to whoever asks for them.
        return error.detail


def _ensure_key(settings: Settings) -> None:
    """Raises:
    Conflict: another process has the database file open.
    ConfigurationError: a key is needed, there is none, and none may be created.
    """
    if not settings.needs_key:
        with database_lock(sqlite_path(settings.sqlalchemy_url)):
            return
    with own_store(settings) as store:
        if store.keys.any():
            return
        if not settings.create_key:
            raise ConfigurationError(
                f"Others can reach this service at {settings.host}, so it needs an API key. Create one "
                "with `ideapool keys create NAME`, set IDEAPOOL_CREATE_KEY=true to have one created "
                "and printed, or bind 127.0.0.1."
            )
        print(f"API key, shown only now: {store.keys.create('first')}", flush=True)
        print("Sign in with it at /login, or send it as `Authorization: Bearer …`.", flush=True)


class _Startup:
    """Keeps the error that stops the app at its start, so that it is shown without a traceback."""

    def __init__(self, app: ASGIApp) -> None:
        self.refusal: ServiceError | None = None
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        failed: Message | None = None

        async def hold_back(message: Message) -> None:
            nonlocal failed
            if message["type"] == "lifespan.startup.failed":
                failed = message
            else:
                await send(message)

        try:
            await self._app(scope, receive, hold_back)
        except ServiceError as error:
            self.refusal = error
            await send({"type": "lifespan.startup.failed"})
        except BaseException:
            if failed is not None:
                await send(failed)
            raise


class _Config(BoundedConfig):
    def load(self) -> None:
        """Notes who really connected, before uvicorn believes a proxy who the client is."""
        super().load()
        self.loaded_app = RememberPeer(self.loaded_app)


class _Server(uvicorn.Server):
    """Closes runs and streams at the first signal; uvicorn would wait for them to end."""

    def __init__(
        self, config: uvicorn.Config, app: FastAPI, drain_s: float, *, shows_progress: bool
    ) -> None:
        super().__init__(config)
        self._app = app
        self._drain_s = drain_s
        self._shows_progress = shows_progress
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing: asyncio.Task[None] | None = None
        self._progress: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        if self._shows_progress:
            self._progress = asyncio.create_task(show_loading(self._app.state.backend))

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # A signal handler may interrupt any code of the main thread, so it only schedules the work.
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._begin_closing)
        super().handle_exit(sig, frame)

    def _begin_closing(self) -> None:
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close())

    async def _close(self) -> None:
        if self._progress is not None:
            self._progress.cancel()
        state = self._app.state
        await state.feeds.close()
        await asyncio.gather(
            state.runs.close(self._drain_s), state.completions.close(self._drain_s)
        )
