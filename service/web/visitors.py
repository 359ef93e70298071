"""Finds out who sends a request: by a key, by a session, or by the header of a trusted proxy."""

from collections.abc import Callable
from typing import Any

import anyio.to_thread
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from service.actor import Actor
from service.errors import Forbidden, Unauthorised
from service.messages import Text
from service.settings import Settings
from service.store import Store
from service.text.cleaning import clean_text, one_line
from service.web.client_ip import client_ip
from service.web.failed_sign_ins import FailedSignIns
from service.web.guard import key_of, token_of

# Only programs use these, so a browser's session opens nothing there.
KEY_ONLY_PATHS = frozenset({"/mcp"})
LONGEST_NAME = 200
_PEER = "ideapool.peer"


class RememberPeer:
    """Notes the address of the socket, which other layers replace by what a header says."""

    def __init__(self, app: Any) -> None:
        self._app: ASGIApp = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[_PEER] = scope.get("client")
        await self._app(scope, receive, send)


class Visitors:
    def __init__(self, settings: Settings, store: Store, failures: FailedSignIns) -> None:
        self._settings = settings
        self._people = store.people
        self.failures = failures

    async def who(self, scope: Scope, headers: Headers) -> Actor | None:
        """Returns who sends a request; None for whoever is at the machine itself and has no name.

        Raises:
            Unauthorised: nobody known sends it.
            TooManyFailures: nor did they the last times.
            Forbidden: somebody else than the trusted proxies sends their header.
        """
        external_name = self._external_name(scope, headers)
        only_key = scope["path"] in KEY_ONLY_PATHS
        if external_name and not only_key:
            role = self._settings.user_role
            return await _in_thread(self._people.by_external_name, external_name, role)
        token = key_of(headers) if only_key else token_of(scope)
        if self._settings.needs_key:
            actor = None if token is None else await _in_thread(self._people.by_token, token)
            if actor is None:
                if key_of(headers) is not None:
                    self.failures.note(scope, "bearer")
                raise _unauthorised()
            return actor
        return None if token is None else await _in_thread(self._known, token)

    def _known(self, token: str) -> Actor | None:
        """Where no key is needed, one that is not valid does no harm."""
        try:
            return self._people.by_token(token)
        except Unauthorised:
            return None

    def _external_name(self, scope: Scope, headers: Headers) -> str:
        if self._settings.user_header is None:
            return ""
        values = headers.getlist(self._settings.user_header)
        if not values:
            return ""
        self._check_proxy(scope)
        if len(values) > 1:
            raise Forbidden(
                Text(
                    "The proxy sends the header %(header)s more than once.",
                    header=self._settings.user_header,
                )
            )
        name = one_line(clean_text(_decoded(values[0]))).strip()
        if len(name) > LONGEST_NAME:
            raise Forbidden(Text("The name that the proxy sends is too long."))
        return name

    def _check_proxy(self, scope: Scope) -> None:
        peer = scope.get(_PEER) or scope.get("client")
        address = peer[0] if peer else ""
        if not _is_in(address, self._settings):
            raise Forbidden(
                Text(
                    "Only the proxies in IDEAPOOL_TRUSTED_PROXIES may send the header %(header)s, and "
                    "%(address)s is none of them.",
                    header=self._settings.user_header or "",
                    address=repr(address),
                )
            )


def _is_in(address: str, settings: Settings) -> bool:
    ip = client_ip(address)
    return ip is not None and any(ip in network for network in settings.proxy_networks)


def _decoded(value: str) -> str:
    """Proxies send UTF-8; the server reads headers as Latin-1."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value


async def _in_thread(function: Callable[..., Actor | None], *arguments: str) -> Actor | None:
    return await anyio.to_thread.run_sync(function, *arguments)


def _unauthorised() -> Unauthorised:
    return Unauthorised(
        Text(
            "This needs a key: send `Authorization: Bearer <key>`, or sign in at /login. "
            "`ideapool keys create NAME` makes one."
        )
    )
