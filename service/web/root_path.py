"""Serves the app under a path of its host, such as `/ideas`, behind a reverse proxy.

Routes, forms and redirects know nothing of that path: it is taken off each request and put before
the addresses in headers and pages. A proxy may also take it off itself.
"""

import re
from urllib.parse import urlsplit, urlunsplit

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Where the scope of a request has the path.
ROOT_PATH = "ideapool.root_path"
# Tags with their quoted values. Text holds no `<`, so what looks like an attribute in it is not found.
_TAG = re.compile(r"""<[a-zA-Z](?:[^"'<>]|"[^"]*"|'[^']*')*>""")
_ADDRESS = re.compile(
    r"(\s(?:href|src|action|formaction|hx-get|hx-post|hx-sse:connect|data-url|data-live"
    r"|data-address|data-upload|data-script|content)"
    r"=[\"'](?:\d+; url=)?)/(?!/)"
)
# Which of a browser's headers name the page that it shows, and which of ours name an address.
_PAGE_HEADERS = (b"referer", b"hx-current-url")
_OUR_HEADERS = {"location": "/", "link": "</"}


class RootPath:
    """`path` begins with a slash and does not end with one."""

    def __init__(self, app: ASGIApp, *, path: str) -> None:
        self._app = app
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_addressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, start in _OUR_HEADERS.items():
                    value = headers.get(name, "")
                    if value.startswith(start) and not value.startswith("//"):
                        headers[name] = (
                            start.removesuffix("/") + self._path + value[len(start) - 1 :]
                        )
            await send(message)

        await self._app(self._inner(scope), receive, send_addressed)

    def _inner(self, scope: Scope) -> Scope:
        raw = scope.get("raw_path") or scope["path"].encode()
        return dict(scope) | {
            ROOT_PATH: self._path,
            "path": without(self._path, scope["path"]),
            "raw_path": without(self._path, raw.decode("latin-1")).encode("latin-1"),
            "headers": [
                (name, self._page(value) if name in _PAGE_HEADERS else value)
                for name, value in scope["headers"]
            ],
        }

    def _page(self, value: bytes) -> bytes:
        try:
            parts = urlsplit(value.decode("latin-1"))
        except ValueError:
            return value
        return urlunsplit(parts._replace(path=without(self._path, parts.path))).encode("latin-1")


def without(root_path: str, path: str) -> str:
    if path == root_path:
        return "/"
    return path.removeprefix(root_path) if path.startswith(f"{root_path}/") else path


def with_addresses_under(root_path: str, html: str) -> str:
    """The page with the path before each address of the server in its tags."""
    if not root_path:
        return html
    return _TAG.sub(lambda tag: _ADDRESS.sub(rf"\g<1>{root_path}/", tag.group()), html)
