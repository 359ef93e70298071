"""A program that asks as the documentation advises: again, with the same key, until it is answered."""

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx2

PATIENCE_S = 60.0
ANSWER_S = 30.0
# Where an answer does not say when to come back.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 2.0
AGAIN = frozenset({502, 503, 504})
# A text is sent as it is, anything else as JSON.
Body = dict[str, Any] | str | None


@dataclass(frozen=True, slots=True)
class Answered:
    """The last answer, if there is one. `sent` is when the first request went out that may have been
    carried out, by the monotonic clock; `doubted` says that one before the last may have been, too.
    """

    response: httpx2.Response | None
    sent: float
    received: float
    doubted: bool = False

    @property
    def is_acknowledged(self) -> bool:
        return self.response is not None and self.response.is_success

    @property
    def status(self) -> int:
        return 0 if self.response is None else self.response.status_code

    @property
    def body(self) -> Any:
        assert self.response is not None
        return self.response.json()

    @property
    def following(self) -> str | None:
        """The path of the next page of a list, if there is one."""
        assert self.response is not None
        link = self.response.links.get("next")
        return str(link["url"]).removeprefix("/api/v1") if link else None

    @property
    def etag(self) -> str:
        assert self.response is not None
        return str(self.response.headers["etag"])


@dataclass(slots=True)
class Client:
    """`repeated` counts why requests were sent again."""

    url: str
    repeated: Counter[str] = field(default_factory=Counter)
    http: httpx2.AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        self.http = httpx2.AsyncClient(
            base_url=f"{self.url}/api/v1",
            timeout=ANSWER_S,
            trust_env=False,
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=100),
        )

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    async def get(self, path: str) -> Answered:
        return await self.ask("GET", path)

    async def post(self, path: str, body: Body, **headers: str) -> Answered:
        keyed = {"idempotency-key": str(uuid4())} | headers
        return await self.ask("POST", path, body, keyed)

    async def ask(
        self,
        method: str,
        path: str,
        body: Body = None,
        headers: dict[str, str] | None = None,
    ) -> Answered:
        until = time.monotonic() + PATIENCE_S
        doubted_at, tries = None, 0
        while True:
            sent = time.monotonic()
            response = await self._once(method, path, body, headers)
            received = time.monotonic()
            first = sent if doubted_at is None else doubted_at
            if response is not None and not _is_to_repeat(response):
                return Answered(response, first, received, doubted_at is not None)
            if received >= until:
                return Answered(response, first, received, doubted_at is not None)
            # A 503 of the server itself says that nothing was done.
            if response is None or response.status_code != 503:
                doubted_at = first
            tries += 1
            await asyncio.sleep(_pause_s(response, tries))

    async def _once(
        self, method: str, path: str, body: Body, headers: dict[str, str] | None
    ) -> httpx2.Response | None:
        sent: dict[str, Any] = {"content": body} if isinstance(body, str) else {"json": body}
        try:
            response = await self.http.request(method, path, headers=headers, **sent)
        except httpx2.TransportError as error:
            self.repeated[type(error).__name__] += 1
            return None
        if _is_to_repeat(response):
            self.repeated[str(response.status_code)] += 1
        return response


def _is_to_repeat(response: httpx2.Response) -> bool:
    # A 409 with this header: the same request is still being answered.
    return response.status_code in AGAIN or (
        response.status_code == 409 and "retry-after" in response.headers
    )


def _pause_s(response: httpx2.Response | None, tries: int) -> float:
    asked = "" if response is None else response.headers.get("retry-after", "")
    if asked.isdecimal():
        return float(asked)
    pause = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (tries - 1))
    return float(pause * random.uniform(0.5, 1.0))
