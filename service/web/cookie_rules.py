"""What every cookie of the service has by how the request came: its name, its path and `Secure`.

Routes know plain names and paths only. Over TLS a name has a prefix that browsers enforce. With `__Host-`
no other host and no plain connection can set or replace the cookie; it needs the path `/`. A server under
a path of its host shares the host with others, so that its cookies are for its path alone, and `__Secure-`
is what is left, as for a cookie of some pages only.
"""

from collections.abc import Iterator
from http.cookies import SimpleCookie

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.web.root_path import ROOT_PATH

SESSION_COOKIE = "ideapool_session"
# Each board has its own, with the path of its pages.
VIEW_COOKIE = "board_view"


class CookieRules:
    """Gives the cookies of responses their names and attributes, and those of requests their plain names.

    Over TLS no other cookies reach the app.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_ruled(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    (name, _ruled(scope, value) if name == b"set-cookie" else value)
                    for name, value in message["headers"]
                ]
            await send(message)

        if is_over_tls(scope):
            scope["headers"] = [
                (name, b"; ".join(_ours(scope, value)) if name == b"cookie" else value)
                for name, value in scope["headers"]
            ]
        await self._app(scope, receive, send_ruled)


def is_over_tls(scope: Scope) -> bool:
    """Also to a trusted proxy."""
    return scope.get("scheme") == "https"


def cookie_name(scope: Scope, name: str) -> str:
    """The name that the browser knows the cookie by."""
    if not is_over_tls(scope):
        return name
    is_of_host = not scope.get(ROOT_PATH) and name != VIEW_COOKIE
    return f"{'__Host-' if is_of_host else '__Secure-'}{name}"


def cookie_attributes(scope: Scope) -> str:
    """The attributes for a script that sets a cookie itself."""
    path = f"path={_path(scope, '/')}"
    return f"{path}; secure" if is_over_tls(scope) else path


def _path(scope: Scope, path: str) -> str:
    root = scope.get(ROOT_PATH, "")
    if path != "/":
        return f"{root}{path}"
    return root if root and is_over_tls(scope) else "/"


def _ruled(scope: Scope, header: bytes) -> bytes:
    ((name, cookie),) = SimpleCookie(header.decode("latin-1")).items()
    cookie.set(cookie_name(scope, name), cookie.value, cookie.coded_value)
    cookie["path"] = _path(scope, cookie["path"])
    if is_over_tls(scope):
        cookie["secure"] = True
    return cookie.OutputString().encode("latin-1")


def _ours(scope: Scope, header: bytes) -> Iterator[bytes]:
    for pair in header.decode("latin-1").split(";"):
        known_as, sign, value = pair.strip().partition("=")
        name = known_as.removeprefix("__Host-").removeprefix("__Secure-")
        if known_as == cookie_name(scope, name):
            yield f"{name}{sign}{value}".encode("latin-1")
