"""The cookie of a signed-in browser: its name and its attributes, by how the request came.

Over TLS the name has a prefix that browsers enforce. With `__Host-` no other host and no plain connection
can set or replace the cookie; it needs the path `/`. A server under a path of its host shares the host
with others, so that its cookie is for its path alone, and `__Secure-` is what is left.
"""

from dataclasses import dataclass

from starlette.types import Scope

from service.web.root_path import ROOT_PATH

SESSION_COOKIE = "ideapool_session"


@dataclass(frozen=True, slots=True)
class SessionCookie:
    name: str
    path: str = "/"
    is_secure: bool = False


def session_cookie(scope: Scope) -> SessionCookie:
    """The only one that counts for this request: over TLS none without the prefix."""
    if scope.get("scheme") != "https":
        return SessionCookie(SESSION_COOKIE)
    path = scope.get(ROOT_PATH)
    if path:
        return SessionCookie(f"__Secure-{SESSION_COOKIE}", path=path, is_secure=True)
    return SessionCookie(f"__Host-{SESSION_COOKIE}", is_secure=True)
