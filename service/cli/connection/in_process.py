"""The application in this process, for when no server runs: the same app, called without a socket."""

import asyncio
import logging
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx2
from fastapi import FastAPI
from starlette.types import ASGIApp, Message

from service.app import create_app
from service.cli.progress import ProgressLine
from service.engine.backend import Backend
from service.engine.types import Event, ModelInfo, Request, Role, Stats
from service.errors import ModelUnavailable
from service.settings import Settings

LOOK_S = 0.1
_log = logging.getLogger(__name__)


@asynccontextmanager
async def application(settings: Settings, *, needs_models: bool) -> AsyncIterator[FastAPI]:
    """Started as a server would; the progress of its models goes to standard error."""
    # Who may read the database's file needs no key to what is in it.
    app = create_app(
        settings.model_copy(update={"require_key": False}), None if needs_models else NoModels()
    )
    async with app.router.lifespan_context(app):
        watcher = asyncio.create_task(_show_loading(app.state.backend))
        try:
            yield app
        finally:
            watcher.cancel()
            with suppress(asyncio.CancelledError):
                await watcher


async def _show_loading(backend: Backend) -> None:
    line = ProgressLine(sys.stderr)
    is_shown = False
    try:
        while moving := [one for one in backend.models() if one.state in ("fetching", "loading")]:
            is_shown = True
            line.tell(moving[0].name, moving[0].state, f" ({moving[0].progress:.0%})")
            await asyncio.sleep(LOOK_S)
    finally:
        if is_shown:
            line.close()


class NoModels:
    """A backend for calls that need none: it starts at once and can be asked nothing."""

    async def start(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def submit(self, request: Request) -> AsyncGenerator[Event, None]:
        raise _no_models(request.model)
        yield  # what makes it a generator

    async def cancel(self, request_id: str) -> None:
        pass

    def model_for(self, role: Role) -> ModelInfo:
        raise _no_models(role)

    def models(self) -> tuple[ModelInfo, ...]:
        return ()

    def stats(self) -> Stats:
        return Stats(running=0, waiting=0, queue_limit=0, restarts=0, process_id=None)


def _no_models(name: str) -> ModelUnavailable:
    return ModelUnavailable(f"No models were started, so none is asked for {name!r}.")


class AppTransport(httpx2.AsyncBaseTransport):
    """Calls an app directly. httpx2's own waits for the whole answer; this gives it as it comes, and
    an answer that is closed early looks to the app like a client that went away.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        call = _Call(self._app, request, await request.aread())
        return await call.begin()


class _Call(httpx2.AsyncByteStream):
    def __init__(self, app: ASGIApp, request: httpx2.Request, body: bytes) -> None:
        self._app = app
        self._scope = _scope(request)
        self._request: Message | None = {"type": "http.request", "body": body, "more_body": False}
        self._left = asyncio.Event()
        self._begun: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._chunks: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def begin(self) -> httpx2.Response:
        self._task = asyncio.create_task(self._run())
        try:
            start = await self._begun
        except BaseException:
            await self.aclose()
            raise
        return httpx2.Response(start["status"], headers=start["headers"], stream=self)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (chunk := await self._chunks.get()) is not None:
            yield chunk

    async def aclose(self) -> None:
        self._left.set()
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        try:
            await self._app(self._scope, self._receive, self._send)
        except Exception:
            # The app has answered for it, or logged it after its answer had begun.
            _log.debug("the app failed", exc_info=True)
        finally:
            self._chunks.put_nowait(None)
            if not self._begun.done():
                self._begun.set_exception(httpx2.RemoteProtocolError("the app gave no answer"))

    async def _receive(self) -> Message:
        if self._request is not None:
            request, self._request = self._request, None
            return request
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if not self._begun.done():
                self._begun.set_result(message)
        elif message.get("body"):
            self._chunks.put_nowait(message["body"])


def _scope(request: httpx2.Request) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "scheme": request.url.scheme,
        "path": request.url.path,
        "raw_path": request.url.raw_path.split(b"?")[0],
        "query_string": request.url.query,
        "server": (request.url.host, request.url.port),
        "client": ("127.0.0.1", 0),
        "root_path": "",
        "state": {},
    }
