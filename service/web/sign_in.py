"""Signs a browser in and out: redirects that set the cookie of its session, or delete it."""

from fastapi import Request, Response, status
from fastapi.responses import RedirectResponse

from service.store.keys import PERSON_SESSION_LIFE
from service.web.session_cookie import session_cookie


def signed_in(request: Request, url: str, session: str) -> Response:
    """Redirects with the cookie of the session."""
    response = RedirectResponse(url, status.HTTP_303_SEE_OTHER)
    cookie = session_cookie(request.scope)
    response.set_cookie(
        cookie.name,
        session,
        # The session may be over earlier.
        max_age=int(PERSON_SESSION_LIFE.total_seconds()),
        path=cookie.path,
        httponly=True,
        samesite="lax",
        secure=cookie.is_secure,
    )
    return response


def signed_out(request: Request) -> Response:
    """Redirects to the page to sign in, without the cookie. Its attributes are those that it was set with,
    or browsers would keep it.
    """
    response = RedirectResponse("/login", status.HTTP_303_SEE_OTHER)
    cookie = session_cookie(request.scope)
    response.delete_cookie(
        cookie.name, path=cookie.path, httponly=True, samesite="lax", secure=cookie.is_secure
    )
    return response
