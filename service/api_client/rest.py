"""A REST client: sends JSON, receives JSON or events, and raises our errors.

It does not know where the server is or whether it is another process.
"""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

import httpx2

from service.errors import ServerRefused, ServerUnreachable

API = "/api/v1"
CONNECT_S = 5.0
# A stream sends a keep-alive every 15 seconds; a large import takes a while.
SILENCE_S = 60.0
# The most items that a list of the API sends at once, except those of ideas and of runs.
PAGE = 1000
EVENT_LIMIT_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Event:
    name: str
    data: dict[str, Any]


def given(**fields: Any) -> dict[str, Any]:
    """The fields that are not None; the server has defaults for the others."""
    return {name: value for name, value in fields.items() if value is not None}


def segment(text: str) -> str:
    """An id as a part of a path, whatever characters a caller puts into it."""
    return quote(text, safe="")


def next_cursor(page: httpx2.Response) -> str | None:
    """Where the next page of a list begins; None if this page is the last one."""
    further = page.links.get("next")
    return None if further is None else page.url.join(further["url"]).params["cursor"]


class Rest:
    """`where` names the server in errors; `key_hint` says how to give a key if it asks for one."""

    def __init__(self, http: httpx2.AsyncClient, where: str, *, key_hint: str = "") -> None:
        self._http = http
        self._where = where
        self._key_hint = key_hint

    async def get(self, path: str, **query: Any) -> Any:
        return (await self.call("GET", path, query=query)).json()

    async def all(self, path: str, **query: Any) -> list[Any]:
        """Every item of a list, page by page."""
        items: list[Any] = []
        query = query | {"limit": PAGE}
        while True:
            page = await self.call("GET", path, query=query)
            items += page.json()
            cursor = next_cursor(page)
            if cursor is None:
                return items
            query = query | {"cursor": cursor}

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
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> httpx2.Response:
        """Calls `path` below /api/v1. `file` is content and media type.

        Raises:
            ServerUnreachable: no server answers.
            ServerRefused: the server answers with a problem.
        """
        content, kind = file or (None, None)
        request = self._http.build_request(
            method,
            API + path,
            json=body,
            content=content,
            params=given(**query or {}),
            headers=given(**{"Content-Type": kind}, **headers),
        )
        async with self._sent(request) as response:
            return response

    async def events(self, path: str, body: dict[str, Any]) -> AsyncGenerator[Event, None]:
        """Starts a run and yields its events as they arrive. Closing the generator stops the run.

        Raises: as `call`.
        """
        request = self._http.build_request(
            "POST", API + path, json=body, headers={"Accept": "text/event-stream"}
        )
        async with self._sent(request, stream=True) as response:
            async for event in httpx2.EventSource(response, EVENT_LIMIT_BYTES):
                if event.data:
                    yield Event(event.event, json.loads(event.data))

    async def result(self, events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
        """Yields the events up to and including the result; any other end is an error.

        Raises: as `call`, and ServerRefused if the run fails or is stopped.
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
        raise ServerUnreachable(
            f"The connection to {self._where} broke off before the run was done."
        )

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
            raise ServerUnreachable(f"{self._where} does not answer: {reason}.") from error

    def _refusal(self, response: httpx2.Response) -> ServerRefused:
        status = response.status_code
        try:
            detail = str(response.json()["detail"])
        except (ValueError, KeyError, TypeError, httpx2.ResponseNotRead):
            detail = f"{self._where} answered {status} and does not look like Ideapool."
        if status == 401 and self._key_hint:
            detail += f" {self._key_hint}"
        return ServerRefused(detail, status=status)
