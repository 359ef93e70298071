"""Checks every request before the app sees it: host name, origin, who sends it, what they may do and
how large it is. Pure ASGI.

The cross-site rule is that of CrossOriginProtection in Go 1.25. Browsers say which site a request
comes from, and a request without that information is not from a browser. So forms need no tokens.
"""

import logging
import re
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.actor import ACTOR, STRANGER, Actor
from service.errors import BodyTooLarge, Forbidden, ServiceError, Unauthorised
from service.logs import REQUEST_ID
from service.messages import Text
from service.web.cookie_rules import SESSION_COOKIE

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# Open without a key: health for orchestrators, the sign-in page with its static files, and links that
# were given out, which have tokens of their own.
OPEN_PATHS = frozenset({"/livez", "/healthz", "/readyz", "/login"})
OPEN_PREFIXES = ("/static/", "/join/", "/shared/")
# Of these, the pages that tell nothing of any board, and those that ask who it is by themselves.
STRANGERS_PREFIXES = ("/login", "/join/", "/shared/")
# Files of whole boards are larger than other bodies, so these paths have their own limit.
IMPORT_PATHS = frozenset({"/api/v1/import", "/import"})
ATTACHMENT_PATH = re.compile(r"(/api/v1)?/ideas/[^/]+/attachments")
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'"
)
SECURITY_HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_log = logging.getLogger(__name__)

Responder = Callable[[Scope, Exception], Response]


@dataclass(frozen=True, slots=True)
class Rules:
    """`hosts` has no ports; `*` allows any host. `who` returns who sends a request, None if it leaves
    that as it is, and `check` refuses what they may not do.
    """

    hosts: frozenset[str]
    body_limit_bytes: int
    import_limit_bytes: int
    attachment_limit_bytes: int
    who: Callable[[Scope, Headers], Awaitable[Actor | None]]
    check: Callable[[Scope], Awaitable[None]]

    def limit_of(self, path: str) -> int:
        if ATTACHMENT_PATH.fullmatch(path):
            return self.attachment_limit_bytes
        return self.import_limit_bytes if path in IMPORT_PATHS else self.body_limit_bytes


class Guard:
    """Checks each request against the rules and adds the security headers to each response."""

    def __init__(self, app: ASGIApp, *, rules: Rules, respond: Responder) -> None:
        self._app = app
        self._rules = rules
        self._respond = respond

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})["request_id"] = request_id = uuid.uuid4().hex
        REQUEST_ID.set(request_id)
        has_started = False

        async def send_guarded(message: Message) -> None:
            nonlocal has_started
            if message["type"] == "http.response.start":
                has_started = True
                headers = MutableHeaders(scope=message)
                headers.setdefault("X-Request-ID", request_id)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                _name_charset(headers)
            await send(message)

        try:
            await self._check(scope)
            replayed = await self._read_body(scope, receive)
            await self._app(scope, replayed, send_guarded)
        except Exception as error:
            if not isinstance(error, ServiceError):
                _log.exception("The request failed")
            if has_started:
                raise
            await self._respond(scope, error)(scope, receive, send_guarded)

    async def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        check_host(headers, self._rules.hosts)
        if scope["method"] not in SAFE_METHODS:
            check_origin(headers)
        path = scope["path"]
        if not is_open(path):
            actor = await self._rules.who(scope, headers)
            if actor is not None:
                ACTOR.set(actor)
            await self._rules.check(scope)
        elif path.startswith(STRANGERS_PREFIXES):
            ACTOR.set(await self._stranger(scope, headers))

    async def _stranger(self, scope: Scope, headers: Headers) -> Actor:
        """Whoever has a link may be known already, or not."""
        try:
            return await self._rules.who(scope, headers) or STRANGER
        except Unauthorised:
            return STRANGER

    async def _read_body(self, scope: Scope, receive: Receive) -> Receive:
        """Reads the whole body, and returns a `receive` that passes it on to the app.

        Raises: BodyTooLarge.
        """
        if scope["method"] in SAFE_METHODS:
            return receive
        limit = self._rules.limit_of(scope["path"])
        too_large = BodyTooLarge(
            Text("The request body is larger than the limit of %(limit)s bytes.", limit=limit)
        )
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdigit() and int(declared) > limit:
            raise too_large
        body, more = bytearray(), True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return _replay(message, receive)
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > limit:
                raise too_large
        return _replay({"type": "http.request", "body": bytes(body), "more_body": False}, receive)


def check_host(headers: Headers, allowed: frozenset[str]) -> None:
    """Prevents DNS rebinding. Raises: Forbidden for a host name that is not allowed."""
    values = headers.getlist("host")
    host = _host_name(values[0]) if len(values) == 1 else ""
    if "*" not in allowed and host not in allowed:
        raise Forbidden(
            Text(
                "This service does not answer to the host name %(host)s. If it should, add the "
                "name to IDEAPOOL_ALLOWED_HOSTS.",
                host=repr(host),
            )
        )


def check_origin(headers: Headers) -> None:
    """Raises: Forbidden for a browser's request from a page of another site."""
    site = headers.get("sec-fetch-site")
    origin = headers.get("origin")
    if site is not None:
        is_ours = site in ("same-origin", "none")
    else:
        # Over plain http on a network, browsers omit Sec-Fetch-Site but still send Origin.
        is_ours = origin is None or urlsplit(origin).netloc == headers.get("host")
    if not is_ours:
        raise Forbidden(Text("This request comes from a page of another site and is refused."))


def key_of(headers: Headers) -> str | None:
    """The key in the Authorization header."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if token and scheme.lower() == "bearer" else None


def token_of(scope: Scope) -> str | None:
    """The key in the Authorization header, or else the token in the session cookie."""
    headers = Headers(scope=scope)
    key = key_of(headers)
    if key is not None:
        return key
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(SESSION_COOKIE)
    except CookieError:
        return None
    return morsel.value if morsel else None


def is_open(path: str) -> bool:
    return path in OPEN_PATHS or path.startswith(OPEN_PREFIXES)


def _name_charset(headers: MutableHeaders) -> None:
    """All texts are in UTF-8. Starlette says so of `text/`, but not of Atom and SVG."""
    kind = headers.get("content-type", "")
    if kind.endswith("+xml"):
        headers["content-type"] = f"{kind}; charset=utf-8"


def _host_name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _replay(first: Message, receive: Receive) -> Receive:
    is_read = False

    async def replayed() -> Message:
        nonlocal is_read
        if not is_read:
            is_read = True
            return first
        return await receive()

    return replayed
