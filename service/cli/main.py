"""The command line: `ideapool serve | models | keys`, and the commands of `commands`."""

import argparse
import asyncio
import logging
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

import uvicorn
from fastapi import FastAPI
from pydantic import ValidationError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.app import create_app
from service.backend import catalog, selection
from service.cli import commands as client_commands
from service.cli.progress import ProgressLine
from service.engine.files.build import availability, fetch_and_build, verify_files
from service.errors import ConfigurationError, InvalidInput, ServerRefused, ServiceError
from service.settings import Settings
from service.store.database import Database, sqlite_path
from service.store.database_lock import occupied
from service.store.keys import KeyStore

BAD_REQUESTS = (400, 413, 422)


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 2 where what was asked or set cannot work, 1 for any other known
    failure, 130 after Ctrl-C.
    """
    options = _parser().parse_args(arguments)
    try:
        settings = _settings(options)
        logging.basicConfig(
            level=settings.log_level.upper(), format="%(levelname)s %(name)s: %(message)s"
        )
        if settings.log_level != "debug":
            # What they say at each start and each request tells an operator nothing.
            for name in ("alembic", "httpx2"):
                logging.getLogger(name).setLevel(logging.WARNING)
        status: int = options.command(settings, options)
    except ServiceError as error:
        print(f"ideapool: {error.detail}", file=sys.stderr)
        return 2 if _is_at_fault(error) else 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Who read the output has enough of it; the flush at exit must not say so again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status


def _is_at_fault(error: ServiceError) -> bool:
    if isinstance(error, ServerRefused):
        return error.status in BAD_REQUESTS
    return isinstance(error, ConfigurationError | InvalidInput)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ideapool",
        description="An idea board with its own small language models.",
        epilog="Settings are read from IDEAPOOL_* variables; the README lists them.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    serve_ = commands.add_parser("serve", help="start the server")
    serve_.add_argument("--host", help="address to bind (IDEAPOOL_HOST)")
    serve_.add_argument("--port", type=int, help="port (IDEAPOOL_PORT)")
    serve_.set_defaults(command=serve)

    models = commands.add_parser("models", help="the model files").add_subparsers(
        required=True, metavar="COMMAND"
    )
    for name, command, text in (
        ("list", list_models, "which models the catalog has"),
        ("fetch", fetch_models, "get the files of the set that is served, and build what it needs"),
        ("verify", verify_models, "compare the files with their hashes"),
    ):
        models.add_parser(name, help=text).set_defaults(command=command)

    keys = commands.add_parser("keys", help="API keys").add_subparsers(
        required=True, metavar="COMMAND"
    )
    create = keys.add_parser("create", help="make a key and print it once")
    create.add_argument("name", help="what the key is for")
    create.set_defaults(command=create_key)
    keys.add_parser("list", help="the keys there are").set_defaults(command=list_keys)
    revoke = keys.add_parser("revoke", help="end a key")
    revoke.add_argument("id", help="as `keys list` shows it")
    revoke.set_defaults(command=revoke_key)
    client_commands.add_to(commands)
    return parser


def _settings(options: argparse.Namespace) -> Settings:
    given = {
        name: getattr(options, name)
        for name in ("host", "port", "url", "key")
        if getattr(options, name, None) is not None
    }
    try:
        return Settings(**given)
    except ValidationError as error:
        problems = "\n".join(
            f"  IDEAPOOL_{'_'.join(map(str, item['loc'])).upper()}: {item['msg']}"
            for item in error.errors()
        )
        raise ConfigurationError(f"These settings cannot be used:\n{problems}") from error


class _Startup:
    """Keeps the error that the app refuses to start with, to be told in a line instead of a trace."""

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


class _Server(uvicorn.Server):
    """Ends the work at the first signal, since uvicorn waits for event streams to end by themselves."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, drain_s: float) -> None:
        super().__init__(config)
        self._app = app
        self._drain_s = drain_s
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # A signal handler may run anywhere in the main thread: only hand over here.
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._begin_closing)
        super().handle_exit(sig, frame)

    def _begin_closing(self) -> None:
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close())

    async def _close(self) -> None:
        state = self._app.state
        await asyncio.gather(
            state.runs.close(self._drain_s), state.completions.close(self._drain_s)
        )


def serve(settings: Settings, _options: argparse.Namespace) -> int:
    with occupied(sqlite_path(settings.sqlalchemy_url)):
        _ensure_key(settings)
    app = create_app(settings)
    startup = _Startup(app)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    shown = "localhost" if host in ("0.0.0.0", "[::]") else host
    print(f"Ideapool is at http://{shown}:{settings.port}", flush=True)
    config = uvicorn.Config(
        startup,
        host=settings.host,
        port=settings.port,
        log_level="warning" if settings.log_level == "info" else settings.log_level,
        # One process holds the models and the only writing connection.
        workers=1,
        server_header=False,
        timeout_graceful_shutdown=int(settings.drain_s) + 5,
    )
    server = _Server(config, app, settings.drain_s)
    try:
        server.run()
    except SystemExit:
        # uvicorn leaves so where the app does not start.
        if startup.refusal is not None:
            raise startup.refusal from None
        raise
    return 0 if server.started else 1


def _ensure_key(settings: Settings) -> None:
    """Raises: ConfigurationError where a key is needed and there is none, nor may one be made."""
    if not settings.needs_key:
        return
    with _keys(settings) as keys:
        if keys.any():
            return
        if not settings.create_key:
            raise ConfigurationError(
                f"Binding {settings.host} lets others reach this service, so it needs an API key "
                "and there is none. Make one with `ideapool keys create NAME`, or set "
                "IDEAPOOL_CREATE_KEY=true to have it made and printed, or bind 127.0.0.1."
            )
        print(f"API key, shown only now: {keys.create('first')}", flush=True)
        print("Sign in with it at /login, or send it as `Authorization: Bearer …`.", flush=True)


@contextmanager
def _keys(settings: Settings) -> Iterator[KeyStore]:
    database = Database(settings.sqlalchemy_url)
    try:
        database.migrate()
        yield KeyStore(database)
    finally:
        database.close()


def create_key(settings: Settings, options: argparse.Namespace) -> int:
    with _keys(settings) as keys:
        print(keys.create(options.name))
    return 0


def list_keys(settings: Settings, _options: argparse.Namespace) -> int:
    with _keys(settings) as keys:
        for key in keys.all():
            print(f"{key.id}  {key.created_at:%Y-%m-%d}  {key.name}")
    return 0


def revoke_key(settings: Settings, options: argparse.Namespace) -> int:
    with _keys(settings) as keys:
        keys.revoke(options.id)
    return 0


def list_models(settings: Settings, _options: argparse.Namespace) -> int:
    served = selection(settings).models
    models = catalog(settings).model
    width = max(len(model.name) for model in models)
    for model in models:
        state = availability(model, settings.models_dir)
        mark = "*" if model in served else " "
        print(
            f"{mark} {model.name:{width}} {model.set or '-':10} {', '.join(model.roles):22} {state}"
        )
    print("* is served with the present settings")
    return 0


def fetch_models(settings: Settings, _options: argparse.Namespace) -> int:
    if settings.engine_url is not None:
        print("IDEAPOOL_ENGINE_URL is set: its models are asked, so none are fetched.")
        return 0
    for model in selection(settings).models:
        line = ProgressLine(sys.stderr)
        fetch_and_build(model, settings.models_dir, hub_url=settings.hub_url, report=line.show)
        line.close()
    return 0


def verify_models(settings: Settings, _options: argparse.Namespace) -> int:
    for model in selection(settings).models:
        for line in verify_files(model, settings.models_dir):
            print(f"{model.name}: {line}")
    return 0
