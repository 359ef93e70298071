"""Asks a remote backend, and waits for what it does."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from service.engine.remote import Address, RemoteBackend
from service.engine.types import Event, GenerateRequest, Message, Request
from service.errors import ServiceError
from tests.support.scripted_server import PATIENCE_S

PROMPT = "a secret plan for the garden"
_numbers = itertools.count()


def ask(text: str = PROMPT, **changes: Any) -> GenerateRequest:
    request = GenerateRequest(f"r{next(_numbers)}", "m", (Message("user", text),), 20)
    return replace(request, **changes)


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


@asynccontextmanager
async def remote(
    *urls: str, key: str | None = None, **options: Any
) -> AsyncIterator[RemoteBackend]:
    """A started backend that has checked its servers once."""
    backend = RemoteBackend(*(Address(url, key) for url in urls), **options)
    await backend.start()
    try:
        await until(lambda: backend.models()[0].state != "idle")
        yield backend
    finally:
        await backend.close()


async def drain(backend: RemoteBackend, request: Request) -> list[Event]:
    async with asyncio.timeout(PATIENCE_S), aclosing(backend.submit(request)) as events:
        return [one async for one in events]


async def failure(backend: RemoteBackend, request: Request) -> ServiceError:
    with pytest.raises(ServiceError) as raised:
        await drain(backend, request)
    return raised.value
