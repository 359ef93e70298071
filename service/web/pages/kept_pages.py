"""Keeps whole pages as they were sent, by all that they depend on.

A page that is asked for again is the same until something is stored: whatever that is, it gives the
database another version. Nobody has to say what a page shows.
"""

import gzip
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from threading import Lock
from typing import Annotated, cast

from fastapi import Depends, Request, Response, status

from service.actor import ACTOR
from service.web.cookie_rules import VIEW_COOKIE
from service.web.pages.responses import has_flash, moment_of, surroundings
from service.web.templating import language_of

# A page of a board takes about 30 KB.
MOST_BYTES = 32 * 1024 * 1024
# Pages say how old things are, so that even one that nothing changes is made again.
LIFE_S = 10.0
COOKIES = ("theme", "language", "shortcuts", VIEW_COOKIE)
# As that of all other answers.
_COMPRESSION = 6


@dataclass(frozen=True, slots=True)
class _Kept:
    body: bytes
    headers: list[tuple[bytes, bytes]]
    until: float

    def response(self) -> Response:
        response = Response(self.body)
        response.raw_headers += self.headers
        return response


class KeptPages:
    """Any thread may ask. `clock` is in seconds."""

    def __init__(
        self, most_bytes: int = MOST_BYTES, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most_bytes = most_bytes
        self._clock = clock
        self._version = ""
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def size_bytes(self) -> int:
        return self._bytes

    def page(self, request: Request, board_id: str, make: Callable[[], Response]) -> Response:
        """The response to a GET request. `make` may depend on its address, its language, `COOKIES`,
        what is stored, whoever acts and the `surroundings`, and on nothing else.
        """
        version = moment_of(request).version
        if version is None or _is_passing(request):
            return make()
        key = _key(request, board_id)
        kept = self._found(version, key)
        if kept is None:
            response = make()
            if response.status_code != status.HTTP_200_OK or "set-cookie" in response.headers:
                return response
            kept = self._made(request, response)
            self._keep(version, key, kept)
        return kept.response()

    def clear(self) -> None:
        with self._lock:
            self._forget()

    def _forget(self) -> None:
        self._kept.clear()
        self._bytes = 0

    def _found(self, version: str, key: bytes) -> _Kept | None:
        with self._lock:
            if version != self._version:
                self._forget()
                self._version = version
            kept = self._kept.get(key)
            if kept is None or self._clock() >= kept.until:
                return None
            self._kept.move_to_end(key)
            return kept

    def _made(self, request: Request, response: Response) -> _Kept:
        body, until = bytes(response.body), self._clock() + LIFE_S
        if _takes_gzip(request):
            body = gzip.compress(body, _COMPRESSION, mtime=0)
            response.headers["Content-Encoding"] = "gzip"
        response.headers.add_vary_header("Accept-Encoding")
        headers = [one for one in response.raw_headers if one[0] != b"content-length"]
        return _Kept(body, headers, until)

    def _keep(self, version: str, key: bytes, kept: _Kept) -> None:
        with self._lock:
            if version != self._version:
                return
            before = self._kept.pop(key, None)
            self._bytes += len(kept.body) - (len(before.body) if before is not None else 0)
            self._kept[key] = kept
            while self._bytes > self._most_bytes:
                _, oldest = self._kept.popitem(last=False)
                self._bytes -= len(oldest.body)


def _is_passing(request: Request) -> bool:
    """Whether the page is for this request only. That of a run follows what is not stored yet."""
    is_answer = hasattr(request.state, "refusal") or has_flash(request)
    return is_answer or "run" in request.query_params


def _key(request: Request, board_id: str) -> bytes:
    """All that decides what the page is, but for the version of the database."""
    decides = (
        request.base_url,
        request.url.path,
        request.url.query,
        _takes_gzip(request),
        language_of(request),
        [request.cookies.get(name) for name in COOKIES],
        ACTOR.get(),
        surroundings(request, board_id),
    )
    return sha256(repr(decides).encode()).digest()


async def _kept_pages(request: Request) -> KeptPages:
    return cast(KeptPages, request.app.state.kept_pages)


KeptPagesDep = Annotated[KeptPages, Depends(_kept_pages)]


def _takes_gzip(request: Request) -> bool:
    return "gzip" in request.headers.get("accept-encoding", "")
