"""HTTP with one server: what is sent, what comes back, and an error of ours for all that can fail.

Logs and errors name the server, never a key or a text.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from service.engine.remote.error_responses import refusal, retry_after_s
from service.engine.remote.sse import EventReader, EventTooLargeError
from service.errors import EngineCrashed, ModelUnavailable, ServiceError

CONNECT_S = 5.0
LOOK_S = 5.0
RETRY_PAUSE_S = 0.2
ANSWER_LIMIT_BYTES = 4 * 1024 * 1024
# What fails without a byte of an answer: it may be tried again.
_LOST_CONNECTION = (httpx2.NetworkError, httpx2.RemoteProtocolError, httpx2.ConnectTimeout)


class HttpClient:
    def __init__(self, url: str, key: str | None, *, stall_s: float) -> None:
        """`url` with or without `/v1`; `stall_s` is the longest silence within an answer."""
        self.root = url.rstrip("/").removesuffix("/v1")
        self.engine = f"The engine at {self.root}"
        self._stall_s = stall_s
        self._http = httpx2.AsyncClient(
            headers={
                # Compressed events would be held back until there are enough of them.
                "Accept-Encoding": "identity",
                **({"Authorization": f"Bearer {key}"} if key is not None else {}),
            },
            timeout=httpx2.Timeout(stall_s, connect=min(CONNECT_S, stall_s), pool=None),
            limits=httpx2.Limits(),
            # A proxy of the environment is for the internet; the engine is where the URL says.
            trust_env=False,
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def get_json(self, path: str) -> Any:
        """The JSON at a path, None where there is none; for what answers at once.

        Raises:
            EngineBusy: the server says that it is not ready.
            ModelUnavailable: it cannot be reached, or refuses.
        """
        try:
            async with asyncio.timeout(LOOK_S):
                response = await self._http.send(self._request("GET", path), stream=True)
                body = await self._body(response)
        except (TimeoutError, httpx2.HTTPError) as error:
            raise self._unreachable(error) from error
        if response.status_code in (200, 404, 405):
            return _json(body) if response.status_code == 200 else None
        raise self._refusal(response, body, 1.0)

    async def post(self, path: str, body: dict[str, Any], *, expected_s: float) -> str:
        """The whole answer to a POST; errors as `events` has them."""
        response = await self._send_post(path, body)
        try:
            answer = await self._body(response)
        except httpx2.HTTPError as error:
            raise self._broken(error) from error
        if response.status_code != 200:
            raise self._refusal(response, answer, expected_s)
        return answer

    @asynccontextmanager
    async def post_for_events(
        self, path: str, body: dict[str, Any], *, expected_s: float
    ) -> AsyncIterator[AsyncGenerator[str, None]]:
        """The data of a POST's events; leaving closes the connection, which ends the work there.

        `expected_s` is when to try again if a busy server does not say so.

        Raises:
            EngineBusy: the server has no place; also the other errors of `refusals.refusal`.
            ModelUnavailable: it cannot be reached.
            EngineCrashed: the connection broke or fell silent.
        """
        response = await self._send_post(path, body)
        try:
            if response.status_code != 200:
                said = await self._body(response)
                raise self._refusal(response, said, expected_s)
            kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind != "text/event-stream":
                raise EngineCrashed(
                    f"{self.engine} answered with {kind or 'no content type'} instead of a stream "
                    "of events. Is IDEAPOOL_ENGINE_URL that of an OpenAI-compatible server?"
                )
            yield self._data(response)
        except httpx2.HTTPError as error:
            raise self._broken(error) from error
        finally:
            await _close(response)

    async def _data(self, response: httpx2.Response) -> AsyncGenerator[str, None]:
        reader = EventReader()
        try:
            async for chunk in response.aiter_bytes():
                for data in reader.feed(chunk):
                    yield data
        except httpx2.HTTPError as error:
            raise self._broken(error) from error
        except EventTooLargeError as error:
            raise EngineCrashed(f"{self.engine} sent an endless event. Try again.") from error

    async def _send_post(self, path: str, body: dict[str, Any]) -> httpx2.Response:
        """Tried twice: a server may have closed a connection that was kept, or be starting."""
        try:
            return await self._http.send(self._request("POST", path, body), stream=True)
        except _LOST_CONNECTION:
            await asyncio.sleep(RETRY_PAUSE_S)
        except httpx2.HTTPError as error:
            raise self._broken(error) from error
        try:
            return await self._http.send(self._request("POST", path, body), stream=True)
        except httpx2.HTTPError as error:
            raise self._broken(error) from error

    def _request(
        self, method: str, path: str, body: dict[str, Any] | None = None
    ) -> httpx2.Request:
        return self._http.build_request(method, f"{self.root}/{path}", json=body)

    async def _body(self, response: httpx2.Response) -> str:
        """At most `ANSWER_LIMIT_BYTES` of it; what is cut there is not JSON any more."""
        body = bytearray()
        try:
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > ANSWER_LIMIT_BYTES:
                    break
        finally:
            await _close(response)
        return body[:ANSWER_LIMIT_BYTES].decode("utf-8", "replace")

    def _refusal(self, response: httpx2.Response, body: str, expected_s: float) -> ServiceError:
        wait_s = retry_after_s(response.headers.get("retry-after"), expected_s)
        return refusal(response.status_code, body, engine=self.engine, retry_after_s=wait_s)

    def _unreachable(self, error: Exception) -> ModelUnavailable:
        reason = str(error) or "no answer in time"
        return ModelUnavailable(
            f"{self.engine} cannot be reached ({reason}). Start it, or correct IDEAPOOL_ENGINE_URL."
        )

    def _broken(self, error: httpx2.HTTPError) -> ServiceError:
        if isinstance(error, (httpx2.ConnectError, httpx2.ConnectTimeout)):
            return self._unreachable(error)
        if isinstance(error, httpx2.TimeoutException):
            return EngineCrashed(
                f"{self.engine} was silent for {self._stall_s:g} seconds. Try again; if it only "
                "needs more time, raise IDEAPOOL_STALL_S."
            )
        return EngineCrashed(f"{self.engine} closed the connection too early. Try again.")


async def _close(response: httpx2.Response) -> None:
    # Cancelled half-way, it would stay in the client's books for good.
    await asyncio.shield(response.aclose())


def _json(body: str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
