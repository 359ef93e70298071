"""Finds the server for a command: the named one, the one running here, or its own."""

import argparse
import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx2

from service.api_client.rest import CONNECT_S, SILENCE_S, Rest
from service.cli.printing import note
from service.errors import Conflict, ServerUnreachable
from service.settings import Settings

LOOK_S = 5.0
KEY_HINT = "Give the key with --key or IDEAPOOL_KEY."
Talk = Callable[[Rest, argparse.Namespace], Awaitable[int]]
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}


def add_talk(
    parser: argparse.ArgumentParser,
    talk: Talk,
    *,
    check: Callable[[argparse.Namespace], None] | None = None,
    needs_models: bool = False,
) -> None:
    """Runs `talk` as the parser's command. `check` validates the options before a server is needed.

    Ctrl-C ends the connection, which stops the run.
    """

    def command(settings: Settings, options: argparse.Namespace) -> int:
        async def whole() -> int:
            async with connect(settings, needs_models=needs_models) as rest:
                return await talk(rest, options)

        if check is not None:
            check(options)
        be_quiet(settings)
        return asyncio.run(whole())

    parser.add_argument("--url", help="address of the server (IDEAPOOL_URL)")
    parser.add_argument("--key", help="its API key (IDEAPOOL_KEY is safer)")
    parser.set_defaults(command=command)


@asynccontextmanager
async def connect(settings: Settings, *, needs_models: bool) -> AsyncIterator[Rest]:
    """Connects to a server, starting one if none runs.

    Raises:
        ServerUnreachable: the named server does not answer.
        Conflict: no server answers, but another process uses the database.
    """
    if settings.url is not None:
        async with _http(settings, settings.url.rstrip("/")) as http:
            yield Rest(http, f"The server at {settings.url}", key_hint=KEY_HINT)
        return
    address = usual_address(settings)
    async with _http(settings, address) as http:
        if await _answers(http, address):
            yield Rest(http, f"The server at {address}", key_hint=KEY_HINT)
            return
    async with _own(settings, address, needs_models=needs_models) as rest:
        yield rest


def usual_address(settings: Settings) -> str:
    host = _ANY_ADDRESS.get(settings.host, settings.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def key_headers(settings: Settings) -> dict[str, str]:
    key = settings.key
    return {} if key is None else {"Authorization": f"Bearer {key.get_secret_value()}"}


def _http(settings: Settings, address: str) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        base_url=address,
        headers=key_headers(settings),
        timeout=httpx2.Timeout(SILENCE_S, connect=CONNECT_S),
        # Proxy variables are meant for the internet, not for this server.
        trust_env=False,
    )


async def _answers(http: httpx2.AsyncClient, address: str) -> bool:
    """Whether Ideapool answers there.

    Raises: ServerUnreachable if it hangs. A second server beside it would do harm.
    """
    try:
        async with asyncio.timeout(LOOK_S):
            response = await http.get("/readyz")
        told = response.json()
    except (httpx2.ConnectError, ValueError):
        return False
    except (TimeoutError, httpx2.HTTPError) as error:
        raise ServerUnreachable(f"The server at {address} does not answer.") from error
    return is_ours(told)


def is_ours(told: object) -> bool:
    """Whether Ideapool's `/readyz` answers so; another program on the port does not count."""
    return isinstance(told, dict) and {"database", "models"} <= told.keys()


@asynccontextmanager
async def _own(settings: Settings, address: str, *, needs_models: bool) -> AsyncIterator[Rest]:
    # Importing the app takes a second; a command that has found a server should not wait for it.
    from service.cli.connection.own_server import own_server
    from service.store.database import sqlite_path
    from service.store.database_lock import lock_holder

    path = sqlite_path(settings.sqlalchemy_url)
    other = None if path is None else lock_holder(path)
    if other is not None:
        raise Conflict(
            f"No server answers at {address}, but {other} uses the database {path}. "
            "If that is a server, give its address with --url or IDEAPOOL_URL. Otherwise wait "
            "until it has ended."
        )
    folder = settings.data_dir.absolute()
    note(f"No server answers at {address}; using {folder} directly.")
    async with own_server(settings, needs_models=needs_models) as http:
        yield Rest(http, "Ideapool's own server")


def be_quiet(settings: Settings) -> None:
    """Hides the log lines for operators, which would disturb the answer."""
    if settings.log_level == "info":
        logging.getLogger().setLevel(logging.WARNING)
