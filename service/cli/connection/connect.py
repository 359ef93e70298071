"""Which server a command talks to: the one that is named, the one that runs here, or one of its own."""

import argparse
import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx2

from service.cli.connection.own_server import own_server
from service.cli.connection.rest import CONNECT_S, SILENCE_S, Rest
from service.cli.printing import note
from service.errors import Conflict, ServerUnreachable
from service.settings import Settings
from service.store.database import sqlite_path
from service.store.database_lock import occupant

LOOK_S = 5.0
Talk = Callable[[Rest, argparse.Namespace], Awaitable[int]]
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}


def add_talk(
    parser: argparse.ArgumentParser,
    talk: Talk,
    *,
    check: Callable[[argparse.Namespace], None] | None = None,
    needs_models: bool = False,
) -> None:
    """Makes `talk` what the parser's command does; `check` may refuse before there is a server.

    Ctrl-C ends the talk, which stops its run.
    """

    def command(settings: Settings, options: argparse.Namespace) -> int:
        async def whole() -> int:
            async with connect(settings, needs_models=needs_models) as rest:
                return await talk(rest, options)

        if check is not None:
            check(options)
        be_quiet(settings)
        return asyncio.run(whole())

    parser.add_argument("--url", help="the server (IDEAPOOL_URL)")
    parser.add_argument("--key", help="its API key (better in IDEAPOOL_KEY)")
    parser.set_defaults(command=command)


@asynccontextmanager
async def connect(settings: Settings, *, needs_models: bool) -> AsyncIterator[Rest]:
    """Raises:
    ServerUnreachable: no server at the address that was named.
    Conflict: none at the usual address, yet another process has the database.
    """
    if settings.url is not None:
        async with _http(settings, settings.url.rstrip("/")) as http:
            yield Rest(http, f"The server at {settings.url}")
        return
    address = usual_address(settings)
    async with _http(settings, address) as http:
        if await _answers(http, address):
            yield Rest(http, f"The server at {address}")
            return
    async with _own(settings, address, needs_models=needs_models) as rest:
        yield rest


def usual_address(settings: Settings) -> str:
    host = _ANY_ADDRESS.get(settings.host, settings.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def _http(settings: Settings, address: str) -> httpx2.AsyncClient:
    key = settings.key
    return httpx2.AsyncClient(
        base_url=address,
        headers={} if key is None else {"Authorization": f"Bearer {key.get_secret_value()}"},
        timeout=httpx2.Timeout(SILENCE_S, connect=CONNECT_S),
        # A proxy of the environment is for the internet; the server is where its address says.
        trust_env=False,
    )


async def _answers(http: httpx2.AsyncClient, address: str) -> bool:
    """Whether Ideapool is there. What answers but is something else has only the port in common.

    Raises: ServerUnreachable, where one seems to hang: a second beside it would do harm.
    """
    try:
        async with asyncio.timeout(LOOK_S):
            response = await http.get("/readyz")
        told = response.json()
    except (httpx2.ConnectError, ValueError):
        return False
    except (TimeoutError, httpx2.HTTPError) as error:
        raise ServerUnreachable(f"The server at {address} does not answer.") from error
    return isinstance(told, dict) and {"database", "models"} <= told.keys()


@asynccontextmanager
async def _own(settings: Settings, address: str, *, needs_models: bool) -> AsyncIterator[Rest]:
    path = sqlite_path(settings.sqlalchemy_url)
    other = None if path is None else occupant(path)
    if other is not None:
        raise Conflict(
            f"No server answers at {address}, but {other} uses the database {path}. "
            "If it is a server, say with --url or IDEAPOOL_URL where it is; else wait for its end."
        )
    folder = settings.data_dir.absolute()
    note(f"No server answers at {address}; using {folder} directly.")
    async with own_server(settings, needs_models=needs_models) as http:
        yield Rest(http, "Ideapool's own server")


def be_quiet(settings: Settings) -> None:
    """What a server tells its operator is in the way between the lines of an answer."""
    if settings.log_level == "info":
        logging.getLogger().setLevel(logging.WARNING)
