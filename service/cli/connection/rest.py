"""Asks a server over REST: JSON out, JSON or events back, and an error of ours for all that can fail.

Knows neither where the server is nor whether it is another process.
"""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from service.engine.remote.sse import EventReader
from service.errors import ServerRefused, ServerUnreachable

API = "/api/v1"
CONNECT_S = 5.0
# A stream shows a sign of life every 15 seconds; a large import takes some.
SILENCE_S = 60.0
EVENT_LIMIT_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Event:
    name: str
    data: dict[str, Any]


def given(**fields: Any) -> dict[str, Any]:
    """The fields that have a value; what is left out has the server's default."""
    return {name: value for name, value in fields.items() if value is not None}


class Rest:
    """`where` names the server in errors."""

    def __init__(self, http: httpx2.AsyncClient, where: str) -> None:
        self._http = http
        self.where = where

    async def get(self, path: str, **query: Any) -> Any:
        return (await self.call("GET", path, query=query)).json()

    async def post(self, path: str, body: Any = None) -> Any:
        return (await self.call("POST", path, body=body)).json()

    async def call(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: dict[str, Any] | None = None,
        file: tuple[bytes, str] | None = None,
        revision: int | None = None,
    ) -> httpx2.Response:
        """`path` is below /api/v1; `file` is sent as it is, with its media type; with `revision`
        an idea is changed only if that is its newest.

        Raises:
            ServerUnreachable: nobody answers.
            ServerRefused: the answer is a problem.
        """
        content, kind = file or (None, None)
        tag = None if revision is None else f'"{revision}"'
        request = self._http.build_request(
            method,
            API + path,
            json=body,
            content=content,
            params=given(**query or {}),
            headers=given(**{"Content-Type": kind, "If-Match": tag}),
        )
        async with self._sent(request) as response:
            return response

    async def events(self, path: str, body: dict[str, Any]) -> AsyncGenerator[Event, None]:
        """Starts a run and gives its events as they come; closing it stops the run.

        Raises: as `call`.
        """
        request = self._http.build_request(
            "POST", API + path, json=body, headers={"Accept": "text/event-stream"}
        )
        reader = EventReader(EVENT_LIMIT_BYTES)
        async with self._sent(request, stream=True) as response:
            async for chunk in response.aiter_bytes():
                for name, data in reader.feed_named(chunk):
                    yield Event(name, json.loads(data))

    async def result(self, events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
        """The same events up to the result, which is the last; anything else at the end is an error.

        Raises: as `call`; ServerRefused also where the run fails or is stopped.
        """
        async with aclosing(events):
            async for event in events:
                yield event
                if event.name == "result":
                    return
                if event.name == "error":
                    raise ServerRefused(event.data["detail"])
                if event.name == "done":
                    raise ServerRefused(f"The run was {event.data['status']} before it was done.")
        raise ServerUnreachable(f"The answer of {self.where} broke off before the run was done.")

    @asynccontextmanager
    async def _sent(
        self, request: httpx2.Request, *, stream: bool = False
    ) -> AsyncIterator[httpx2.Response]:
        try:
            response = await self._http.send(request, stream=True)
            try:
                if response.status_code >= 400 or not stream:
                    await response.aread()
                if response.status_code >= 300:
                    raise self._refusal(response)
                yield response
            finally:
                await response.aclose()
        except httpx2.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise ServerUnreachable(f"{self.where} does not answer: {reason}.") from error

    def _refusal(self, response: httpx2.Response) -> ServerRefused:
        status = response.status_code
        try:
            detail = str(response.json()["detail"])
        except (ValueError, KeyError, TypeError, httpx2.ResponseNotRead):
            detail = f"{self.where} answered {status} and does not look like Ideapool."
        if status == 401:
            detail += " The commands take it from --key or IDEAPOOL_KEY."
        return ServerRefused(detail, status=status)
