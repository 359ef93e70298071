"""HTTP requests to one server, with a `ServiceError` for everything that can fail.

Logs and errors name the server, never a key or a text.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from service.engine.remote.capabilities import Lacks, Need
from service.engine.remote.error_responses import error_for_status, message_of, retry_after_s
from service.errors import EngineCrashed, InvalidInput, ModelUnavailable, ServiceError
from service.messages import Text

CONNECT_S = 5.0
GET_S = 5.0
RETRY_PAUSE_S = 0.2
ANSWER_LIMIT_BYTES = 4 * 1024 * 1024
EVENT_LIMIT_BYTES = 1024 * 1024
NOTHING_THERE = (404, 405, 501)
# Failures before the first byte of an answer; the request may be sent again.
_LOST_CONNECTION = (httpx2.NetworkError, httpx2.RemoteProtocolError, httpx2.ConnectTimeout)


class HttpClient:
    def __init__(self, url: str, key: str | None, *, stall_s: float) -> None:
        """`url` may end with `/v1`; `stall_s` is the longest silence within an answer, in seconds."""
        self.root = url.rstrip("/").removesuffix("/v1")
        self.engine = f"The engine at {self.root}"
        self._stall_s = stall_s
        self._http = httpx2.AsyncClient(
            headers={
                # A compressing server may hold events back until it has enough of them.
                "Accept-Encoding": "identity",
                **({"Authorization": f"Bearer {key}"} if key is not None else {}),
            },
            timeout=httpx2.Timeout(stall_s, connect=min(CONNECT_S, stall_s), pool=None),
            limits=httpx2.Limits(),
            # A proxy from the environment is meant for the internet, not for the engine.
            trust_env=False,
        )

    async def close(self) -> None:
        await self._http.aclose()

    def unquoted(self, error: ServiceError) -> str:
        """What is wrong, for everybody: without the words of the server, which may quote a prompt."""
        if isinstance(error.__cause__, (httpx2.HTTPError, TimeoutError)):
            return error.detail
        return Text("%(engine)s failed to answer a request.", engine=self.engine)

    async def get_json(self, path: str) -> Any:
        """The JSON at a path, or None if there is none; the server must answer at once.

        Raises:
            EngineBusy: the server says that it is not ready.
            ModelUnavailable: the server cannot be reached, or it refuses.
        """
        try:
            async with asyncio.timeout(GET_S):
                response = await self._http.send(self._request("GET", path), stream=True)
                body = await self._body(response)
        except (TimeoutError, httpx2.HTTPError) as error:
            raise self._unreachable(error) from error
        if response.status_code in (200, 404, 405):
            return _json(body) if response.status_code == 200 else None
        raise self._refusal(response, body, 1.0)

    async def post(self, path: str, body: dict[str, Any], *, expected_s: float, need: Need) -> str:
        """The whole answer to a POST that asks for what `need` names.

        Raises:
            Lacks: the server cannot answer it.
            ServiceError: as `post_for_events`.
        """
        response = await self._send_post(path, body)
        try:
            answer = await self._body(response)
        except httpx2.HTTPError as error:
            raise self._broken(error) from error
        if response.status_code != 200:
            refusal = self._refusal(response, answer, expected_s)
            if isinstance(refusal, InvalidInput) or response.status_code in NOTHING_THERE:
                raise Lacks(need, refusal)
            raise refusal
        return answer

    @asynccontextmanager
    async def post_for_events(
        self, path: str, body: dict[str, Any], *, expected_s: float, absent: str | None = None
    ) -> AsyncIterator[AsyncGenerator[str, None]]:
        """The data of the events that answer a POST.

        Leaving the context closes the connection, which ends the work on the server. `expected_s`
        is the time to retry after if a busy server does not name one. `absent` says of a server
        what it lacks if it has nothing at the path of raw prompts.

        Raises:
            Lacks: nothing is at a path with `absent`.
            EngineBusy: the server has no free place.
            ModelUnavailable: the server cannot be reached, or it refuses.
            EngineCrashed: the connection broke or was silent too long.
            ServiceError: any other error of `error_responses.error_for_status`.
        """
        response = await self._send_post(path, body)
        try:
            if response.status_code != 200:
                answer = await self._body(response)
                if absent is not None and response.status_code in NOTHING_THERE:
                    detail = f"{self.engine} {absent}. It says: {message_of(answer)}."
                    raise Lacks("texts", InvalidInput(detail))
                raise self._refusal(response, answer, expected_s)
            kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind != "text/event-stream":
                raise EngineCrashed(
                    f"{self.engine} answered with {kind or 'no content type'} instead of a stream "
                    "of events. IDEAPOOL_ENGINE_URL must be that of an OpenAI-compatible server."
                )
            yield self._data(response)
        except httpx2.HTTPError as error:
            raise self._broken(error) from error
        finally:
            await _close(response)

    async def _data(self, response: httpx2.Response) -> AsyncGenerator[str, None]:
        try:
            async for event in httpx2.EventSource(response, EVENT_LIMIT_BYTES):
                if event.data:
                    yield event.data
        except httpx2.SSEError as error:
            raise EngineCrashed(
                f"{self.engine} sent an event that is too long. Try again."
            ) from error
        except httpx2.HTTPError as error:
            raise self._broken(error) from error

    async def _send_post(self, path: str, body: dict[str, Any]) -> httpx2.Response:
        """Send twice if needed: the server may have closed a kept connection, or be starting."""
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
        """At most `ANSWER_LIMIT_BYTES` of the body; a longer one is no longer valid JSON."""
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
        return error_for_status(
            response.status_code, body, engine=self.engine, retry_after_s=wait_s
        )

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
    # If the closing were cancelled half-way, the client would count the connection for ever.
    await asyncio.shield(response.aclose())


def _json(body: str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
